"""Record the fraud vendor's requests at the callback endpoint, each once.

Lock order: application, then callback, then the rows that are written. Nothing here calls the
engine inside a transaction: an answer is sent through the outbox, and a heartbeat, which has no
value later, is sent at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from applications.choices import FraudVerdict, Level
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.timeline import event_record
from audit.models import Action
from audit.services import entry_record
from core.locking import locked, locked_if_free
from workflows import engine
from workflows.callbacks import pending
from workflows.callbacks.pending import CallbackReceipt
from workflows.callbacks.tokens import Named
from workflows.errors import CallbackClosed, EngineUnavailable, NotFound
from workflows.models import CallbackRequest, PendingCallback

VENDOR = "fraud vendor"
# A signature is valid for five minutes before and after its time, so ten minutes would be enough;
# an hour allows for a wrong clock on our side.
KEPT = timedelta(hours=1)

type Outcome = CallbackRequest.Outcome

OUTCOMES = {
    CallbackReceipt.COUNTED: CallbackRequest.Outcome.ACCEPTED,
    CallbackReceipt.REPEATED: CallbackRequest.Outcome.ACCEPTED,
    CallbackReceipt.CONTRADICTED: CallbackRequest.Outcome.CONTRADICTED,
    CallbackReceipt.LATE: CallbackRequest.Outcome.LATE,
}
NOTES = {  # added to the message of the timeline entry
    CallbackReceipt.COUNTED: "",
    CallbackReceipt.CONTRADICTED: " It had said otherwise before; the first answer stands.",
    CallbackReceipt.LATE: " Nobody waited for it any more; it was not applied.",
}


@dataclass(frozen=True)
class Signed:
    """A signed request: its callback, its identifier and the hash of its body."""

    to: Named
    identifier: str
    digest: str


@dataclass(frozen=True)
class Verdict:
    """The vendor's verdict and reason; only the verdict goes into the workflow."""

    verdict: FraudVerdict
    score: int | None = None
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"The fraud vendor answered: {self.verdict.value}."]
        if self.score is not None:
            parts.append(f"Score: {self.score}.")
        if self.reasons:
            parts.append(f"Reasons: {'; '.join(self.reasons)}.")
        return " ".join(parts)


class IdentifierReused(Exception):
    """The identifier belongs to another request that came before."""


def answer_take(*, signed: Signed, verdict: Verdict) -> Outcome:
    """Record an answer once; the first one counts and is sent through the outbox.

    An answer that differs from the first opens an incident; one that nothing waits for is recorded
    as late.
    Raises ``IdentifierReused``.
    """

    def write(application: LoanApplication, callback: PendingCallback) -> Outcome:
        receipt = pending.callback_receive(
            callback_id=callback.callback_id, answer={"result": verdict.verdict.value}
        )
        if receipt != CallbackReceipt.REPEATED:
            _note(
                application,
                is_on_timeline=receipt == CallbackReceipt.LATE,
                kind="fraud_answered",
                message=f"{verdict}{NOTES[receipt]}",
                is_warning=receipt != CallbackReceipt.COUNTED
                or verdict.verdict == FraudVerdict.FLAGGED,
                callback=callback,
                verdict=verdict.verdict.value,
                score=verdict.score,
                reasons=list(verdict.reasons),
                webhook_id=signed.identifier,
            )
        return OUTCOMES[receipt]

    return _once(signed, write)


def failure_take(*, signed: Signed, message: str) -> Outcome:
    """Record that the vendor could not check.

    It may still answer; when the wait is over it is asked again. A failure is not sent to the
    engine as an answer: the engine would ask again at once, and a vendor with a fault would use
    up every attempt within a minute. Raises ``IdentifierReused``.
    """

    def write(application: LoanApplication, callback: PendingCallback) -> Outcome:
        waited_for = callback.status == PendingCallback.Status.OPEN
        then = "It is asked again when the wait is over." if waited_for else "Nobody waited for it."
        _note(
            application,
            kind="fraud_vendor_failed",
            message=f"The fraud vendor could not check: {message.rstrip('.')}. {then}",
            is_warning=True,
            callback=callback,
            webhook_id=signed.identifier,
        )
        return CallbackRequest.Outcome.ACCEPTED if waited_for else CallbackRequest.Outcome.CLOSED

    return _once(signed, write)


