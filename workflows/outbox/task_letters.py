"""E-mails and notifications about a review task: who hears of it, and what it says to each."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import TextChoices
from django.utils import timezone

from audit.times import day, moment
from core.site_urls import site_url
from reviews.choices import NotificationKind, TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import Notification, ReviewDecision, ReviewTask
from reviews.services.authority import Facts
from reviews.services.deciders import Decider, office_now, people_above, people_to_ask
from reviews.services.mail_choices import next_digest
from reviews.services.notifications import Content
from reviews.services.second_approvals import SecondApproval, second_approval
from workflows.outbox.letters import Recipient, Weight, letter_to

PEOPLE = "/admin/auth/user/"
# Of many first approvals at once one e-mail warns each person; bell and list have the others.
WARNED_ONCE_IN = timedelta(hours=1)


class Notice(TextChoices):
    """Reason for an e-mail to deciders."""

    OPENED = "opened", "Opened"
    DUE = "due", "Due"
    ESCALATED = "escalated", "Escalated"


PREFIXES = {Notice.OPENED: "", Notice.DUE: "Reminder: ", Notice.ESCALATED: "Escalated: "}


class Hearing(NamedTuple):
    """The people who hear of a task now: those asked, and those warned of a scarce approval.

    ``second`` is set where it is scarce. ``administrators`` can end that, and decide nothing.
    """

    asked: tuple[Decider, ...]
    is_approved: bool = False  # by somebody, and takes another approval
    second: SecondApproval | None = None
    administrators: tuple[User, ...] = ()

    @property
    def warned(self) -> dict[int, User]:
        """The people who hear that the second approval is scarce, by primary key."""
        if self.second is None:
            return {}
        people = (*self.second.people, *self.second.senior, *self.administrators)
        return {person.pk: person for person in people}


def audience(payload: dict[str, Any]) -> list[Recipient] | None:
    """Return who hears of it; ``None`` for a letter to the applicant."""
    task = _task_of(payload)
    if task.status != TaskStatus.OPEN:
        return []
    if REVIEW_KINDS[TaskKind(task.kind)].applicant_mail is not None:
        return None
    now = timezone.now()
    hearing = _hearing(payload, task, now)
    asked = {each.person.pk for each in hearing.asked}
    warned = hearing.warned
    at_once = {*asked, *warned} if _is_urgent(payload, task, now) else _warned_anew(warned, task)
    return [
        Recipient(
            user=pk,
            weight=Weight.URGENT if pk in at_once else Weight.ROUTINE,
            content=_content(payload, task, hearing, warned.get(pk)),
        )
        for pk in sorted({*asked, *warned})
    ]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to the applicant or to one person; ``None`` when it is pointless by now."""
    task = _task_of(payload)
    if task.status != TaskStatus.OPEN:
        return None
    application, now = task.application, timezone.now()
    mail = REVIEW_KINDS[TaskKind(task.kind)].applicant_mail
    if mail is not None:
        facts = {"reference": application.reference, "last_day": day(task.expires_at)}
        return letter_to(application.email, mail.subject.format(**facts), mail.body.format(**facts))
    hearing = _hearing(payload, task, now)
    asked = {each.person.pk: each.person for each in hearing.asked}
    warned = hearing.warned.get(payload["user"])
    person = asked.get(payload["user"]) or warned
    if person is None:  # who cannot decide it any more is not asked
        return None
    subject = f"{PREFIXES[Notice(payload['notice'])]}{task.get_kind_display()}"
    lines = []
    if person.pk in asked:
        lines.append(_asks(payload, task, now))
    if warned is not None and hearing.second is not None:
        subject = NotificationKind.SCARCE_APPROVAL.label
        amount = f"{application.loan_amount:,.2f} {application.currency}"
        needs = "" if lines else f"{amount} takes two approvals. "
        lines.append(f"{needs}{hearing.second.sentence(warned)}")
    elif again := _counts_no_more(payload):
        lines.append(again)
    path = _path(task, hearing, person)
    return letter_to(
        person.email, f"{subject}: {application.reference}", "\n".join([*lines, site_url(path)])
    )


