"""Settings that the web function and the companions share on AWS: secrets, database, documents.

``production`` and ``functions`` build on this module. Each names the variables that it
needs, and does not start when one is missing or something is unsafe.
"""

import os
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.secret_store import secrets_into

secrets_into(os.environ)  # before anything below reads the environment

from loanoffice.settings.base import *  # noqa: E402, F403
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
    mail_weaknesses,
    token_weaknesses,
    url_weaknesses,
)
from workflows.providers.catalogue import FRAUD, TOKEN_VARIABLES, URL_VARIABLES  # noqa: E402

# Variables that the workflow needs, in every function.
NEEDED = (
    "AWS_DEFAULT_REGION",
    "DATABASE_URL",
    "DEFAULT_FROM_EMAIL",
    "EMAIL_HOST",
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

    ``needed`` are variables that have to be set; ``also`` are reasons that the caller found.
    """
    reasons = _missing(needed)
    if env.ENVIRON.get("DATABASE_URL"):  # one that is missing is named as such
        reasons += database_weaknesses(DATABASES["default"])
    reasons += url_weaknesses("SITE_URL", env("SITE_URL", default=""), loopback=False)
    reasons += url_weaknesses("LOANOFFICE_FRAUD_VENDOR_URL", LOANOFFICE_FRAUD_VENDOR_URL)
    for provider, configured in LOANOFFICE_PROVIDERS.items():
        reasons += url_weaknesses(URL_VARIABLES[provider], configured["url"])
        reasons += token_weaknesses(
            TOKEN_VARIABLES[provider], configured["token"], configured["url"]
        )
    reasons += mail_weaknesses(MAILERS["default"]["OPTIONS"])
    reasons += also
    if reasons:
        raise ImproperlyConfigured(f"Production does not start. {' '.join(reasons)}")


def _missing(needed: Iterable[str]) -> list[str]:
    missing = sorted(name for name in needed if not env.ENVIRON.get(name))
    if not env.bool(SIMULATE, default=False):
        missing += [
            URL_VARIABLES[provider]
            for provider, configured in LOANOFFICE_PROVIDERS.items()
            if not configured["url"] and not (provider == FRAUD and LOANOFFICE_FRAUD_VENDOR_URL)
        ]
    if LOANOFFICE_FRAUD_VENDOR_URL and not LOANOFFICE_FRAUD_VENDOR_SECRETS:
        missing.append("LOANOFFICE_FRAUD_VENDOR_SECRET")
    return [f"These environment variables are missing: {', '.join(missing)}."] if missing else []


# Only the function ``manage`` connects as the owner of the tables: see ``audit.database_login``.
LOANOFFICE_DATABASE_OWNER = env.bool("LOANOFFICE_DATABASE_OWNER", default=False)

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
MAILERS["default"]["OPTIONS"]["use_tls"] = env.bool("EMAIL_USE_TLS", default=True)

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
