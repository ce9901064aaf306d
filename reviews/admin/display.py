"""Badges of review decisions."""

from django.utils.safestring import SafeString

from applications.admin.display import OUTCOME_TONES
from core.admin.display import badge
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS


def done_badge(kind: str, outcome: str) -> SafeString:
    """Return the badge that says what was done: "Approved", "Flag cleared"."""
    known = Outcome(outcome)
    return badge(REVIEW_KINDS[TaskKind(kind)].done[known].capitalize(), OUTCOME_TONES[known])


def late_badge() -> SafeString:
    """Return the badge of a decision that came too late to count."""
    return badge("Late, not applied", "wait")


def voided_badge() -> SafeString:
    """Return the badge of an approval that counts no more."""
    return badge("Voided, counts no more", "wait")
