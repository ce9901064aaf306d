"""Settings of the durable function and the fraud check: models and services, no web.

Every import here costs time at a cold start, so the admin, the API and the session
machinery are left out. These functions need no setting of a web server.
"""

from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.aws import *
from loanoffice.settings.aws import LOANOFFICE_FUNCTION, NEEDED, refuse
from loanoffice.settings.function_secrets import FRAUD_CHECK, LOAN_APPROVAL, VARIABLE

if LOANOFFICE_FUNCTION not in {FRAUD_CHECK, LOAN_APPROVAL}:  # what else is missing depends on it
    raise ImproperlyConfigured(
        f"{VARIABLE} has to be {LOAN_APPROVAL} or {FRAUD_CHECK} with these settings. The deploy "
        "sets it."
    )
refuse(needed=NEEDED)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "audit",
    "core",
    "partners",
    "lending",
    "applications",
    "reviews",
    "workflows",
    "webhooks",
]
# Permissions are checked, and nobody signs in.
AUTHENTICATION_BACKENDS = ["accounts.permissions.RoleBackend"]
MIDDLEWARE: list[str] = []
TEMPLATES: list[dict[str, object]] = []
ROOT_URLCONF = ""
REST_FRAMEWORK: dict[str, object] = {}
SPECTACULAR_SETTINGS: dict[str, object] = {}
