"""Settings that the web function and the companions share on AWS: secrets, database, documents.

``production`` and ``functions`` build on this module. Each names the variables that it
needs, and does not start when one is missing or something is unsafe. ``function_secrets`` says
which secrets the function has: it is refused for these only, and gets no others.
"""

import os
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.function_secrets import (
    FUNCTIONS,
    VENDOR_VARIABLE,
    function_of,
    secrets_of_others,
)
from loanoffice.settings.secret_store import secrets_into

# Before anything below reads the environment.
secrets_into(os.environ, of_others=secrets_of_others(function_of(os.environ)))

from loanoffice.settings.base import *  # noqa: E402
from loanoffice.settings.base import (  # noqa: E402
    DATABASES,
    LOANOFFICE_FRAUD_VENDOR_SECRETS,
    LOANOFFICE_FRAUD_VENDOR_URL,
    LOANOFFICE_PROVIDERS,
    MAILERS,
    STORAGES,
    env,
)
from loanoffice.settings.weaknesses import (  # noqa: E402
    database_weaknesses,
    token_weaknesses,
    url_weaknesses,
)
from workflows.providers.catalogue import FRAUD, TOKEN_VARIABLES, URL_VARIABLES  # noqa: E402

LOANOFFICE_FUNCTION = function_of(os.environ)
USES = FUNCTIONS[LOANOFFICE_FUNCTION]

# Variables of the stage that every function needs, beside its secrets.
NEEDED = (
    "AWS_DEFAULT_REGION",
    "FRAUD_CHECK_FUNCTION",
    "LOAN_APPROVAL_FUNCTION",
    "MEDIA_BUCKET",
    "MEDIA_KMS_KEY",
    "SITE_URL",
)
# Nothing outside is simulated unless that is asked for: a simulated rail pays nobody.
SIMULATE = "LOANOFFICE_SIMULATED_PROVIDERS"


def refuse(*, needed: Iterable[str], also: Iterable[str] = ()) -> None:
    """Raise ``ImproperlyConfigured`` with every reason why production may not start like this.

    ``needed`` are variables that have to be set beside the function's secrets; ``also`` are
    reasons that the caller found.
    """
    reasons = _missing([*needed, *USES.needed])
    if env.ENVIRON.get("DATABASE_URL"):  # one that is missing is named as such
        reasons += database_weaknesses(DATABASES["default"])
    reasons += url_weaknesses("SITE_URL", env.site("SITE_URL", default=""), loopback=False)
    if USES.vendor:
        reasons += url_weaknesses("LOANOFFICE_FRAUD_VENDOR_URL", LOANOFFICE_FRAUD_VENDOR_URL)
    for provider in USES.providers:
        url, token = LOANOFFICE_PROVIDERS[provider]["url"], LOANOFFICE_PROVIDERS[provider]["token"]
        reasons += url_weaknesses(URL_VARIABLES[provider], url or "")
        reasons += token_weaknesses(TOKEN_VARIABLES[provider], token or "", url or "")
    reasons += also
    if reasons:
        raise ImproperlyConfigured(f"Production does not start. {' '.join(reasons)}")


def _missing(needed: Iterable[str]) -> list[str]:
    missing = sorted(name for name in needed if not env.ENVIRON.get(name))
    if not env.truth(SIMULATE, default=False):
        missing += [
            URL_VARIABLES[provider]
            for provider in USES.providers
            if not LOANOFFICE_PROVIDERS[provider]["url"]
            and not (provider == FRAUD and LOANOFFICE_FRAUD_VENDOR_URL)
        ]
    if USES.vendor and LOANOFFICE_FRAUD_VENDOR_URL and not LOANOFFICE_FRAUD_VENDOR_SECRETS:
        missing.append(VENDOR_VARIABLE)
    return [f"These environment variables are missing: {', '.join(missing)}."] if missing else []


# ``None`` stands for what is no secret of this function: whoever asks for it gets an error that
# names it, also where the provider is simulated.
for name, configured in LOANOFFICE_PROVIDERS.items():
    if name not in USES.providers:
        configured["token"] = None
if not USES.vendor:
    LOANOFFICE_FRAUD_VENDOR_SECRETS = None

# Only the function ``manage`` connects as the owner of the tables: see ``audit.database_login``.
LOANOFFICE_DATABASE_OWNER = env.truth("LOANOFFICE_DATABASE_OWNER", default=False)

# A frozen function wakes up with connections that the server may have closed.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    # The URL may ask for more: ?sslmode=verify-full&sslrootcert=...
    "sslmode": "require",
    "connect_timeout": 5,  # seconds; a database that moves to its other zone is asked again
    **DATABASES["default"].get("OPTIONS", {}),
}

LOANOFFICE_SEAL_FILE = None  # a function's own disk ends with it

# A mail server elsewhere is asked for STARTTLS unless the environment refuses it, and then
# ``refuse`` refuses to start.
MAILERS["default"]["OPTIONS"]["use_tls"] = env.truth("EMAIL_USE_TLS", default=True)

# The deploy sets this variable together with the layer that has OpenTelemetry.
is_wrapped = env("AWS_LAMBDA_EXEC_WRAPPER", default="") == "/opt/otel-instrument"
LOANOFFICE_TRACES = "layer" if is_wrapped else ""
LOANOFFICE_TRACES_FILE = None
# X-Ray traces some requests, and only those pay for the spans of their statements.
LOANOFFICE_TRACE_STATEMENTS = env.truth("LOANOFFICE_TRACE_STATEMENTS", default=True)

LOANOFFICE_STORAGE_SIGNS_LINKS = True
# Documents: nobody reads one without a link that we signed, and a link is short-lived.
STORAGES["default"] = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {
        "bucket_name": env("MEDIA_BUCKET", default=""),
        "region_name": env("AWS_DEFAULT_REGION", default=""),
        # By the bucket's own name in its region: a link through the global address is
        # redirected while a bucket is new, and its signature is not for where it leads.
        "addressing_style": "virtual",
        "signature_version": "s3v4",
        "default_acl": None,  # a bucket owner's buckets have none
        "file_overwrite": False,
        "object_parameters": {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": env("MEDIA_KMS_KEY", default=""),
        },
        "querystring_auth": True,
        "querystring_expire": 300,  # seconds
    },
}