def _hearing(payload: dict[str, Any], task: ReviewTask, now: datetime) -> Hearing:
    application, office = task.application, office_now(now=now)
    facts = Facts(application, task)
    asked = people_to_ask(application=application, task=task, now=now, facts=facts, office=office)
    notice = Notice(payload["notice"])
    if notice == Notice.ESCALATED:
        asked = people_above(asked, task=task)
    if notice != Notice.OPENED:
        return Hearing(tuple(asked))
    second = second_approval(facts, now=now, office=office)
    is_approved = second is not None and second.first_given
    # By the first approval another letter was written, which says so.
    is_other = is_approved != ("next" in payload) and "again" not in payload
    if second is None or not second.is_scarce or is_other:
        return Hearing(tuple(asked), is_approved)
    # Of a task that nobody can decide at all the superusers are warned by its incident.
    is_news = second.is_impossible and task.undecidable_since is None
    superusers = User.objects.filter(is_active=True, is_superuser=True) if is_news else ()
    return Hearing(tuple(asked), is_approved, second, tuple(superusers))


def _is_urgent(payload: dict[str, Any], task: ReviewTask, now: datetime) -> bool:
    """Tell whether a digest is too late: a reminder, one sent back, or one that is due before."""
    is_reminder = Notice(payload["notice"]) != Notice.OPENED
    return is_reminder or "again" in payload or task.due_at <= next_digest(now)


def _warned_anew(warned: Collection[int], task: ReviewTask) -> set[int]:
    """Return those who were not warned of another task within ``WARNED_ONCE_IN``."""
    if not warned:
        return set()
    lately = Notification.objects.filter(
        user__in=warned,
        kind=NotificationKind.SCARCE_APPROVAL,
        created_at__gt=timezone.now() - WARNED_ONCE_IN,
    )
    return set(warned) - set(lately.exclude(task=task).values_list("user", flat=True))


def _content(
    payload: dict[str, Any], task: ReviewTask, hearing: Hearing, warned: User | None
) -> Content | None:
    """Return what one person is notified of, besides the list of their approvals."""
    reference = task.application.reference
    kind = said = None
    if warned is not None and hearing.second is not None:
        kind, said = NotificationKind.SCARCE_APPROVAL, hearing.second.sentence(warned)
    elif "again" in payload:
        kind, said = NotificationKind.SENT_BACK, _counts_no_more(payload)
    elif "next" in payload and hearing.is_approved:
        amount = f"{task.application.loan_amount:,.2f} {task.application.currency}"
        kind, said = NotificationKind.SECOND_APPROVAL, f"{amount} has its first approval."
    if kind is None:
        return None
    return Content(kind, f"{reference}: {said}", _path(task, hearing, warned), task=task.pk)


def _path(task: ReviewTask, hearing: Hearing, person: User | None) -> str:
    """Return the page that the person needs: the application, or the people who lack a role."""
    if person is not None and person in hearing.administrators:
        return PEOPLE
    return f"/admin/applications/loanapplication/{task.application_id}/change/"


def _asks(payload: dict[str, Any], task: ReviewTask, now: datetime) -> str:
    application = task.application
    sentences = {
        Notice.OPENED: f"Due {moment(task.due_at)}, expires {moment(task.expires_at)}.",
        Notice.DUE: (
            f"It is due since {moment(task.due_at)} and expires {moment(task.expires_at)}."
        ),
        Notice.ESCALATED: (
            "Half of the time to decide is over. It expires in "
            f"{_span(task.expires_at - now)}, {moment(task.expires_at)}."
        ),
    }
    return (
        f"{application.loan_amount:,.2f} {application.currency} waits for a "
        f"{application.get_waiting_on_display().lower()}. {sentences[Notice(payload['notice'])]}"
    )


def _counts_no_more(payload: dict[str, Any]) -> str:
    """Return why an approval was voided, for which the task is asked again; else nothing."""
    if "again" not in payload:
        return ""
    why = ReviewDecision.objects.filter(pk=payload["again"]).values_list("voided_because")
    return f"An approval counts no more. {why.get()[0]}"


def _task_of(payload: dict[str, Any]) -> ReviewTask:
    rows = ReviewTask.objects.select_related("application__policy")
    return rows.get(pk=payload["task"])


def _span(left: timedelta) -> str:
    hours = max(0, round(left.total_seconds() / 3600))
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return f"{hours} hour{'' if hours == 1 else 's'}"
