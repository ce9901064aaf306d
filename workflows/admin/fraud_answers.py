"""Read what the fraud check said about an application, for those who look at its flag."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from applications.choices import FraudVerdict
from applications.models import ApplicationEvent
from workflows.models import Execution


@dataclass(frozen=True)
class FraudAnswer:
    """One answer: its verdict, and the score and reasons that came with it, if any."""

    verdict: FraudVerdict
    at: datetime
    score: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        return "bad" if self.verdict == FraudVerdict.FLAGGED else "good"


def fraud_answers(
    events: Iterable[ApplicationEvent], executions: Iterable[Execution]
) -> list[FraudAnswer]:
    """Return the answers, the oldest first: a vendor's, else those of the check in use."""
    told = [
        FraudAnswer(
            verdict=FraudVerdict(event.data["verdict"]),
            at=event.at,
            score=event.data.get("score"),
            reasons=tuple(event.data.get("reasons") or ()),
        )
        for event in events
        if event.kind == "fraud_answered"
    ]
    if told:
        return told
    answered = [
        FraudAnswer(verdict=FraudVerdict(answer["result"]), at=callback.answered_at)
        for execution in executions
        for callback in execution.callbacks.all()
        if callback.answered_at is not None and "result" in (answer := callback.answer or {})
    ]
    return sorted(answered, key=lambda answer: answer.at)
