"""Settings of the durable function and the fraud check: models and services, no web.

Every import here costs time at a cold start, so the admin, the API and the session
machinery are left out. These functions need no setting of a web server.
"""

from loanoffice.settings.aws import *  # noqa: F403
from loanoffice.settings.aws import NEEDED, refuse

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
