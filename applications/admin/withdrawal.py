"""The action that withdraws an application."""

from collections.abc import Iterator
from contextlib import contextmanager

from applications.admin.forms import WithdrawForm
from applications.admin.view_helpers import ApplicationAction
from applications.services import intake, withdrawals


class Withdraw(ApplicationAction):
    """End an application at the applicant's wish."""

    name = "withdraw"
    label = "Withdraw"
    tone = "bad"
    sentence = (
        "This ends the application at the applicant's wish. It stops the workflow and cannot be "
        "undone."
    )
    form_class = WithdrawForm

    def check(self) -> None:
        intake.withdrawal_check(application=self.row, user=self.user)

    @contextmanager
    def around(self) -> Iterator[None]:
        self.asked = withdrawals.withdrawal_prepare(reference=self.row.reference)
        yield

    def act(self) -> str:
        intake.application_withdraw(
            reference=self.row.reference,
            user=self.user,
            reason=self.typed["reason"],
            asked=self.asked,
        )
        return f"{self.row.reference} is withdrawn."
