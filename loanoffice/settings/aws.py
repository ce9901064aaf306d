"""Settings that the web function and the companions share on AWS: secrets, database, documents.

``production`` and ``functions`` build on this module. Each names the variables that it
needs, and does not start when one is missing.
"""

import os
from collections.abc import Iterable
from ipaddress import ip_address

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.secret_store import secrets_into

secrets_into(os.environ)  # before anything below reads the environment

from loanoffice.settings.base import *  # noqa: E402, F403
from loanoffice.settings.base import (  # noqa: E402
    DATABASES,
    LOANOFFICE_FRAUD_VENDOR_SECRETS,
    LOANOFFICE_FRAUD_VENDOR_URL,
    LOANOFFICE_PROVIDERS,
    STORAGES,
    env,
)
from workflows.providers.catalogue import FRAUD, URL_VARIABLES  # noqa: E402

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


def require(names: Iterable[str]) -> None:
    """Raise ``ImproperlyConfigured`` that names every variable which is missing."""
    missing = sorted(name for name in names if not env.ENVIRON.get(name))
    if not env.bool(SIMULATE, default=False):
        missing += [
            URL_VARIABLES[provider]
            for provider, configured in LOANOFFICE_PROVIDERS.items()
            if not configured["url"] and not (provider == FRAUD and LOANOFFICE_FRAUD_VENDOR_URL)
        ]
    if LOANOFFICE_FRAUD_VENDOR_URL and not LOANOFFICE_FRAUD_VENDOR_SECRETS:
        missing.append("LOANOFFICE_FRAUD_VENDOR_SECRET")
    if missing:
        raise ImproperlyConfigured(
            "Production needs these environment variables, and they are missing: "
            f"{', '.join(missing)}."
        )


def refuse_weak_database() -> None:
    """Raise ``ImproperlyConfigured`` unless it is PostgreSQL, over TLS when it is remote."""
    database = DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL has to name a PostgreSQL database.")
    weak = database["OPTIONS"]["sslmode"] in {"disable", "allow", "prefer"}
    if weak and not is_this_machine(database["HOST"]):
        raise ImproperlyConfigured(
            f"DATABASE_URL says sslmode={database['OPTIONS']['sslmode']}, which may go "
            "unencrypted. Say require, verify-ca or verify-full."
        )


def is_this_machine(host: str) -> bool:
    """Return true when the address is a loopback one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# A frozen function wakes up with connections that the server may have closed.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    # The URL may ask for more: ?sslmode=verify-full&sslrootcert=...
    "sslmode": "require",
    "connect_timeout": 5,  # seconds; a database that moves to its other zone is asked again
    **DATABASES["default"].get("OPTIONS", {}),
}

LOANOFFICE_SEAL_FILE = None  # a function's own disk ends with it
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
