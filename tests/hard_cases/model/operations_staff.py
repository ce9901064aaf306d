"""Actions of Operations in the office of the model."""

from collections.abc import Callable
from typing import Any

from core.errors import DomainError
from tests.hard_cases.model.outside import Outside
from tests.hard_cases.model.people import People
from tests.hard_cases.model.record import Row
from tests.workflows.settling import settle
from workflows import incidents, operations
from workflows.models import Incident, OutboxMessage


class OperationsStaff:
    """Services of Operations; one that the product refuses with a reason changes nothing."""

    people: People
    outside: Outside

    def try_to(self, act: Callable[[], object]) -> bool:
        """Try an action and return whether the product accepted it."""
        try:
            act()
        except DomainError:
            return False
        return True

    def restart(self, case: Row) -> None:
        self._operate(operations.application_restart, case)

    def stop(self, case: Row) -> None:
        self._operate(operations.application_stop, case, reason="It looks wrong.")

    def pause(self, case: Row) -> None:
        self._operate(operations.execution_pause, case, reason="Wait.")

    def resume(self, case: Row) -> None:
        self._operate(operations.execution_resume, case)

    def settle(self, case: Row, *, paid: bool) -> None:
        """Say what became of the payout; nobody says that it was paid when it was not."""
        if paid and f"payout-{case['reference']}" not in self.outside.rail.payouts:
            return
        self._operate(settle, case, paid=paid, rail_reference="STATEMENT-7")

    def _operate(self, service: Callable[..., object], case: Row, **also: Any) -> None:
        user = self.people.operations
        self.try_to(lambda: service(reference=case["reference"], user=user, **also))

    def acknowledge(self, incident: Row) -> None:
        row = Incident.objects.get(pk=incident["id"])
        incidents.incident_acknowledge(incident=row, user=self.people.operations)

    def resolve(self, incident: Row) -> None:
        row = Incident.objects.get(pk=incident["id"])
        self.try_to(
            lambda: incidents.incident_resolve(
                incident=row, user=self.people.operations, note="Seen."
            )
        )

    def resend(self, message: Row) -> None:
        row = OutboxMessage.objects.get(pk=message["id"])
        self.try_to(lambda: operations.message_resend(message=row, user=self.people.operations))
