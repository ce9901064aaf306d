"""The modules that the functions do without when they start, and those that they need."""

# Each costs every cold start, and none is of use to a function without a web server or a sweep.
NOT_LOADED = frozenset(
    {
        # The admin, the API, sign-in and what draws or stores files.
        *("django.contrib.admin", "django.contrib.sessions", "axes", "django_otp", "segno"),
        *("rest_framework", "drf_spectacular", "fpdf", "PIL", "storages", "zappa", "devtools"),
        *("accounts.admin", "accounts.middleware", "accounts.models", "accounts.services"),
        *("accounts.views", "applications.admin", "applications.api", "audit.admin"),
        *("core.admin", "lending.admin", "partners.admin", "partners.api", "reviews.admin"),
        *("reviews.api", "webhooks.admin", "webhooks.api", "workflows.admin"),
        # Proposals: their kinds are registered where somebody confirms them.
        *("accounts.proposal_kinds", "accounts.proposals"),
        # The sweep, and what only it does: send webhooks, forget, seal and reconcile.
        *("workflows.sweep", "workflows.sweep_runs", "workflows.backlog", "workflows.probes"),
        *("workflows.reconcile", "workflows.callbacks.fraud_vendor", "webhooks.delivery"),
        *("webhooks.retention", "standardwebhooks", "audit.sealing", "audit.seal_copies"),
        *("applications.services.documents", "core.form_submissions", "partners.services"),
    }
)
# Those without which a function would change the record and nobody would hear of it.
LOADED = frozenset(
    {
        *("reviews.receivers", "workflows.receivers", "webhooks.receivers"),
        *("workflows.outbox.handlers", "audit.services", "aws_lambda_powertools.metrics"),
    }
)
# The fraud check carries no execution.
NOT_LOADED_BY = {
    "functions.loan_approval": NOT_LOADED,
    "functions.fraud_check": NOT_LOADED
    | {"aws_durable_execution_sdk_python", "workflows.handover", "workflows.steps"},
}
