"""What the outside was told: the acknowledgements that the product must live up to."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from devtools.chaos.plan import PlannedApplication, PlannedDecision


class State(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNANSWERED = "unanswered"  # nobody knows: every answer was lost until the time was over


@dataclass(frozen=True)
class Reply:
    state: State
    said: str = ""


@dataclass
class CaseTold:
    """One application. ``submitted_at`` is of the monotonic clock."""

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
        """The decision that is to be made next, ``None`` when none is left to be made."""
        for decision in self.planned.decisions:
            reply = self.decisions.get(decision)
            if reply is None:
                return None if self.withdrawn else decision
            if reply.state != State.ACKNOWLEDGED:
                return None  # what was to follow has no ground any more
        return None

    @property
    def complete(self) -> bool:
        """Everything that was planned has an answer, or can have none."""
        if self.submission is None:
            return False
        if not self.reference:
            return True
        if self.planned.withdrawal is not None and self.withdrawal is None:
            return False
        return self.next_decision is None


class Told:
    """All of a run. A case is written by one thread at a time; the counters by any."""

    def __init__(self, applications: tuple[PlannedApplication, ...]) -> None:
        self.cases = {planned.external_id: CaseTold(planned) for planned in applications}
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    @property
    def heard(self) -> int:
        """How many answers there are by now."""
        return sum(
            (case.submission is not None) + len(case.decisions) + (case.withdrawal is not None)
            for case in self.cases.values()
        )

    @property
    def by_reference(self) -> dict[str, CaseTold]:
        return {case.reference: case for case in self.cases.values() if case.reference}
