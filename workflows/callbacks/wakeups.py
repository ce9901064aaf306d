"""Compare the answer that the engine reports with the record: to a step it is only a wake-up.

Whoever can reach the engine can answer a callback, so an answer there proves nothing.
"""

from dataclasses import dataclass

from applications.choices import FraudVerdict
from applications.models import LoanApplication
from applications.services.attempts import Attempt
from lending.choices import Outcome
from reviews.choices import TaskKind
from workflows.callbacks.pending import EXPIRED, callbacks_settle
from workflows.errors import AnswerDiffers
from workflows.incidents import incident_open
from workflows.models import Incident, PendingCallback

KNOWN = frozenset({*Outcome.values, *FraudVerdict.values, EXPIRED})


@dataclass(frozen=True)
class WakeUp:
    """The end of one wait, as the engine reports it. ``said`` is empty if it is no answer."""

    name: str  # of the callback's operation
    callback_id: str
    kind: TaskKind | None  # ``None``: the fraud check
    said: str

    @property
    def quoted(self) -> str:
        """Return what was said, for people; an unknown answer is not repeated to them."""
        return f"“{self.said}”" if self.said in KNOWN else "something that is no answer"

    @property
    def subject(self) -> str:
        return "The fraud check" if self.kind is None else self.kind.label


def wakeup_settle(attempt: Attempt, application: LoanApplication, wakeup: WakeUp) -> bool:
    """Mark the recorded answer as delivered; false when there is none on record.

    Then it opens an incident: somebody answered the engine past this office. Raises
    ``AnswerDiffers`` when another answer is on record. The application must be locked.
    """
    callback = PendingCallback.objects.filter(callback_id=wakeup.callback_id).first()
    answer = None if callback is None else callback.answer
    if answer is None:
        incident_open(
            kind=Incident.Kind.ANSWER_DIFFERS,
            key=f"answer/{attempt.name}/{wakeup.name}",
            application=application,
            execution=None if callback is None else callback.execution,
            sentence=(
                f"The engine reports that {wakeup.subject.lower()} of {attempt.reference} was "
                f"answered with {wakeup.quoted}, but no answer is on record: somebody answered "
                "past this office. It was not applied, and the workflow waits for the real "
                "answer. Find out who can reach the engine."
            ),
        )
        return False
    recorded = str(answer.get("outcome") or answer.get("result"))
    if recorded != wakeup.said:
        raise AnswerDiffers(
            reference=attempt.reference,
            subject=wakeup.subject,
            reported=wakeup.quoted,
            recorded=recorded,
        )
    if callback is not None and callback.status == PendingCallback.Status.ANSWERED:
        callbacks_settle(attempt)
    return True
