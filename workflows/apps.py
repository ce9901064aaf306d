from typing import TYPE_CHECKING

from django.apps import AppConfig, apps

if TYPE_CHECKING:
    from applications.models import Disbursement


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflow"

    def ready(self) -> None:
        from applications.services.withdrawals import ASK_RAIL
        from workflows import checks, receivers
        from workflows.outbox import handlers

        ASK_RAIL[:] = [_withdrawal_ask]

        if apps.is_installed("accounts"):
            from workflows import (
                account_emails,
                digests,
                invitation_emails,
                mention_emails,
                new_orders,
                proposal_emails,
                proposals,
            )


def _withdrawal_ask(ledger: "Disbursement", reference: str) -> None:
    """Ask the rail with code that only functions load which have its token."""
    from workflows.payout_questions import withdrawal_ask

    withdrawal_ask(ledger, reference)
