"""Read review tasks and decisions."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.rights import permissions_named
from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.choices import RequestStatus, TaskStatus
from reviews.errors import NothingToDecide
from reviews.kinds import STAFF_KINDS
from reviews.models import InformationRequest, ReviewDecision, ReviewTask

# The decisions that count. Any other is kept and shown, and settles nothing.
COUNTED = Q(late=False, voided_at__isnull=True)
# Who may edit applications may answer the questions about them.
ANSWER = "applications.change_loanapplication"
VERSION_NOW = F("task__application__version")
# Age groups of open tasks: the upper bound, and its label.
AGES: Sequence[tuple[timedelta | None, str]] = (
    (timedelta(hours=4), "Under 4 hours"),
    (timedelta(days=1), "4 to 24 hours"),
    (timedelta(days=3), "1 to 3 days"),
    (timedelta(days=7), "3 to 7 days"),
    (None, "Over 7 days"),
)


def of_age(place: int, *, now: datetime) -> Q:
    """Return a filter of the tasks in the age group at ``place`` of ``AGES``."""
    condition = Q(pk__isnull=False)
    if place and (younger := AGES[place - 1][0]):
        condition &= Q(opened_at__lte=now - younger)
    if limit := AGES[place][0]:
        condition &= Q(opened_at__gt=now - limit)
    return condition


def given_by(user: User, *, since: datetime) -> Q:
    """Return a filter of what ``user`` decided since then, also what counts no more."""
    return Q(decided_by=user, decided_at__gte=since)


def asked_again() -> Exists:
    """Return a condition on applications: an open task has an approval that was voided."""
    return Exists(
        ReviewDecision.objects.filter(
            task__application=OuterRef("pk"),
            task__status=TaskStatus.OPEN,
            voided_at__isnull=False,
        )
    )


def sent_back() -> Q:
    """Return a condition on applications: a question about them waits for an answer."""
    return Q(pk__in=_tasks_sent_back().values("application"))


def to_answer(user: User) -> Q:
    """Return a condition on applications: ``user`` is asked to answer a question about them.

    Who submitted it, and everybody who may answer where the submitter may not. The same rule as
    ``services.information.people_to_answer``, for many questions.
    """
    if not user.has_perm(ANSWER):
        return Q(pk__in=())
    able = User.objects.filter(
        is_active=True, is_staff=True, groups__permissions__in=permissions_named({ANSWER})
    )
    own = InformationRequest.objects.filter(
        task=OuterRef("pk"), status=RequestStatus.OPEN, asked_by=user
    )
    asked = _tasks_sent_back().exclude(Exists(own)).values("application")
    theirs = Q(submitted_by__isnull=False, submitted_by__in=able.values("pk")) & ~Q(
        submitted_by=user
    )
    return Q(pk__in=asked) & ~theirs


def _tasks_sent_back() -> QuerySet[ReviewTask]:
    return ReviewTask.objects.filter(sent_back_at__isnull=False).order_by()


def questions_of(tasks: Collection[ReviewTask]) -> dict[int, InformationRequest]:
    """Return the last question of each task that was sent back, by the task's key; one query.

    A question that was cancelled is left out.
    """
    rows = InformationRequest.objects.filter(task__in=tasks).exclude(status=RequestStatus.CANCELLED)
    return {row.task_id: row for row in rows.order_by("task_id", "number")}


def tasks_decided() -> QuerySet[ReviewTask]:
    """Select the tasks that the record shows as decided, each with the decisions that it needs.

    That is one decline, or as many approvals by different people as the task requires (an
    approval under a delegation is the delegator's). The status of a task alone proves nothing:
    whatever pays reads this.
    """
    given = ReviewDecision.objects.filter(COUNTED, task=OuterRef("pk"))
    # Without an order, which would be grouped by as well.
    approvals = given.filter(outcome=Outcome.APPROVE).order_by().values("task")
    approver = Coalesce("on_behalf_of", "decided_by", "partner")
    quorum = Subquery(approvals.annotate(count=Count(approver, distinct=True)).values("count"))
    return ReviewTask.objects.filter(status=TaskStatus.DECIDED).filter(
        Q(outcome=Outcome.APPROVE, approvals_required__lte=quorum)
        | Q(Exists(given.filter(outcome=Outcome.DECLINE)), outcome=Outcome.DECLINE)
    )


def task_outcome(*, task: ReviewTask) -> Outcome | None:
    """Return what the record shows as decided on a task; ``None`` until its quorum is reached.

    Lock the task first where the answer has to last.
    """
    outcome = tasks_decided().filter(pk=task.pk).values_list("outcome", flat=True).first()
    return None if outcome is None else Outcome(outcome)


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


def answered_alike(*, tasks: Collection[int], user: User, outcome: Outcome) -> set[int]:
    """Return which tasks this person gave the same outcome before, in time, and it still counts."""
    rows = ReviewDecision.objects.filter(COUNTED, decided_by=user, outcome=outcome)
    return set(rows.filter(task__in=tasks).values_list("task", flat=True))


def approvals_counting(
    version: F | OuterRef = VERSION_NOW, **of: object
) -> QuerySet[ReviewDecision]:
    """Return the approvals that count towards open tasks, or towards those selected by ``of``.

    Those of the ``version`` that the application has now, by people who are active, as are those
    whose authority they used. The same rule as ``why_not_counting``, for many tasks.
    """
    return ReviewDecision.objects.filter(
        COUNTED,
        ~Q(decided_by__is_active=False),
        ~Q(on_behalf_of__is_active=False),
        outcome=Outcome.APPROVE,
        application_version=version,
        **of,
    )


def why_not_counting(decision: ReviewDecision, application: LoanApplication) -> str:
    """Return why an approval of an open task counts no more; empty if it counts.

    The same rule as ``approvals_counting``, for one approval whose people are loaded.
    """
    if decision.voided_at is not None:
        return decision.voided_because
    if decision.application_version != application.version:
        return "The application was changed after it."
    people = (decision.decided_by, decision.on_behalf_of)
    if any(person is not None and not person.is_active for person in people):
        return "Who gave it is not active any more."
    return ""
