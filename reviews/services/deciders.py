"""Find who in the office can decide a task now, and keep on record whom it waits for.

Who can decide is asked of ``authority``, the check of every decision, with the rights of
everybody read at once. ``application.waiting_on`` names the lowest role of those people. A task
that nobody can decide is marked and announced (``signals``), and so is the end of that.
``rechecks`` finds the tasks for which a change of people made another answer true.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User

from accounts.rights import people_holding
from accounts.roles import APPROVERS, roles_deciding
from applications.choices import Level
from applications.models import LoanApplication
from applications.services.timeline import event_record
from core.errors import DomainError
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import AlreadyDecided, FourEyesViolation
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from reviews.services.authority import (
    Facts,
    approval_authority,
    can_be_answered,
    claim_stands,
    right_to_decide,
)
from reviews.services.delegation import RIGHTS, Right, all_delegated_rights
from reviews.signals import task_decidable_again, tasks_undecidable

MOST_NAMED = 5  # people in a sentence


class Member(NamedTuple):
    """An active person with a right to decide something: their own, and those delegated to them."""

    own: Right
    delegated: tuple[Right, ...]

    def delegated_rights(self) -> tuple[Right, ...]:
        """Return the rights that others delegated to them."""
        return self.delegated


class Decider(NamedTuple):
    """A person who can decide a task now, and the right by which they do."""

    person: User
    right: Right
    may_take_over: bool  # the claim of somebody else

    @property
    def role(self) -> str:
        """The highest role whose authority they use, among those that approve loans."""
        return approval_authority(self.right).role.key

    @property
    def roles(self) -> set[str]:
        """All roles whose authority they use; the lowest one for who has none."""
        held = {role.key for role in APPROVERS if self.right.may(role.authority_permission)}
        return held or {self.role}


class Standing(NamedTuple):
    """The people who can decide a task, the role it waits for, and why nobody can."""

    deciders: tuple[Decider, ...]
    waiting_on: str
    nobody_because: str  # empty: somebody can


def office_now(*, now: datetime) -> list[Member]:
    """Return everybody who may decide something now; two queries, or four with delegations."""
    delegated = all_delegated_rights(now=now)
    return [
        Member(Right(person, held), tuple(delegated.get(person.pk, ())))
        for person, held in people_holding(RIGHTS).items()
    ]


def standing(facts: Facts, *, now: datetime, office: Iterable[Member] | None = None) -> Standing:
    """Tell who can decide an open task now, whether or not somebody has claimed it."""
    members = list(office_now(now=now) if office is None else office)
    found, barred = [], []
    for member in members:
        try:
            right = right_to_decide(facts, member.own, member.delegated_rights)
        except DomainError as refused:
            if member.own.may(facts.row.permission):
                barred.append((member.own.person, refused))
        else:
            takes_over = member.own.may(APPROVERS[-1].authority_permission)
            found.append(Decider(member.own.person, right, takes_over))
    nobody = not found and not _applicant_answers(facts)
    return Standing(
        deciders=tuple(found),
        waiting_on=_waited_for(facts, found),
        nobody_because=_why_nobody(facts, barred) if nobody else "",
    )


def people_to_ask(
    *,
    application: LoanApplication,
    task: ReviewTask,
    now: datetime,
    facts: Facts | None = None,
    office: Iterable[Member] | None = None,
) -> list[Decider]:
    """Return who can decide a task or take over its claim now: whoever is named and gets mail."""
    if task.status != TaskStatus.OPEN or now >= task.expires_at:
        return []
    claimed_by = task.claimed_by_id if claim_stands(task, now) else None
    return [
        each
        for each in standing(facts or Facts(application, task), now=now, office=office).deciders
        if claimed_by is None or each.person.pk == claimed_by or each.may_take_over
    ]


def people_above(asked: list[Decider], *, task: ReviewTask) -> list[Decider]:
    """Return who of ``asked`` ranks above the role that the task waits for; all if nobody does."""
    if not REVIEW_KINDS[TaskKind(task.kind)].has_ceiling:
        return asked
    above = roles_deciding(task.assigned_role)[1:]
    return [each for each in asked if each.role in {role.key for role in above}] or asked


def look_again(
    *,
    application: LoanApplication,
    task: ReviewTask,
    now: datetime,
    facts: Facts | None = None,
    office: Iterable[Member] | None = None,
) -> str:
    """Bring up to date whom a task waits for; returns why nobody can decide it, if that is new.

    Application and task must be locked; writes nothing where nothing changed. The caller
    announces ``tasks_undecidable``, so that many are announced together. The claim of somebody who
    can decide no more ends when it would keep others from deciding.
    """
    if task.status != TaskStatus.OPEN or now >= task.expires_at:
        return ""
    if not can_be_answered(application, task):
        return ""
    found = standing(facts or Facts(application, task), now=now, office=office)
    if application.waiting_on != found.waiting_on:
        application.waiting_on = found.waiting_on
        application.save(update_fields=["waiting_on", "updated_at"])
    if is_claim_in_the_way(task, found):
        task.claimed_by = task.claimed_at = None
        task.save(update_fields=["claimed_by", "claimed_at"])
    return _mark(application, task, found, now)


def is_claim_in_the_way(task: ReviewTask, found: Standing) -> bool:
    """Tell whether somebody who can decide no more holds a claim, and others could decide."""
    people = {each.person.pk for each in found.deciders}
    return bool(people) and task.claimed_by_id is not None and task.claimed_by_id not in people


def look_again_at(
    *,
    application: LoanApplication,
    task: ReviewTask,
    now: datetime,
    facts: Facts | None = None,
    office: Iterable[Member] | None = None,
) -> None:
    """Look again at one task, and announce it when nobody can decide it."""
    if why := look_again(application=application, task=task, now=now, facts=facts, office=office):
        tasks_undecidable.send(ReviewTask, tasks={task: why})


def _mark(application: LoanApplication, task: ReviewTask, found: Standing, now: datetime) -> str:
    why = found.nobody_because
    if bool(why) == (task.undecidable_since is not None):
        return ""
    task.undecidable_since = now if why else None
    task.save(update_fields=["undecidable_since"])
    what = "nobody in the office can decide it now" if why else "somebody can decide it again"
    event_record(
        application=application,
        kind="undecidable" if why else "decidable_again",
        message=f"{task.get_kind_display()}: {what}.",
        step=REVIEW_KINDS[TaskKind(task.kind)].step,
        level=Level.WARNING if why else Level.INFO,
        is_internal=True,
        data={"task": task.pk},
    )
    if not why:
        task_decidable_again.send(ReviewTask, task=task)
    return why


def _applicant_answers(facts: Facts) -> bool:
    """Tell whether the applicant can answer without the staff: through the partner."""
    return not facts.row.decided_by_staff and facts.application.partner_id is not None


def _waited_for(facts: Facts, found: list[Decider]) -> str:
    """Return the lowest role whose holders can decide; while there is none, the one that should."""
    needed = facts.next_role
    if not facts.row.has_ceiling:
        return needed
    held = {role for each in found for role in each.roles}
    return next((role.key for role in roles_deciding(needed) if role.key in held), needed)


def _why_nobody(facts: Facts, barred: list[tuple[User, DomainError]]) -> str:
    """Say why: nobody holds the right, or what keeps each of those who do."""
    row = facts.row
    who = row.assignee(facts.next_role).described
    if not row.decided_by_staff:
        who = "somebody who may write down the answer of the applicant"
    if not barred:
        return f"It takes {who}, and nobody active has that role."
    kept = [f"{person.get_username()} {_kept(refused)}" for person, refused in barred[:MOST_NAMED]]
    more = [f"{len(barred) - MOST_NAMED} more may not either"] if len(barred) > MOST_NAMED else []
    return f"It takes {who}, and somebody else: {'; '.join(kept + more)}."


def _kept(refused: DomainError) -> str:
    if isinstance(refused, FourEyesViolation):
        return "worked on the application"
    if isinstance(refused, AlreadyDecided):
        return "has approved it, or lent the right for it"
    return "may not decide this one"
