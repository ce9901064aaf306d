"""Settings of a laptop: SQLite, the embedded engine, demo data. Never for production."""

from functions.local.credentials import credentials_read
from loanoffice.settings.base import *
from loanoffice.settings.base import DATA_DIR, INSTALLED_APPS, LOGGING, MIDDLEWARE, env

LOANOFFICE_DEMO = True
# One person tries the demo.
LOANOFFICE_SINGLE_ADMIN = env.truth("LOANOFFICE_SINGLE_ADMIN", default=True)
INSTALLED_APPS = [*INSTALLED_APPS, "devtools"]
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
# Documents and letters are nobody else's, as the folder is.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
SECRET_KEY = env("SECRET_KEY", default="demo-only-not-a-secret")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]

LOANOFFICE_SIMULATED_LATENCY = env.number("LOANOFFICE_SIMULATED_LATENCY", default=1.0)

# Demo logins have the password "demo".
AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = []

# E-mails are written to files, one each.
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "OPTIONS": {"file_path": DATA_DIR / "mail"},
    }
}

# Files of the stylesheet and scripts are served by the web process itself.
MIDDLEWARE = [
    *MIDDLEWARE[:2],
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *MIDDLEWARE[2:],
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

PORT = env.whole("PORT", default=8000)
SITE_URL = env.site("SITE_URL", default=f"http://127.0.0.1:{PORT}")

# The port of the embedded engine, and its URL for boto3. Removing these is all
# that it takes to use AWS.
ENGINE_PORT = env.whole("ENGINE_PORT", default=9001)
for name, value in {
    "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{ENGINE_PORT}",
    "AWS_DEFAULT_REGION": "ca-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}.items():
    env.ENVIRON.setdefault(name, value)
# What the engine of this data folder asks for, if the demo made any: never the credentials of an
# AWS account that the shell may have.
if credentials := credentials_read(DATA_DIR):
    env.ENVIRON["AWS_ACCESS_KEY_ID"] = credentials.access_key
    env.ENVIRON["AWS_SECRET_ACCESS_KEY"] = credentials.secret_key
    env.ENVIRON.pop("AWS_SESSION_TOKEN", None)
else:
    env.ENVIRON.setdefault("AWS_ACCESS_KEY_ID", "local")
    env.ENVIRON.setdefault("AWS_SECRET_ACCESS_KEY", "local")

# Where spans go: to a collector, into a file (``make demo TRACES=1``), or nowhere: then nothing of
# OpenTelemetry is imported. Its own variables say the rest (docs/observability.md).
LOANOFFICE_TRACES, LOANOFFICE_TRACES_FILE = "", None
if any(env(f"OTEL_EXPORTER_OTLP_{which}ENDPOINT", default="") for which in ("", "TRACES_")):
    LOANOFFICE_TRACES = "otlp"
elif env.truth("TRACES", default=False):
    LOANOFFICE_TRACES, LOANOFFICE_TRACES_FILE = "file", DATA_DIR / "traces.jsonl"
# Whether a statement of PostgreSQL is a span, too: a hundred of a loan, where every loan is traced.
LOANOFFICE_TRACE_STATEMENTS = env.truth("LOANOFFICE_TRACE_STATEMENTS", default=False)

LOGGING["handlers"]["stderr"]["formatter"] = env.one_of(
    "LOG_FORMAT", "json", "line", default="line"
)
