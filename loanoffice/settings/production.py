"""Settings of the web function and of ``manage`` on AWS.

They refuse to start when a variable is missing or unsafe.
"""

import secrets
from urllib.parse import urlsplit

from loanoffice.settings.aws import *
from loanoffice.settings.aws import NEEDED, USES, refuse
from loanoffice.settings.base import (
    ALLOWED_HOSTS,
    LOANOFFICE_DOCUMENT_BYTES,
    MAILERS,
    MIDDLEWARE,
    SECRET_KEY,
    SECURE_CSP,
    SITE_URL,
    STORAGES,
    env,
)
from loanoffice.settings.weaknesses import (
    host_weaknesses,
    mail_weaknesses,
    secret_key_weaknesses,
)

if "SECRET_KEY" not in USES.needed:
    # ``manage`` answers nobody, so nothing that it signs is ever read. Each process makes a key,
    # because modules that sign cannot be imported without one.
    SECRET_KEY = secrets.token_urlsafe(64)
# While a key is replaced, what the one before has signed is still taken.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
# Whoever decides or administers signs in with a second factor.
LOANOFFICE_SECOND_FACTOR_REQUIRED = env.truth("LOANOFFICE_SECOND_FACTOR_REQUIRED", default=True)

_found = host_weaknesses(ALLOWED_HOSTS)
if SECRET_KEY:  # one that is missing is named as such
    _found += secret_key_weaknesses("SECRET_KEY", [SECRET_KEY])
_found += secret_key_weaknesses("SECRET_KEY_FALLBACKS", SECRET_KEY_FALLBACKS)
if not LOANOFFICE_SECOND_FACTOR_REQUIRED:
    _found.append("LOANOFFICE_SECOND_FACTOR_REQUIRED is false: a password alone would decide.")
# What Lambda is asked has to fit into six megabytes, in base64; what is larger never arrives.
if LOANOFFICE_DOCUMENT_BYTES > 4_500_000:
    _found.append(
        "LOANOFFICE_DOCUMENT_BYTES is more than 4500000, and Lambda takes no larger request."
    )
_found += mail_weaknesses(MAILERS["default"]["OPTIONS"])
refuse(
    needed=[
        *NEEDED,
        "ALLOWED_HOSTS",
        "DEFAULT_FROM_EMAIL",
        "EMAIL_HOST",
        "SEAL_BUCKET",
        "STATIC_BUCKET",
    ],
    also=_found,
)

# Before what answers: a process that may not serve from this database answers nothing.
MIDDLEWARE = [MIDDLEWARE[0], "loanoffice.start_checks.StartChecksMiddleware", *MIDDLEWARE[1:]]

# Style sheets and scripts, under names that change with their content. Everybody may read
# them: by the bucket's policy, or through a CDN in front of it, which STATIC_DOMAIN names.
STATIC_DOMAIN = env(
    "STATIC_DOMAIN",
    default=f"{env('STATIC_BUCKET')}.s3.{env('AWS_DEFAULT_REGION')}.amazonaws.com",
)
STATIC_URL = f"https://{STATIC_DOMAIN}/"
STORAGES["staticfiles"] = {
    "BACKEND": "storages.backends.s3.S3ManifestStaticStorage",
    "OPTIONS": {
        "bucket_name": env("STATIC_BUCKET"),
        "region_name": env("AWS_DEFAULT_REGION"),
        "addressing_style": "virtual",
        "signature_version": "s3v4",
        "custom_domain": STATIC_DOMAIN,
        "default_acl": None,
        "querystring_auth": False,
    },
}
for kind in ("script-src", "style-src", "img-src"):
    SECURE_CSP[kind].append(f"https://{STATIC_DOMAIN}")

# API Gateway as Zappa makes it stands behind CloudFront: the client, then CloudFront.
LOANOFFICE_TRUSTED_PROXIES = env.whole("LOANOFFICE_TRUSTED_PROXIES", default=2)
# What Lambda answers with has to fit into six megabytes; a line takes about 200 bytes.
LOANOFFICE_EXPORT_MOST = 15_000

# API Gateway ends TLS and sets this header itself, whatever a client sends.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# Other stages at the same host get no cookies of this one.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{urlsplit(SITE_URL).path}/"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
