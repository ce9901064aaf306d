"""List every outside provider and the environment variables that configure it.

Pure, because the settings import it. Settings, required variables, chaos runs and tests derive
from ``VARIABLES``: a new bureau is a member of ``Bureau`` and a row of ``simulated.SCORES``.
"""

from applications.choices import Bureau

FRAUD = "fraud"
PAYOUT = "payout"

# What the names of a provider's variables begin with, as in EQUIFAX_URL and EQUIFAX_TOKEN.
VARIABLES = {
    **{bureau.value: bureau.name for bureau in Bureau},
    FRAUD: "FRAUD_SERVICE",
    PAYOUT: "PAYOUT_RAIL",
}
URL_VARIABLES = {provider: f"{prefix}_URL" for provider, prefix in VARIABLES.items()}
TOKEN_VARIABLES = {provider: f"{prefix}_TOKEN" for provider, prefix in VARIABLES.items()}
