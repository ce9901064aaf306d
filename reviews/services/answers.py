"""Store decisions on locked tasks, of one or many applications, and continue their workflows.

Who may decide is checked before, in ``decisions`` and ``offer_answers``.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from applications.choices import Level
from applications.models import ApplicationEvent, LoanApplication, LoanOffer
from applications.services.attempts import reviews_end
from applications.services.timeline import event_make, event_record, events_record
from core import metrics
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import COUNTED
from reviews.services.authority import Facts
from reviews.services.deciders import look_again_at, office_now
from reviews.services.open_requests import requests_cancel_by, requests_cancel_of
from reviews.signals import decision_came_late, task_decided, task_needs_another


class Answer(NamedTuple):
    """A decision of a person or a partner that is not stored yet, and the facts of its task."""

    facts: Facts
    decision: ReviewDecision

    @property
    def approvals_left(self) -> int:
        """Return the number of approvals that the task takes after this answer."""
        required = self.facts.task.approvals_required
        # Where one approval is enough, this is the only one.
        return required - (1 if required == 1 else len(self.facts.given) + self.approves)

    @property
    def approves(self) -> bool:
        return bool(self.decision.outcome == Outcome.APPROVE)

    @property
    def settles(self) -> bool:
        return not self.approves or self.approvals_left <= 0


def answers_keep(answers: Sequence[Answer]) -> None:
    """Store decisions on locked tasks of different applications and continue the workflows.

    All have one outcome and one time. Those that settle their tasks cost as many statements as one
    does; one that leaves its task open costs one more. A ``late`` decision is not applied, and is
    stored once for each person or partner.
    """
    if in_time := [answer for answer in answers if not answer.decision.late]:
        _count(in_time)
    for answer in answers:
        if answer.decision.late:
            _keep_late(answer)


def _count(answers: list[Answer]) -> None:
    ReviewDecision.objects.bulk_create([answer.decision for answer in answers])
    outcome, now = answers[0].decision.outcome, answers[0].decision.decided_at
    events_record([_event(answer) for answer in answers], changes={"decision": (None, outcome)})
    for kind, number in Counter(answer.facts.row.kind for answer in answers).items():
        taken = {metrics.DECISIONS_TAKEN: number}
        metrics.record(taken, kind=kind.value, outcome=Outcome(outcome).value)
    settled = [answer for answer in answers if answer.settles]
    waiting = [answer for answer in answers if not answer.settles]
    if settled:
        _settle(settled, outcome, now)
    if waiting:
        _ask_for_another(waiting, now)


def _settle(answers: list[Answer], outcome: str, now: datetime) -> None:
    requests_cancel_of(tasks=[answer.facts.task for answer in answers], now=now)
    _tasks_write(
        answers, status=TaskStatus.DECIDED, outcome=outcome, closed_at=now, sent_back_at=None
    )
    for answer in answers:
        application, approves = answer.facts.application, answer.approves
        if answer.facts.row.answers_offer:
            _note_on_offer(
                application,
                accepted_at=now if approves else None,
                declined_at=None if approves else now,
            )
    reviews_end([answer.facts.application for answer in answers])
    task_decided.send(ReviewTask, decisions=[answer.decision for answer in answers])


def _ask_for_another(answers: list[Answer], now: datetime) -> None:
    # The claim was for giving this approval.
    _tasks_write(answers)
    # Who approves needs no answer any more; the question of somebody else stays.
    tasks, asker = [answer.facts.task for answer in answers], answers[0].decision.decided_by
    requests_cancel_by(asker=asker, tasks=tasks, now=now)
    office = office_now(now=now)
    for answer in answers:
        facts = answer.facts.including(answer.decision)
        look_again_at(
            application=facts.application, task=facts.task, now=now, facts=facts, office=office
        )
    task_needs_another.send(ReviewTask, decisions=[answer.decision for answer in answers])


def _tasks_write(answers: list[Answer], **values: object) -> None:
    """Write values, the same for all, on the tasks of answers and end their claims."""
    values |= {"claimed_by": None, "claimed_at": None}
    for answer in answers:
        for name, value in values.items():
            setattr(answer.facts.task, name, value)
    ReviewTask.objects.filter(pk__in=[answer.facts.task.pk for answer in answers]).update(**values)


def _note_on_offer(
    application: LoanApplication, *, accepted_at: datetime | None, declined_at: datetime | None
) -> None:
    LoanOffer.objects.filter(application=application, attempt=application.attempt).update(
        accepted_at=accepted_at, declined_at=declined_at
    )


def _keep_late(answer: Answer) -> None:
    application, task, decision = answer.facts.application, answer.facts.task, answer.decision
    if task.decisions.filter(
        decided_by=decision.decided_by, partner=decision.partner, voided_at__isnull=True
    ).exists():
        return
    decision.save(force_insert=True)
    given = "an approval" if answer.approves else "a decline"
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: {given} came too late and was not applied.",
        step=answer.facts.row.step,
        level=Level.WARNING,
        is_internal=True,
        actor=decision.decided_by,
        partner=decision.partner,
        data=_facts(decision),
    )
    decision_came_late.send(ReviewTask, task=task, decisions=[decision])


def decisions_undo_as_late(*, application: LoanApplication, task: ReviewTask) -> None:
    """Mark a decided task as expired and its decisions as late.

    For a decision that did not reach the engine before its wait ended, so it is not applied.
    Application and task must be locked.
    """
    counted = task.decisions.filter(COUNTED)
    decisions = list(counted.select_related("decided_by", "partner"))
    counted.update(late=True)
    row = REVIEW_KINDS[TaskKind(task.kind)]
    if row.answers_offer:
        _note_on_offer(application, accepted_at=None, declined_at=None)
    task.status = TaskStatus.EXPIRED
    task.outcome = ""
    task.save(update_fields=["status", "outcome"])
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: the decision did not reach the workflow in time "
        "and was not applied.",
        step=row.step,
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )
    decision_came_late.send(ReviewTask, task=task, decisions=decisions)


def _event(answer: Answer) -> ApplicationEvent:
    """Make the timeline entry of a decision."""
    row, decision, left = answer.facts.row, answer.decision, answer.approvals_left
    verb = "approved" if answer.approves else "declined"
    # The applicant accepts an offer; nobody approves it.
    outcome = Outcome(decision.outcome)
    said = row.words[outcome] if row.answers_offer else f"{row.kind.label}: {row.done[outcome]}"
    message = f"{said}."
    if answer.approves and left > 0:
        message += f" {left} more approval needed."
    return event_make(
        application=answer.facts.application,
        kind=f"{row.kind.value}_{verb}",
        message=message,
        step=row.step,
        level=Level.SUCCESS if answer.approves else Level.WARNING,
        actor=decision.decided_by,
        partner=decision.partner,
        data=_facts(decision),
    )


def _facts(decision: ReviewDecision) -> dict[str, object]:
    """Return the facts of a decision for its timeline entry and audit entry."""
    right = decision.on_behalf_of
    return {
        "reason": decision.reason,
        **({"reason_code": decision.reason_code} if decision.reason_code else {}),
        "version": decision.application_version,
        "task": decision.task_id,
        **({"on_behalf_of": right.get_username()} if right is not None else {}),
    }
