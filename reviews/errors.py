"""Errors of review tasks, decisions, claims and delegations."""

from datetime import datetime

from applications.choices import Status
from audit import times
from core.errors import DomainError, InvalidFields, NotPermitted


class FourEyesViolation(NotPermitted):
    """The decider created, submitted or last edited the application."""

    code = "four-eyes"
    title = "Someone else has to decide"

    def __init__(self, *, reference: str, did: str, who: str = "You") -> None:
        super().__init__(f"{who} {did} {reference}, so someone else has to decide it.")


class AboveCeiling(NotPermitted):
    code = "above-ceiling"
    title = "This decision takes a higher role"

    def __init__(self, *, reference: str, role: str, ceiling: str, needed: str) -> None:
        """Build the message. ``ceiling`` is empty for an amount within it.

        Such an amount is refused only for an approval after the first, which they may not give.
        """
        super().__init__(
            f"{reference} is above the {role} ceiling of {ceiling}; a {needed} decides it."
            if ceiling
            else f"{reference} has an approval already; a {needed} gives the next one."
        )


class NothingToDecide(DomainError):
    code = "nothing-to-decide"
    title = "Nothing is waiting for this decision"

    def __init__(self, *, reference: str, status: str) -> None:
        super().__init__(
            f"{reference} is {Status(status).label.lower()} and is not waiting for this decision."
        )


class AlreadyDecided(DomainError):
    """The task is decided. ``decided_by`` is for staff; the API leaves it out for partners."""

    code = "already-decided"
    title = "Already decided"

    def __init__(self, *, reference: str, outcome: str, decided_by: str, at: datetime) -> None:
        self.outcome, self.decided_by, self.at = outcome, decided_by, at
        super().__init__(
            f"{reference} was already decided ({outcome}) by {decided_by} at {times.instant(at)}."
        )

    def for_partners(self) -> str:
        at = times.for_programs(self.at)
        return f"It was decided already ({self.outcome}) at {at}."


class ClaimedBySomebodyElse(DomainError):
    """Another person has claimed the task. ``claimed_by`` is for staff."""

    code = "claimed"
    title = "Somebody else is on it"

    def __init__(
        self, *, reference: str, claimed_by: str, since: datetime, until: datetime
    ) -> None:
        self.claimed_by, self.since, self.until = claimed_by, since, until
        super().__init__(
            f"{reference} is claimed by {claimed_by} since {times.hour(since)}, "
            f"until {times.hour(until)} at most; they decide it or release it."
        )


class DecisionExpired(DomainError):
    """The decision came too late. It is stored and shown as late, and is not applied."""

    code = "decision-expired"
    title = "The time to decide is over"

    def __init__(self, *, reference: str, at: datetime) -> None:
        self.reference, self.at = reference, at
        super().__init__(self._until(times.moment(at)))

    def for_partners(self) -> str:
        return self._until(times.for_programs(self.at))

    def _until(self, at: str) -> str:
        return (
            f"{self.reference} could be decided until {at}; "
            "a decision after that is kept as late and was not applied."
        )


class QuestionOpen(DomainError):
    """The task was sent back already, and the question has no answer yet."""

    code = "question-open"
    title = "It is sent back already"

    def __init__(self, *, reference: str, asked_by: str, since: datetime) -> None:
        super().__init__(
            f"{reference} was sent back by {asked_by} at {times.instant(since)}, and waits for the "
            "answer."
        )


class QuestionAnswered(DomainError):
    code = "question-answered"
    title = "The question is answered already"

    def __init__(self, *, reference: str, answered_by: str, at: datetime) -> None:
        super().__init__(
            f"The question about {reference} was already answered by {answered_by} at "
            f"{times.instant(at)}; your answer was not stored."
        )


class QuestionCancelled(DomainError):
    """The task was closed, or who asked approved it, before there was an answer."""

    code = "question-cancelled"
    title = "The question needs no answer any more"

    def __init__(self, *, reference: str, at: datetime) -> None:
        super().__init__(
            f"The question about {reference} ended at {times.instant(at)}, by a decision or with "
            "its review; your answer was not stored."
        )


class StaleOffer(DomainError):
    code = "stale-offer"
    title = "This is not the current offer"

    def __init__(self, *, reference: str, current: str) -> None:
        self.current = current
        super().__init__(f"The offer of {reference} is {current} now; read it again, then answer.")


class ReasonRequired(DomainError):
    code = "reason-required"
    title = "A reason is required"
    http_status = 400

    def __init__(self, *, reference: str, why: str = "A reason is required to decline.") -> None:
        self.errors = {"reason": [why]}
        super().__init__(f"A reason is required to decline {reference}.")


class UnknownReason(DomainError):
    """The catalogue has no such reason, or it is retired, or it does not fit the review kind."""

    code = "unknown-reason"
    title = "The reason is not in the catalogue"
    http_status = 400

    def __init__(self, *, reference: str, reason_code: str, why: str) -> None:
        self.errors = {"reason_code": [why]}
        super().__init__(f"{reference} cannot be declined for {reason_code}: {why}")


class InvalidDelegation(InvalidFields):
    """Field errors of a delegation that is not kept."""

    code = "invalid-delegation"
    title = "The delegation is not valid"
