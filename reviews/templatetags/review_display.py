"""Template filters for the statuses of reviews."""

from django import template
from django.utils.safestring import SafeString

from core.admin.display import badge
from reviews.admin.display import done_badge, late_badge, voided_badge
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask

register = template.Library()


@register.filter
def decision_badge(decision: ReviewDecision) -> SafeString:
    """Return the badge of a decision; one that does not count has a badge of its own."""
    if decision.voided_at is not None:
        return voided_badge()
    if decision.late:
        return late_badge()
    return done_badge(decision.task.kind, decision.outcome)


@register.filter
def task_badge(status: str) -> SafeString:
    known = TaskStatus(status)
    return badge(known.label, "wait" if known == TaskStatus.OPEN else "quiet")


@register.filter
def task_outcome_badge(task: ReviewTask) -> SafeString:
    return done_badge(task.kind, task.outcome)
