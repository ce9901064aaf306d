"""Ask the fraud check, which answers a callback."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from applications.choices import Step, WaitingOn
from applications.models import LoanApplication
from applications.services.attempts import Attempt, log, save
from audit.tracing import request_id
from core.traces import spans
from workflows import engine
from workflows.callbacks import pending
from workflows.callbacks.wakeups import WakeUp
from workflows.db_threads import run_in_db_thread
from workflows.funding_requirements import BEFORE_FRAUD_CHECK
from workflows.models import PendingCallback
from workflows.steps.checked import Missing, begin_checked


@dataclass(frozen=True)
class Answered:
    """The verdict of the fraud check, taken from the record."""

    result: str


def request_fraud_check(
    attempt: Attempt, *, callback_id: str, number: int, timeout: int, wakeup: WakeUp | None
) -> Answered | Missing | None:
    """Commit the row that expects the answer, then hand the callback to the fraud check.

    ``wakeup`` is the end of the wait just before, if it was for a person. Nobody is asked again
    when the last try's answer is on record and merely did not reach the engine in time: then it
    is returned, for a flag must not get lost on the way.
    """
    until = timezone.now() + timedelta(seconds=timeout)
    opened = run_in_db_thread(
        lambda: fraud_check_open(
            attempt, callback_id=callback_id, number=number, until=until, wakeup=wakeup
        )
    )
    if isinstance(opened, Answered | Missing):
        return opened
    if opened:
        engine.invoke_event(
            function=settings.FRAUD_CHECK_FUNCTION,
            payload={
                "application": attempt.reference,
                "callback_id": callback_id,
                **({"traceparent": spans.traceparent()} if spans.is_on() else {}),
                "execution": attempt.name,
                "request_id": request_id.get(),
            },
        )
    return None


@transaction.atomic(savepoint=False)
def fraud_check_open(
    attempt: Attempt,
    *,
    callback_id: str,
    number: int,
    until: datetime,
    wakeup: WakeUp | None = None,
) -> Answered | Missing | bool:
    """Show that the fraud service is asked, and expect its answer.

    False when the answer is not expected any more. Raises ``ApplicationClosed`` and what
    ``begin_checked`` raises.
    """
    name = f"fraud_check-{number}"
    begun = begin_checked(
        attempt,
        operation=f"request_{name}",
        work=name,
        wakeup=wakeup,
        needs=BEFORE_FRAUD_CHECK if wakeup is not None else frozenset(),
    )
    if begun.missing is not None:
        return begun.missing
    if begun.seen:
        return PendingCallback.objects.filter(
            execution__name=attempt.name, name=name, status=PendingCallback.Status.OPEN
        ).exists()
    answer = pending.fraud_answer_consume(attempt) if number > 1 else None
    if answer is not None:
        return Answered(result=str(answer["result"]))
    _show(attempt, begun.application, number=number, until=until)
    pending.callback_open(attempt, name=name, callback_id=callback_id, expires_at=until)
    return True


def _show(attempt: Attempt, application: LoanApplication, *, number: int, until: datetime) -> None:
    application.current_step = Step.FRAUD_CHECK
    application.waiting_on = WaitingOn.FRAUD_SERVICE
    application.waiting_since = timezone.now()
    application.waiting_until = until
    again = "" if number == 1 else f" Try {number}: the last one was not answered."
    log(attempt, f"fraud_check-{number}", application, f"Fraud check requested.{again}")
    save(application)
