from django.apps import AppConfig, apps


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflow"

    def ready(self) -> None:
        from applications.services.withdrawals import ASK_RAIL
        from workflows import checks, receivers
        from workflows.outbox import handlers
        from workflows.payout_questions import withdrawal_ask

        ASK_RAIL[:] = [withdrawal_ask]

        if apps.is_installed("accounts"):
            from workflows import (
                account_emails,
                invitation_emails,
                new_orders,
                proposal_emails,
                proposals,
            )
