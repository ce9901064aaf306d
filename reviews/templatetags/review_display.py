"""How templates show the states of reviews."""

from django.utils.safestring import SafeString

from applications.admin import display
from core.admin import display as core_display
from core.templatetags.display import register
from reviews.admin import display as review_display
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision


@register.filter
def decision_badge(decision: ReviewDecision) -> SafeString:
    """What a person answered; never an outcome where it was not applied."""
    return review_display.late_badge() if decision.late else display.outcome_badge(decision.outcome)


@register.filter
def task_badge(status: str) -> SafeString:
    known = TaskStatus(status)
    return core_display.badge(known.label, "wait" if known == TaskStatus.OPEN else "quiet")
