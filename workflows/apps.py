from django.apps import AppConfig, apps


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflow"

    def ready(self) -> None:
        from workflows import checks, receivers
        from workflows.outbox import handlers

        if apps.is_installed("accounts"):
            from workflows import account_emails, invitation_emails, proposal_emails, proposals
