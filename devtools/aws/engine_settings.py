"""Settings of the embedded engine that runs the uploaded package: those of its functions.

Copied beside the unpacked package; not imported from here. One process runs both functions, so it
has the providers of both, which are simulated.
"""

import os

from loanoffice.settings.functions import *
from loanoffice.settings.functions import INSTALLED_APPS, LOANOFFICE_PROVIDERS

INSTALLED_APPS = [*INSTALLED_APPS, "functions"]  # has the command that runs the engine
LOANOFFICE_PROVIDERS = {
    provider: {**found, "token": found["token"] or ""}
    for provider, found in LOANOFFICE_PROVIDERS.items()
}
LOANOFFICE_FRAUD_VENDOR_SECRETS = []
# The names of the functions on the emulated AWS.
LOANOFFICE_FUNCTIONS = {
    os.environ["LOAN_APPROVAL_FUNCTION"].partition(":")[0]: {
        "handler": "functions.loan_approval.handler",
        "durable": True,
    },
    os.environ["FRAUD_CHECK_FUNCTION"].partition(":")[0]: {
        "handler": "functions.fraud_check.handler",
        "durable": False,
    },
}
