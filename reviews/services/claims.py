"""Claim a task, so that nobody else decides it while one person works on it.

Lock order: application, then task. A claim ends when its holder releases it, when somebody
decides the task, or when it lapses (``authority.CLAIM_LASTS``), which writes nothing.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.roles import APPROVERS
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.timeline import event_record
from core.errors import NotPermitted
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import ReviewTask
from reviews.services.authority import (
    authority,
    check_not_claimed,
    check_still_open,
    claim_stands,
    person_or_refuse,
)


def may_take_over(user: User) -> bool:
    """True for users with the highest authority of their own: senior managers and superusers."""
    return user.has_perm(APPROVERS[-1].authority_permission)


def claim_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> None:
    """Raise the reason why ``user`` may not claim ``task`` now or take over its claim."""
    authority(application, task, user, now)
    check_still_open(application, task, now)
    if not may_take_over(user):
        check_not_claimed(application, task, user, now)


@transaction.atomic
def task_claim(*, task: ReviewTask, user: User, take_over: bool = False) -> ReviewTask:
    """Claim a task for ``user``; claiming it again starts the full time again.

    ``take_over`` ends the claim of somebody else, which is recorded. Raises what
    ``claim_check`` raises, and ``NotPermitted`` for a claim that they may not take over.
    """
    application = application_lock(task.application.reference)
    task = task_lock(task.pk)
    now = timezone.now()
    user = person_or_refuse(user)
    authority(application, task, user, now)
    check_still_open(application, task, now)
    stood = claim_stands(task, now)
    before = task.claimed_by if stood else None
    if before is not None and before != user:
        if not take_over:
            check_not_claimed(application, task, user, now)
        if not may_take_over(user):
            raise NotPermitted("Only a senior manager may take over what somebody else claimed.")
    task.claimed_by, task.claimed_at = user, now
    task.save(update_fields=["claimed_by", "claimed_at"])
    if before is None:
        _record(application, task, user, "claimed", "claimed")
    elif before != user:
        _record(
            application,
            task,
            user,
            "claim_taken_over",
            "the claim was taken over",
            taken_from=before.get_username(),
        )
    return task


@transaction.atomic
def task_release(*, task: ReviewTask, user: User) -> bool:
    """Release the user's own claim; false when none stands.

    Raises ``ClaimedBySomebodyElse``, and ``NotPermitted`` for users who may not decide the task.
    """
    application = application_lock(task.application.reference)
    task = task_lock(task.pk)
    now = timezone.now()
    # A user who has lost the permission may still release their own claim.
    if task.claimed_by_id != user.pk:
        user = person_or_refuse(user)
        authority(application, task, user, now)
        check_not_claimed(application, task, user, now)
        return False
    stood = claim_stands(task, now)
    task.claimed_by = task.claimed_at = None
    task.save(update_fields=["claimed_by", "claimed_at"])
    if stood:
        _record(application, task, user, "claim_released", "the claim was released")
    return stood


def _record(
    application: LoanApplication,
    task: ReviewTask,
    user: User,
    kind: str,
    change: str,
    **more: str,
) -> None:
    event_record(
        application=application,
        kind=kind,
        message=f"{task.get_kind_display()}: {change}.",
        step=REVIEW_KINDS[TaskKind(task.kind)].step,
        is_internal=True,
        actor=user,
        data={"task": task.pk, **more},
    )
