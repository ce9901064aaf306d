"""Write and read what one person is notified of, and mark it as read.

Written beside the e-mails about the same (``workflows.outbox.splitting``), once for each key and
person. A notification about a task ends with the task, one about something else when it is closed.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.models import Action
from audit.services import entry_record
from core.database import insert_many_once
from reviews.choices import NotificationKind, TaskStatus
from reviews.models import Notification

KEPT_FOR = timedelta(days=90)
MOST = 100  # that are counted
LISTED = 50
NOT_OVER = Q(task__isnull=True) | Q(task__status=TaskStatus.OPEN)


class Content(NamedTuple):
    """The sentence of a notification, the page it leads to, and what it is about."""

    kind: NotificationKind
    sentence: str
    path: str
    task: int | None = None
    subject: str = ""


def notifications_add(*, key: str, content: Content, people: Collection[int]) -> None:
    """Notify people of the same; who has a notification of this key keeps it as it is."""
    rows = [
        Notification(
            user_id=person,
            kind=content.kind,
            key=f"{key}/{person}",
            sentence=content.sentence,
            path=content.path,
            task_id=content.task,
            subject=content.subject,
        )
        for person in people
    ]
    insert_many_once(rows, unique="key")


def notifications_unread(*, user: User) -> QuerySet[Notification]:
    """Select what a person has not read and what is not over."""
    return Notification.objects.filter(NOT_OVER, user=user, read_at__isnull=True)


def count_unread(*, user: User) -> int:
    """Count what a person has not read, up to ``MOST``, which stands for more too."""
    return notifications_unread(user=user).order_by()[:MOST].count()


def notifications_of(*, user: User) -> list[Notification]:
    """Return the newest notifications of a person, each with its task; one query."""
    return list(Notification.objects.filter(user=user).select_related("task")[:LISTED])


@transaction.atomic
def notifications_read(*, user: User, number: int | None = None) -> int:
    """Mark one of a person's own notifications as read, or all; returns how many were not."""
    rows = notifications_unread(user=user)
    chosen = rows if number is None else rows.filter(pk=number)
    keys = list(chosen.order_by("pk").values_list("pk", flat=True))
    unread = Notification.objects.filter(pk__in=keys, read_at__isnull=True)
    changed = unread.update(read_at=timezone.now()) if keys else 0
    if changed:
        entry_record(
            action=Action.CHANGED, message=f"Marked {changed} notifications as read.", actor=user
        )
    return changed


def notifications_close(*, subject: str) -> None:
    """Mark as read what is about something that is closed."""
    rows = Notification.objects.filter(subject=subject, read_at__isnull=True)
    # Said again as the index has it, so that the index is used.
    rows.exclude(subject="").update(read_at=timezone.now())


def notifications_forget(*, now: datetime, limit: int) -> int:
    """Mark as read what is over, and delete what is old; at most ``limit`` rows in all."""
    over = Notification.objects.filter(read_at__isnull=True).exclude(NOT_OVER)
    ended = list(over.order_by("pk").values_list("pk", flat=True)[:limit])
    Notification.objects.filter(pk__in=ended).update(read_at=now)
    old = Notification.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")
    found = list(old.values_list("pk", flat=True)[: limit - len(ended)])
    return len(ended) + Notification.objects.filter(pk__in=found).delete()[0]
