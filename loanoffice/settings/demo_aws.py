"""Settings of the web function and ``manage`` in ``make demo-aws``: production with demo logins.

They are in the package, and start only where everything that they would speak to, or be reached
at, is this machine: an emulator of AWS, a database, a site.
"""

import os

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.production import *
from loanoffice.settings.production import (
    ALLOWED_HOSTS,
    DATA_DIR,
    DATABASES,
    LOANOFFICE_FRAUD_VENDOR_URL,
    LOANOFFICE_PROVIDERS,
    MIDDLEWARE,
    SITE_URL,
    STATIC_URL,
    env,
)
from loanoffice.settings.weaknesses import remote_weaknesses

_reasons = remote_weaknesses(
    urls={
        **{name: url for name, url in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")},
        **{name: found["url"] or "" for name, found in LOANOFFICE_PROVIDERS.items()},
        "AWS_ENDPOINT_URL": env("AWS_ENDPOINT_URL", default="https://amazonaws.com"),
        "LOANOFFICE_FRAUD_VENDOR_URL": LOANOFFICE_FRAUD_VENDOR_URL,
        "SITE_URL": SITE_URL,
        "STATIC_DOMAIN": STATIC_URL,
    },
    hosts=[
        DATABASES["default"]["HOST"],
        DATABASES["default"]["OPTIONS"].get("host", ""),
        *ALLOWED_HOSTS,
    ],
)
if _reasons:
    raise ImproperlyConfigured(
        f"The demo on emulated AWS does not start. {' '.join(_reasons)} Its logins are public."
    )

LOANOFFICE_DEMO = True
# One person tries the demo.
LOANOFFICE_SINGLE_ADMIN = env.truth("LOANOFFICE_SINGLE_ADMIN", default=True)
# Demo logins have the password "demo" and nothing else; production refuses to serve with them.
LOANOFFICE_SECOND_FACTOR_REQUIRED = False
AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = []
MIDDLEWARE = [each for each in MIDDLEWARE if not each.endswith("StartChecksMiddleware")]
# The front's certificate is self-signed, and a browser has to go on asking about it.
SECURE_HSTS_SECONDS = 0
# E-mails are written to files, one each.
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "OPTIONS": {"file_path": DATA_DIR / "mail"},
    }
}