def heartbeat_take(*, signed: Signed) -> Outcome:
    """Send a heartbeat to the engine, so that it goes on waiting for the vendor.

    Raises ``IdentifierReused``, and ``EngineUnavailable`` when the engine cannot be reached: then
    nothing is written, and the vendor's next heartbeat does it.
    """
    seen = CallbackRequest.objects.filter(identifier=signed.identifier).first()
    if seen is not None:
        return _as_before(seen, signed)
    outcome = _beat(signed.to)
    row, _ = CallbackRequest.objects.get_or_create(
        identifier=signed.identifier,
        defaults={
            "callback_id": signed.to.callback,
            "digest": signed.digest,
            "outcome": outcome,
        },
    )
    return _as_before(row, signed)


def callback_requests_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` requests whose signatures are no longer valid. For the sweep."""
    old = CallbackRequest.objects.filter(received_at__lte=now - KEPT)
    if not old.exists():  # takes no lock: mostly there is nothing to delete
        return 0
    with transaction.atomic():
        found = list(locked_if_free(old).values_list("pk", flat=True)[:limit])
        CallbackRequest.objects.filter(pk__in=found).delete()
    return len(found)


def _beat(to: Named) -> Outcome:
    rows = PendingCallback.objects.filter(pk=to.callback, status=PendingCallback.Status.OPEN)
    if not rows.exists():
        return CallbackRequest.Outcome.CLOSED
    if engine.is_circuit_open():
        raise EngineUnavailable("the engine could not be reached a moment ago")
    try:
        engine.callback_heartbeat(callback_id=to.callback_id)
    except (CallbackClosed, NotFound):  # it stopped waiting, and our row does not show it yet
        return CallbackRequest.Outcome.CLOSED
    return CallbackRequest.Outcome.ACCEPTED


@transaction.atomic
def _once(signed: Signed, write: Callable[[LoanApplication, PendingCallback], Outcome]) -> Outcome:
    """Handle a request once and return its outcome; a repeated one returns the first outcome."""
    application = application_lock(signed.to.reference)
    callback = locked(PendingCallback.objects.all()).get(pk=signed.to.callback)
    row, is_new = CallbackRequest.objects.get_or_create(
        identifier=signed.identifier,
        defaults={"callback": callback, "digest": signed.digest},
    )
    if not is_new:
        return _as_before(row, signed)
    outcome = write(application, callback)
    CallbackRequest.objects.filter(pk=row.pk).update(outcome=outcome)
    return outcome


def _as_before(row: CallbackRequest, signed: Signed) -> Outcome:
    if (row.callback_id, row.digest) != (signed.to.callback, signed.digest):
        raise IdentifierReused
    return CallbackRequest.Outcome(row.outcome)


def _note(
    application: LoanApplication,
    *,
    kind: str,
    message: str,
    is_warning: bool,
    callback: PendingCallback,
    is_on_timeline: bool = False,
    **data: Any,
) -> None:
    """Write to the timeline, for staff, and to the audit log under the vendor's name."""
    if not is_on_timeline:
        event_record(
            application=application,
            kind=kind,
            message=message,
            level=Level.WARNING if is_warning else Level.INFO,
            is_internal=True,
            data={"callback": callback.name, "who": VENDOR, **data},
        )
    entry_record(
        action=Action.DECIDED if kind == "fraud_answered" else Action.CHANGED,
        message=message,
        who=VENDOR,
        target=application,
        reference=application.reference,
        details={"event": kind, "callback": callback.name, **data},
    )
