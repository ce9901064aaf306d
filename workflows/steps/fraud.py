"""Ask the fraud check, which answers a callback."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from applications.choices import Step, WaitingOn
from applications.services.attempts import Attempt, begin_step, log, save
from reviews.choices import TaskKind
from workflows import engine
from workflows.callbacks import pending
from workflows.db_threads import run_in_db_thread
from workflows.models import PendingCallback


@dataclass(frozen=True)
class Answered:
    """The verdict of the fraud check, taken from the record."""

    result: str


def request_fraud_check(
    attempt: Attempt, *, callback_id: str, number: int, timeout: int, after: TaskKind | None
) -> Answered | None:
    """Commit the row that expects the answer, then hand the callback to the fraud check.

    Nobody is asked again when the last try's answer is on record and merely did not reach the
    engine in time: then it is returned, for a flag must not get lost on the way.
    """
    until = timezone.now() + timedelta(seconds=timeout)
    name = f"fraud_check-{number}"

    @transaction.atomic
    def write() -> Answered | bool:
        if after is not None:
            pending.callbacks_settle(attempt)
        if number > 1 and not begin_step(attempt, name)[1]:
            answer = pending.callback_consume(attempt, f"fraud_check-{number - 1}")
            if answer is not None:
                return Answered(result=str(answer["result"]))
        if fraud_check_open(attempt, number=number, until=until):
            pending.callback_open(attempt, name=name, callback_id=callback_id, expires_at=until)
            return True
        return PendingCallback.objects.filter(
            execution__name=attempt.name, name=name, status=PendingCallback.Status.OPEN
        ).exists()

    written = run_in_db_thread(write)
    if isinstance(written, Answered):
        return written
    if written:
        engine.invoke_event(
            function=settings.FRAUD_CHECK_FUNCTION,
            payload={"application": attempt.reference, "callback_id": callback_id},
        )
    return None


def fraud_check_open(attempt: Attempt, *, number: int, until: datetime) -> bool:
    """Show that the fraud service is asked; false when this attempt has. Inside a transaction.

    Raises ``ApplicationClosed``.
    """
    application, seen = begin_step(attempt, f"fraud_check-{number}")
    if seen:
        return False
    application.current_step = Step.FRAUD_CHECK
    application.waiting_on = WaitingOn.FRAUD_SERVICE
    application.waiting_since = timezone.now()
    application.waiting_until = until
    again = "" if number == 1 else f" Try {number}: the last one was not answered."
    log(attempt, f"fraud_check-{number}", application, f"Fraud check requested.{again}")
    save(application)
    return True
