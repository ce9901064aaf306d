"""Read review tasks and decisions."""

from django.contrib.auth.models import User

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskStatus
from reviews.errors import NothingToDecide
from reviews.kinds import STAFF_KINDS
from reviews.models import ReviewDecision, ReviewTask


def task_to_decide(*, reference: str) -> ReviewTask:
    """Return the staff task that a decision on the application belongs to.

    This is the open task, or else the one opened last, so that the error of deciding it reports
    its result. Raises ``LoanApplication.DoesNotExist``, and ``NothingToDecide`` when there never
    was a task.
    """
    application = LoanApplication.objects.only("reference", "status").get(reference=reference)
    tasks = list(
        ReviewTask.objects.filter(application=application, kind__in=STAFF_KINDS)
        .select_related("application")
        .order_by("opened_at", "id")
    )
    if not tasks:
        raise NothingToDecide(reference=application.reference, status=application.status)
    return next((task for task in tasks if task.status == TaskStatus.OPEN), tasks[-1])


def answered_alike(*, task: ReviewTask, user: User, outcome: Outcome) -> bool:
    """True if this person gave this task the same outcome before, and in time."""
    return ReviewDecision.objects.filter(
        task=task, decided_by=user, outcome=outcome, late=False
    ).exists()
