"""Write one e-mail a day for each person who chose a digest: what waits for them and what is new.

The sweep's job goes through the people once a day, from ``DIGEST_HOUR`` of the office's clocks on.
It keeps in ``PeriodicRun.place`` how far it came, and the outbox takes a message of a person and a
day once, so that another sweep or a death in between writes none twice. Loaded where accounts are
installed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import proposals
from accounts.models import Proposal
from audit.times import day as day_of
from audit.times import moment
from core.site_urls import site_url
from reviews.choices import NotificationKind
from reviews.kinds import STAFF_KINDS
from reviews.models import Notification, ReviewTask
from reviews.services.decisions import tasks_waiting_on
from reviews.services.mail_choices import digest_at, people_with_digest
from reviews.services.notifications import MOST, notifications_unread
from workflows import sweep
from workflows.models import OutboxMessage, PeriodicRun
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to

NAME = "write_digests"
EVERY = timedelta(minutes=5)
FOR = 2.0  # seconds of one sweep
FIRST = 10  # of each kind that a digest names
# Of the rest the e-mail came at once, or what waits is said of itself.
GATHERED = (NotificationKind.PROPOSAL_CLOSED, NotificationKind.MENTION)
MY_APPROVALS = "/admin/reviews/reviewtask/?mine=yes"
NOTIFICATIONS = "/admin/notifications/"


@dataclass(frozen=True)
class Digest:
    """The work that waits for one person, and what is new of which no e-mail came at once."""

    tasks: Sequence[ReviewTask]  # the first that are due
    waiting: int  # ``MOST`` stands for more, too
    overdue: int
    proposals: Sequence[Proposal]
    notifications: Sequence[Notification]

    @property
    def says_something(self) -> bool:
        return bool(self.tasks or self.proposals or self.notifications)


def digests_write(*, now: datetime, seconds: float = FOR) -> dict[str, Any]:
    """Write the digests of the office's day that are not written, and go on the next time.

    Begins no other person after so many seconds. Returns the ``day`` once all are done, and how
    many ``people`` were looked at and digests ``written``.
    """
    run = PeriodicRun.objects.get(name=NAME)
    day = timezone.localdate(now)
    if now < digest_at(day) or run.result.get("day") == day.isoformat():
        return {**run.result, "people": 0, "written": 0}
    ends_at = time.monotonic() + seconds
    after = run.place.get("after", 0) if run.place.get("day") == day.isoformat() else 0
    people = list(people_with_digest().filter(pk__gt=after).order_by("pk"))
    looked_at = written = 0
    for person in people:
        if looked_at and time.monotonic() >= ends_at:
            return {"people": looked_at, "written": written}
        written += _write(person, day, now)
        looked_at += 1
    PeriodicRun.objects.filter(name=NAME).update(place={})
    return {"day": day.isoformat(), "people": looked_at, "written": written}


@transaction.atomic
def _write(person: User, day: date, now: datetime) -> bool:
    """Queue the digest of one person, unless there is nothing to say, and note that it is done."""
    key = f"digest/{person.pk}/{day.isoformat()}"
    new = notifications_unread(user=person).filter(kind__in=GATHERED, digest_on__isnull=True)
    says_something = not OutboxMessage.objects.filter(key=key).exists() and (
        digest_of(person=person, notifications=new, now=now).says_something
    )
    if says_something:
        chosen = list(new.values_list("pk", flat=True))
        Notification.objects.filter(pk__in=chosen).update(digest_on=day)
        queue.put(
            kind=OutboxMessage.Kind.EMAIL,
            key=key,
            payload={"digest": day.isoformat(), "user": person.pk},
        )
    place = {"day": day.isoformat(), "after": person.pk}
    PeriodicRun.objects.filter(name=NAME).update(place=place)
    return says_something


def digest_of(*, person: User, notifications: QuerySet[Notification], now: datetime) -> Digest:
    """Read what a digest says; at most eight queries, whatever waits."""
    waiting = tasks_waiting_on(
        user=person, now=now, among=ReviewTask.objects.filter(kind__in=STAFF_KINDS)
    )
    tasks = list(waiting.select_related("application").order_by("due_at", "pk")[:FIRST])
    is_all = len(tasks) < FIRST
    overdue = waiting.filter(due_at__lte=now)
    return Digest(
        tasks=tasks,
        waiting=len(tasks) if is_all else waiting.order_by()[:MOST].count(),
        overdue=overdue.order_by()[:MOST].count() if tasks and tasks[0].due_at <= now else 0,
        proposals=proposals.proposals_waiting_on(person),
        notifications=list(notifications.order_by("-pk")[:FIRST]),
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return whose digest it is; its message has them as ``user``."""
    return [Recipient(payload["user"], Weight.ALWAYS)]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The digest as things are now; ``None`` when nothing is to be said any more."""
    person = people_with_digest().filter(pk=payload["user"]).first()
    if person is None:
        return None
    day, now = date.fromisoformat(payload["digest"]), timezone.now()
    news = notifications_unread(user=person).filter(digest_on=day)
    digest = digest_of(person=person, notifications=news, now=now)
    if not digest.says_something:
        return None
    parts = [_tasks(digest), _proposals(digest), _news(digest)]
    choose = f"Which e-mails you get, you choose here: {site_url(NOTIFICATIONS)}"
    body = "\n\n".join([*filter(None, parts), choose])
    return letter_to(person.email, f"Loan Office: your digest of {day_of(day)}", body)


def _tasks(digest: Digest) -> str:
    if not digest.tasks:
        return ""
    number = f"{MOST - 1}+" if digest.waiting >= MOST else str(digest.waiting)
    wait = "decision waits" if digest.waiting == 1 else "decisions wait"
    late = f", {digest.overdue} overdue" if digest.overdue else ""
    lines = [f"{number} {wait} for you{late}. Due first:"]
    for task in digest.tasks:
        application = task.application
        amount = f"{application.loan_amount:,.2f} {application.currency}"
        lines.append(
            f"- {application.reference}, {task.get_kind_display().lower()}, {amount}, "
            f"due {moment(task.due_at)}"
        )
        lines.append(
            "  " + site_url(f"/admin/applications/loanapplication/{application.pk}/change/")
        )
    lines.append(f"All of them: {site_url(MY_APPROVALS)}")
    return "\n".join(lines)


def _proposals(digest: Digest) -> str:
    if not digest.proposals:
        return ""
    lines = ["You may confirm or reject:"]
    for proposal in digest.proposals[:FIRST]:
        lines.append(f"- {proposal.title}")
        lines.append("  " + site_url(f"/admin/accounts/proposal/{proposal.pk}/change/"))
    return "\n".join(lines)


def _news(digest: Digest) -> str:
    if not digest.notifications:
        return ""
    lines = ["New since your last digest:"]
    for each in digest.notifications:
        lines.append(f"- {each.get_kind_display()}: {each.sentence}")
        lines.append("  " + site_url(each.path))
    return "\n".join(lines)


def _job() -> dict[str, Any]:
    return digests_write(now=timezone.now())


LETTERS["digest"] = Letter(audience, build_email)
sweep.register(NAME, EVERY, _job)
