"""Settings with nothing but what the engine's command reads."""

from datetime import timedelta

SECRET_KEY = "not secret"
INSTALLED_APPS = ["functions"]
LOAN_APPROVAL_EXECUTION_TIMEOUT = timedelta(days=2)
LOANOFFICE_FUNCTIONS = {
    "echo": {"handler": "tests.functions.local.handlers.echo", "durable": False},
    "echo-durable": {"handler": "tests.functions.local.handlers.echo_durable", "durable": True},
    "gated": {"handler": "tests.functions.local.handlers.gated", "durable": True},
}
