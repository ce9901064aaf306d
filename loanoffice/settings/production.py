"""The web function on AWS. Refuses to start when a variable that it needs is missing."""

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.base import *  # noqa: F403
from loanoffice.settings.base import DATABASES, env

REQUIRED = (
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "LOAN_APPROVAL_FUNCTION",
    "FRAUD_CHECK_FUNCTION",
    "MEDIA_BUCKET",
    "STATIC_BUCKET",
)
missing = [name for name in REQUIRED if not env.ENVIRON.get(name)]
if missing:
    raise ImproperlyConfigured(
        f"Production needs these environment variables, and they are missing: {', '.join(missing)}."
    )

# A frozen function wakes up with connections that the server may have closed.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env("MEDIA_BUCKET"),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
            "querystring_expire": 300,  # seconds
            "signature_version": "s3v4",
        },
    },
    "staticfiles": {
        "BACKEND": "storages.backends.s3.S3ManifestStaticStorage",
        "OPTIONS": {
            "bucket_name": env("STATIC_BUCKET"),
            "default_acl": None,
            "querystring_auth": False,
        },
    },
}

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
