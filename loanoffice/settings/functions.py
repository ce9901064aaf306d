"""The durable function and the fraud check: the models and services, no door.

Every import here is paid for at a cold start, so the admin, the API and the session
machinery stay out.
"""

from loanoffice.settings.production import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "applications",
    "workflows",
]
MIDDLEWARE: list[str] = []
TEMPLATES: list[dict[str, object]] = []
ROOT_URLCONF = ""
REST_FRAMEWORK: dict[str, object] = {}
