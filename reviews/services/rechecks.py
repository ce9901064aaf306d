"""Find the open tasks for which a change of people made another answer true, and look again.

For a change of roles, of who is active, or of a delegation, and periodically for what nothing
announces: a delegation that begins or ends, a partner key that somebody made. ``deciders`` looks
at each one.
"""

import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import batched

from django.db import transaction
from django.db.models import F, Q

from applications.contributions import with_contributions
from applications.models import LoanApplication
from core.locking import locked_if_free
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import approvals_counting
from reviews.services.authority import Facts, approval_authority
from reviews.services.deciders import (
    Member,
    is_claim_in_the_way,
    look_again,
    look_again_at,
    office_now,
    standing,
)
from reviews.services.decisions import tasks_waiting_on
from reviews.signals import tasks_undecidable

AT_ONCE = 200  # tasks that a request changes; the sweep does the rest
TRIED = 3  # people of each role, with whom most tasks are known to be in order
CHUNK = 200


@transaction.atomic
def tasks_recheck(*, now: datetime, limit: int = AT_ONCE, seconds: float = math.inf) -> int:
    """Look again at the tasks for which another answer may be true; returns how many changed.

    Locks only what it changes, and leaves what others have locked to the next time, as what it
    cannot begin in so many seconds.
    """
    ends_at = time.monotonic() + seconds
    if not ReviewTask.objects.filter(status=TaskStatus.OPEN).exists():
        return 0
    office = office_now(now=now)
    undecidable: dict[ReviewTask, str] = {}
    changed = 0
    for pk in _to_change(office, now):
        if changed >= limit or (changed and time.monotonic() >= ends_at):
            break
        found = _locked(pk)
        if found is None:
            continue
        application, task = found
        why = look_again(application=application, task=task, now=now, office=office)
        if why:
            undecidable[task] = why
        changed += 1
    if undecidable:
        tasks_undecidable.send(ReviewTask, tasks=undecidable)
    return changed


def application_recheck(*, application: LoanApplication, now: datetime) -> None:
    """Look again at the open task of a locked application, which somebody worked on."""
    open_task = ReviewTask.objects.filter(application=application, status=TaskStatus.OPEN).first()
    if open_task is not None:
        look_again_at(application=application, task=task_lock(open_task.pk), now=now)


def _to_change(office: list[Member], now: datetime) -> Iterator[int]:
    """Yield the tasks of which the record says something else than what is true now."""
    for chunk in batched(_doubtful(office, now), CHUNK):
        for facts in _facts_of(chunk):
            application, task = facts.application, facts.task
            found = standing(facts, now=now, office=office)
            if (
                application.waiting_on != found.waiting_on
                or bool(found.nobody_because) != (task.undecidable_since is not None)
                or is_claim_in_the_way(task, found)
            ):
                yield task.pk


def _doubtful(office: list[Member], now: datetime) -> list[int]:
    """Return the open tasks without those that wait for the role of somebody who can decide them.

    A few people are enough to know that of nearly all tasks.
    """
    still_open = ReviewTask.objects.filter(
        status=TaskStatus.OPEN, expires_at__gt=now, attempt=F("application__attempt")
    )
    doubtful = set(still_open.values_list("pk", flat=True))
    in_order = Q(
        undecidable_since=None, claimed_by=None, application__waiting_on=F("assigned_role")
    )
    for kinds, role, member in _people_to_try(office):
        if len(doubtful) <= CHUNK:
            break
        theirs = tasks_waiting_on(user=member.own.person, now=now).filter(in_order, kind__in=kinds)
        if role is not None:
            theirs = theirs.filter(assigned_role=role)
        doubtful -= set(theirs.order_by().values_list("pk", flat=True))
    return sorted(doubtful)


def _people_to_try(office: list[Member]) -> Iterator[tuple[list[TaskKind], str | None, Member]]:
    """Yield the kinds of tasks, the role, and somebody of that role; a few for each."""
    groups: dict[tuple[bool, str], tuple[list[TaskKind], list[Member]]] = {}
    for kind, row in REVIEW_KINDS.items():
        for member in office:
            if member.delegated or not member.own.may(row.permission):
                continue
            role = approval_authority(member.own).role.key if row.has_ceiling else row.permission
            kinds, members = groups.setdefault((row.has_ceiling, role), ([], []))
            if kind not in kinds:
                kinds.append(kind)
            if member not in members:
                members.append(member)
    for place in range(TRIED):
        for (has_ceiling, role), (kinds, members) in groups.items():
            if place < len(members):
                yield kinds, role if has_ceiling else None, members[place]


def _facts_of(chunk: Collection[int]) -> Iterator[Facts]:
    """Read what was done on some tasks; seven queries, however many they are."""
    tasks = ReviewTask.objects.filter(pk__in=chunk).order_by("pk")
    rows = LoanApplication.objects.filter(review_tasks__in=chunk).select_related("policy")
    applications = with_contributions(rows.prefetch_related("policy__authorities")).in_bulk()
    given: defaultdict[int, list[ReviewDecision]] = defaultdict(list)
    people = ("decided_by", "on_behalf_of")
    for approval in (
        approvals_counting()
        .filter(task__in=chunk)
        .select_related(*people)
        .order_by("decided_at", "pk")
    ):
        given[approval.task_id].append(approval)
    for task in tasks:
        yield Facts(applications[task.application_id], task, given[task.pk])


def _locked(pk: int) -> tuple[LoanApplication, ReviewTask] | None:
    """Lock a task and its application; ``None`` while somebody else has it locked."""
    rows = LoanApplication.objects.filter(review_tasks=pk)
    application = locked_if_free(rows).first()
    return None if application is None else (application, task_lock(pk))
