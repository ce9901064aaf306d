"""The durable function and the fraud check: the models and services, no door.

Every import here is paid for at a cold start, so the admin, the API and the session
machinery stay out. What only a door needs, these functions do not ask for.
"""

from loanoffice.settings.aws import NEEDED, refuse_weak_database, require
from loanoffice.settings.base import *  # noqa: F403

require(NEEDED)
refuse_weak_database()

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "audit",
    "partners",
    "lending",
    "applications",
    "reviews",
    "workflows",
    "webhooks",
]
# Permissions are asked, and nobody signs in.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
MIDDLEWARE: list[str] = []
TEMPLATES: list[dict[str, object]] = []
ROOT_URLCONF = ""
REST_FRAMEWORK: dict[str, object] = {}
SPECTACULAR_SETTINGS: dict[str, object] = {}
