"""Settings of the tests: no delays, mail in memory, a database that ``DATABASE_URL`` names."""

from loanoffice.settings.base import *
from loanoffice.settings.base import DATA_DIR, DATABASES, INSTALLED_APPS, env

TEST_DIR = DATA_DIR / "test"
TEST_DIR.mkdir(parents=True, exist_ok=True)

LOANOFFICE_DEMO = True
LOANOFFICE_SINGLE_ADMIN = False
INSTALLED_APPS = [*INSTALLED_APPS, "devtools"]
SECRET_KEY = "test-only-not-a-secret"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
LOANOFFICE_SIMULATED_LATENCY = env.number("LOANOFFICE_SIMULATED_LATENCY", default=0.0)
# Not limited, so that no test depends on the speed of others. Tests of the limits set them.
LOANOFFICE_PARTNER_RATE = env.rate("LOANOFFICE_PARTNER_RATE", default="")
LOANOFFICE_BAD_KEY_RATE = env.rate("LOANOFFICE_BAD_KEY_RATE", default="")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
MEDIA_ROOT = TEST_DIR / "media"
LOANOFFICE_TRACES, LOANOFFICE_TRACES_FILE = "", None  # tests of the traces switch them on
LOANOFFICE_TRACE_STATEMENTS = True
LOANOFFICE_METRICS = ""  # tests of the metrics name a file of their own
LOANOFFICE_SEAL_FILE = None  # tests of the copies name a file of their own

# The threads of a test come and go; a connection that outlives them keeps its database open.
DATABASES["default"]["CONN_MAX_AGE"] = 0
if DATABASES["default"]["ENGINE"] == "core.sqlite":
    # A file, as in real use: a shared in-memory database locks whole tables.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DIR / "test.sqlite3")}

# Nothing listens there unless a test starts an engine and sets this to it.
for name, value in {
    "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "ca-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}.items():
    env.ENVIRON.setdefault(name, value)
