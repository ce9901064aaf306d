"""Cancel the open questions of tasks that are closed, and of approvals by who asked.

Below ``tasks`` and ``answers``, which close tasks. ``ReviewTask.sent_back_at`` tells of a locked
task whether it has an open question, so that a decision without one costs no statement more. The
caller holds the locks.
"""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User

from reviews.choices import RequestStatus
from reviews.models import InformationRequest, ReviewTask
from reviews.services.notifications import notifications_close


def requests_cancel(*, now: datetime, **of: object) -> None:
    """Cancel the open questions that ``of`` selects, in one statement.

    The caller writes ``sent_back_at`` of their tasks.
    """
    rows = InformationRequest.objects.filter(status=RequestStatus.OPEN, **of)
    rows.update(status=RequestStatus.CANCELLED, cancelled_at=now)


def requests_cancel_of(*, tasks: Collection[ReviewTask], now: datetime) -> None:
    """Cancel the open questions of locked tasks that are closed; no statement without one."""
    if asked := [task.pk for task in tasks if task.sent_back_at is not None]:
        requests_cancel(now=now, task__in=asked)


def requests_cancel_by(*, asker: User | None, tasks: Collection[ReviewTask], now: datetime) -> None:
    """Cancel the open questions of one person about locked tasks that stay open."""
    sent_back = [task.pk for task in tasks if task.sent_back_at is not None]
    if not sent_back:
        return
    still_open = InformationRequest.objects.filter(status=RequestStatus.OPEN)
    theirs = list(still_open.filter(task__in=sent_back, asked_by=asker))
    requests_cancel(now=now, pk__in=[request.pk for request in theirs])
    open_no_more = {request.task_id for request in theirs}
    ReviewTask.objects.filter(pk__in=open_no_more).update(sent_back_at=None)
    for request in theirs:  # of a task that is closed they are over by themselves
        notifications_close(subject=subject_of(request))
    for task in tasks:
        if task.pk in open_no_more:
            task.sent_back_at = None


def subject_of(request: InformationRequest) -> str:
    """Return what the notification to those who are asked to answer is about."""
    return f"information/{request.pk}"
