"""Settings of log lines and metrics, and what they call this process. ``base`` takes them all."""

from typing import Any

from loanoffice.settings.environment import Environment

env = Environment()

# What log lines and metrics call the product, the place where it runs, and, off AWS, the process.
LOANOFFICE_SERVICE = "loanoffice"
LOANOFFICE_STAGE = env("LOANOFFICE_STAGE", default="local")
LOANOFFICE_PROCESS = env("LOANOFFICE_PROCESS", default="")
# Lambda sets the variable in each of its processes.
LOANOFFICE_ON_LAMBDA = bool(env("AWS_LAMBDA_FUNCTION_NAME", default=""))

# Where the lines of metrics go: ``stdout``, which Lambda reads, a file, or, empty, nowhere.
LOANOFFICE_METRICS = env("LOANOFFICE_METRICS", default="stdout" if LOANOFFICE_ON_LAMBDA else "")

LOG_LEVEL = env.log_level("LOG_LEVEL", default="INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "loanoffice.logs.JsonFormatter"},
        "line": {"()": "loanoffice.logs.LineFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Without their informational lines; warnings are still logged.
        name: {"level": "WARNING"}
        # Zappa's (``handler`` in its package) write query strings and whole events, which have
        # names; ``loanoffice.request_id`` logs requests without them.
        for name in ("botocore", "urllib3", "fontTools", "fpdf", "axes", "zappa", "handler")
    },
}
