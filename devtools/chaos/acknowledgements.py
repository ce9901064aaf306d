"""Record every answer that the API gave: what the product has to live up to afterwards."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from devtools.chaos.plan import PlannedApplication, PlannedDecision


class State(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNANSWERED = "unanswered"  # unknown: every answer was lost until the run ended


@dataclass(frozen=True)
class Reply:
    state: State
    summary: str = ""


@dataclass
class AcknowledgedApplication:
    """The answers about one application. ``submitted_at`` is of the monotonic clock."""

    planned: PlannedApplication
    reference: str = ""
    submitted_at: float = 0.0
    submission: Reply | None = None
    decisions: dict[PlannedDecision, Reply] = field(default_factory=dict)
    decided_at: float = 0.0
    withdrawal: Reply | None = None

    @property
    def withdrawn(self) -> bool:
        return self.withdrawal is not None and self.withdrawal.state == State.ACKNOWLEDGED

    @property
    def next_decision(self) -> PlannedDecision | None:
        """Return the planned decision that comes next, ``None`` when none is left."""
        for decision in self.planned.decisions:
            reply = self.decisions.get(decision)
            if reply is None:
                return None if self.withdrawn else decision
            if reply.state != State.ACKNOWLEDGED:
                return None  # the decisions after it do not apply
        return None

    @property
    def complete(self) -> bool:
        """Return true when every planned request has an answer, or can have none."""
        if self.submission is None:
            return False
        if not self.reference:
            return True
        if self.planned.withdrawal is not None and self.withdrawal is None:
            return False
        return self.next_decision is None


class Acknowledgements:
    """All answers of a run.

    Each application is written by one thread at a time; the counters by any.
    """

    def __init__(self, applications: tuple[PlannedApplication, ...]) -> None:
        self.applications = {
            planned.external_id: AcknowledgedApplication(planned) for planned in applications
        }
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    @property
    def reply_count(self) -> int:
        """Return the number of answers so far."""
        return sum(
            (application.submission is not None)
            + len(application.decisions)
            + (application.withdrawal is not None)
            for application in self.applications.values()
        )

    @property
    def by_reference(self) -> dict[str, AcknowledgedApplication]:
        return {
            application.reference: application
            for application in self.applications.values()
            if application.reference
        }
