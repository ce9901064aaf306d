"""Settings that every environment shares. The environment is read here and nowhere else.

``local`` (a laptop and the demo), ``test``, ``production`` (the web function) and
``functions`` (the durable function and the fraud check) build on this module, the last two
by way of ``aws``.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils.csp import CSP

from loanoffice.settings.environment import Environment
from loanoffice.settings.observability import *
from workflows.providers.catalogue import TOKEN_VARIABLES, URL_VARIABLES, VARIABLES

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(env("LOANOFFICE_DATA", default=str(BASE_DIR / "var"))).resolve()

DEBUG = False
SECRET_KEY = env("SECRET_KEY", default="")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "loanoffice.apps.LoanOfficeConfig",  # first: its templates override the admin's own
    "loanoffice.apps.LoanOfficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "audit",
    "core",
    "accounts",
    "axes",
    "partners",
    "lending",
    "applications",
    "reviews",
    "workflows",
    "webhooks",
    "functions",
]

MIDDLEWARE = [
    "loanoffice.head_requests.HeadMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "loanoffice.security_headers.SecurityHeadersMiddleware",
    "loanoffice.request_id.RequestIdMiddleware",
    "loanoffice.client_ip.ClientIpMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.SessionLimitsMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.middleware.StepUpMiddleware",
    "accounts.middleware.HashingBusyMiddleware",
    "accounts.middleware.KnownDeviceMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "loanoffice.urls"
WSGI_APPLICATION = "loanoffice.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'loanoffice.sqlite3'}")
}
# A thread keeps its connection: opening one costs as much as ten queries.
DATABASES["default"]["CONN_MAX_AGE"] = None
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # One writer at a time, in turn: the write lock is taken when a transaction begins. A REPLACE
    # fires the triggers of ``audit.append_only`` with ``recursive_triggers`` only.
    DATABASES["default"]["ENGINE"] = "core.sqlite"
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        timeout=20,
        init_command=(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA recursive_triggers=ON;"
        ),
    )
# Whether this process may connect as the owner of the tables, who can disable their triggers.
LOANOFFICE_DATABASE_OWNER = True
# The login without ownership that ``database_login`` makes, as a URL with its password.
LOANOFFICE_APP_DATABASE_URL = env("LOANOFFICE_APP_DATABASE_URL", default="")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.password_validation.OwnWordsValidator"},
    {"NAME": "accounts.password_validation.AnotherPasswordValidator"},
]
PASSWORD_HASHERS = ["accounts.hashers.BoundedPBKDF2Hasher"]
# How many passwords one process hashes at a time: half of the processors keep serving others.
LOANOFFICE_HASHES_AT_ONCE = env.whole(
    "LOANOFFICE_HASHES_AT_ONCE", default=max(1, (os.cpu_count() or 1) // 2)
)
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # refuses locked-out sign-ins first
    "accounts.backends.StaffBackend",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# The idle and total life of a session. Requests that a page makes by itself are no activity.
LOANOFFICE_SESSION_IDLE = env.span("LOANOFFICE_SESSION_IDLE_MINUTES", default=30)
LOANOFFICE_SESSION_LONGEST = env.span("LOANOFFICE_SESSION_HOURS", default=12)
# How long a code, or a password, that was asked for again lets its session publish, settle, make
# keys and change rights (``accounts.step_up``).
LOANOFFICE_STEP_UP_LIFE = env.span("LOANOFFICE_STEP_UP_MINUTES", default=5)
# How long an invitation can be accepted: over a long weekend. Django has the second name for it.
LOANOFFICE_INVITATION_LIFE = timedelta(days=4)
PASSWORD_RESET_TIMEOUT = int(LOANOFFICE_INVITATION_LIFE.total_seconds())
SESSION_COOKIE_AGE = int(LOANOFFICE_SESSION_LONGEST.total_seconds())

# Failed sign-ins: the limits are in ``accounts.lockouts``, with the reasons.
AXES_HANDLER = "accounts.lockouts.LockoutHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Attempts during a lockout do not extend it: nobody can lock somebody out for good.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.lockouts.client_ip"
AXES_LOCKOUT_CALLABLE = "accounts.views.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # the audit log records sign-ins
AXES_ENABLE_ADMIN = False  # ours is in ``accounts.admin``
AXES_VERBOSE = False

OTP_TOTP_ISSUER = "Loan Office"

LANGUAGE_CODE = "en-ca"
# The zone of all days and times for people (``audit.times``), also of those that are promised.
TIME_ZONE = env.zone("TIME_ZONE", default="America/Toronto")
FORMAT_MODULE_PATH = "loanoffice.formats"
USE_I18N = False  # one language: a lookup of each text took 5 % of the time of a page
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# No inline script or style, nothing from elsewhere. The admin's own inline parts carry a
# nonce; ours live in files.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes; api.md: over 1 MB is refused
# A bulk decision of the most rows (``reviews.services.bulk_decisions.MOST``) has a field for each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_500

DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Loan Office <no-reply@localhost>")
MAILERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env("EMAIL_HOST", default="localhost"),
            "port": env.whole("EMAIL_PORT", default=25),
            "username": env("EMAIL_HOST_USER", default=""),
            "password": env("EMAIL_HOST_PASSWORD", default=""),
            "use_tls": env.truth("EMAIL_USE_TLS", default=False),
            "timeout": 10,  # seconds
        },
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "partners.api.authentication.PartnerKeyAuthentication",
        "partners.api.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["partners.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "partners.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
    # No ?format= and no OPTIONS documents: there is JSON, and there is the schema.
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_METADATA_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Loan Office Partner API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVERS": [{"url": "/", "description": "The site that serves this document."}],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "TAGS": [
        {"name": "applications", "description": "What a partner does with its applications."},
        {"name": "documents", "description": "Files of an application."},
        {"name": "offers", "description": "What the applicant answers to an offer."},
        {"name": "webhooks", "description": "Events that a partner gets, and their redelivery."},
        {"name": "staff", "description": "What only a member of staff may do."},
    ],
    "WEBHOOKS": [
        f"webhooks.api.openapi_webhooks.{name}"
        for name in (
            *("SUBMITTED", "PENDING_APPROVAL", "APPROVED", "FUNDED"),
            *("DECLINED", "WITHDRAWN", "EXPIRED", "ENDPOINT_TEST"),
        )
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ApplicationStatus": "applications.choices.Status",
        "Step": "applications.choices.Step",
        "Purpose": "applications.choices.Purpose",
        "WaitingOn": "applications.choices.waiting_choices",
        "Outcome": "lending.choices.Outcome",
        "RiskTier": "lending.choices.Tier",
        "Level": "applications.choices.Level",
        "DocumentKind": "applications.choices.DocumentKind",
        "UploadedKind": "applications.api.document_serializers.UPLOADED",
        "WebhookEventType": "webhooks.choices.EventType",
        "WebhookDeliveryStatus": "webhooks.models.WebhookDelivery.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "partners.api.openapi.parameters.name_enums",
        "partners.api.openapi.introduction.introduce",
        "partners.api.openapi.security.refuse_unknown_fields",
    ],
}

# --- Loan Office -------------------------------------------------------------------

# The office's address, perhaps with the path of a stage: links in e-mails and callbacks have it.
SITE_URL = env.site("SITE_URL", default="http://127.0.0.1:8000")

# How many addresses our own proxies append to X-Forwarded-For; 0: REMOTE_ADDR is the client.
LOANOFFICE_TRUSTED_PROXIES = env.whole("LOANOFFICE_TRUSTED_PROXIES", default=0)

# How often a partner may call, all its keys together, as in 600/min (s, min, hour or day);
# empty: as often as it likes. A partner may have a rate of its own. Staff are not limited.
LOANOFFICE_PARTNER_RATE = env.rate("LOANOFFICE_PARTNER_RATE", default="600/min")
# The rate of unknown keys from one address.
LOANOFFICE_BAD_KEY_RATE = env.rate("LOANOFFICE_BAD_KEY_RATE", default="20/min")

# Whether every role that decides or administers has to sign in with a second factor.
LOANOFFICE_SECOND_FACTOR_REQUIRED = False

# Demo profiles, demo logins and the one-click form exist only where this is true.
LOANOFFICE_DEMO = False

# Whether one person may do alone what two have to do otherwise: role grants and partner keys
# only, never anything about money. Announced at start and on the front page; each such act says so.
LOANOFFICE_SINGLE_ADMIN = env.truth("LOANOFFICE_SINGLE_ADMIN", default=False)

# One factor on every simulated delay: 1.0 lets a person watch, 0 is for tests.
LOANOFFICE_SIMULATED_LATENCY = env.number("LOANOFFICE_SIMULATED_LATENCY", default=0.0)

# The durable function is always invoked by a qualified name.
LOAN_APPROVAL_FUNCTION = env("LOAN_APPROVAL_FUNCTION", default="loan-approval:live")
FRAUD_CHECK_FUNCTION = env("FRAUD_CHECK_FUNCTION", default="fraud-check:live")

# How long one execution may live. Every wait inside it must fit (a system check looks).
LOAN_APPROVAL_EXECUTION_TIMEOUT = timedelta(days=60)

# A task ends when its time is over; the engine waits this much longer, so that a decision
# made in the last minute still reaches it.
LOANOFFICE_DELIVERY_GRACE = env.span("LOANOFFICE_DELIVERY_GRACE_SECONDS", default=3600)

# Attempts of a workflow step before Operations has to act: 1, 2, 4 ... seconds
# apart, so six attempts outlive half a minute without a database.
LOANOFFICE_STEP_ATTEMPTS = env.whole("LOANOFFICE_STEP_ATTEMPTS", default=6)

# How often the sweep compares the record with the engine.
LOANOFFICE_RECONCILE_EVERY = env.span("LOANOFFICE_RECONCILE_SECONDS", default=300)

# How often the sweep seals what was added to the audit log and the other sealed tables, and
# where it copies the seals to: a bucket with object lock, which keeps each copy for this many
# days, or, without a bucket, a file.
LOANOFFICE_SEAL_EVERY = env.span("LOANOFFICE_SEAL_SECONDS", default=60)
LOANOFFICE_SEAL_BUCKET = env("SEAL_BUCKET", default="")
LOANOFFICE_SEAL_DAYS = env.whole("LOANOFFICE_SEAL_DAYS", default=2557)
LOANOFFICE_SEAL_FILE: Path | None = DATA_DIR / "seals.jsonl"

# How many days the sweep keeps webhook events that were delivered; what failed three times that.
LOANOFFICE_WEBHOOK_DAYS = env.whole("LOANOFFICE_WEBHOOK_DAYS", default=30)

# What the embedded engine serves under those names. On AWS the deploy creates them.
LOANOFFICE_FUNCTIONS = {
    "loan-approval": {"handler": "functions.loan_approval.handler", "durable": True},
    "fraud-check": {"handler": "functions.fraud_check.handler", "durable": False},
}

# The function on AWS that this process is, which has its own secrets only; empty: all of them.
LOANOFFICE_FUNCTION = ""

# Providers. One with a URL is called over HTTP; without one it is simulated. One whose token is
# None is not called by this function.
LOANOFFICE_PROVIDERS: dict[str, dict[str, str | None]] = {
    provider: {
        "url": env(URL_VARIABLES[provider], default=""),
        "token": env(TOKEN_VARIABLES[provider], default=""),
    }
    for provider in VARIABLES
}

# A fraud vendor that is asked here and answers later, at a callback URL, with signed requests. The
# newest secret first; the one before is taken and signs as well while it is rotated.
LOANOFFICE_FRAUD_VENDOR_URL = env("LOANOFFICE_FRAUD_VENDOR_URL", default="")
# None where this function has no business with the vendor.
LOANOFFICE_FRAUD_VENDOR_SECRETS: list[str] | None = (
    env("LOANOFFICE_FRAUD_VENDOR_SECRET", default="").replace(",", " ").split()
)
# How long it may take while its heartbeats come; in silence the policy's timeout ends the wait.
LOANOFFICE_FRAUD_VENDOR_LONGEST = (
    env.span("LOANOFFICE_FRAUD_VENDOR_LONGEST_MINUTES", default=60)
    if LOANOFFICE_FRAUD_VENDOR_URL
    else timedelta(0)
)

# The largest number of applications in one export; None: no limit. Lambda
# answers with six megabytes at most, so there it is bounded.
LOANOFFICE_EXPORT_MOST: int | None = None

# Documents of an application. A file's bytes: Lambda takes requests of six
# megabytes, in base64, so four and a half is what fits with its frame and headers.
LOANOFFICE_DOCUMENT_BYTES = env.whole("LOANOFFICE_DOCUMENT_BYTES", default=4_500_000)
LOANOFFICE_DOCUMENTS_MOST = env.whole("LOANOFFICE_DOCUMENTS_MOST", default=20)  # an application
LOANOFFICE_DOCUMENT_LINK_LIFE = timedelta(minutes=5)
# Whether storage signs links of its own (S3 does); else the product serves what it signed.
LOANOFFICE_STORAGE_SIGNS_LINKS = False
