"""Badges of review decisions."""

from django.utils.safestring import SafeString

from core.admin.display import badge
from lending.choices import Outcome
from reviews.choices import TaskKind


def late_badge() -> SafeString:
    """Of a decision that is kept and counts for nothing."""
    return badge("Late, not applied", "wait")


def decision_words(kind: TaskKind) -> dict[Outcome, str]:
    """What the two buttons of a task say."""
    if kind == TaskKind.FRAUD_REVIEW:
        return {Outcome.APPROVE: "Clear the flag", Outcome.DECLINE: "Decline"}
    if kind == TaskKind.OFFER_ACCEPTANCE:
        return {Outcome.APPROVE: "Offer accepted", Outcome.DECLINE: "Offer declined"}
    return {Outcome.APPROVE: "Approve", Outcome.DECLINE: "Decline"}
