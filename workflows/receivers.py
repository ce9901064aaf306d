"""Receivers of application and review signals. One line each."""

from typing import Any

from django.contrib.auth.models import User
from django.dispatch import receiver

from applications.models import LoanApplication
from applications.signals import application_submitted, application_withdrawn
from partners.models import Partner
from reviews.models import InformationRequest, ReviewDecision, ReviewTask
from reviews.signals import (
    approvals_voided,
    decision_came_late,
    information_answered,
    information_asked,
    task_asked_again,
    task_decidable_again,
    task_decided,
    task_needs_another,
    task_opened,
    tasks_undecidable,
)
from workflows import (
    attempts,
    executions,
    incidents,
    information_emails,
    review_deadlines,
    undecidable,
    voided_emails,
)
from workflows.callbacks import pending
from workflows.outbox.task_letters import Notice


@receiver(application_submitted)
def start_workflow(application: LoanApplication, **_: Any) -> None:
    executions.execution_queue(application=application)


@receiver(application_withdrawn)
def stop_workflow(application: LoanApplication, **_: Any) -> None:
    executions.execution_stop(application=application)


@receiver(application_withdrawn)
def close_incidents(application: LoanApplication, **_: Any) -> None:
    incidents.incidents_close(application=application, note="Withdrawn.", by=None)


@receiver(approvals_voided)
def tell_approvers(application: LoanApplication, **_: Any) -> None:
    voided_emails.tell_approvers(application=application)


@receiver(approvals_voided)
def ask_again(
    application: LoanApplication,
    changed: str,
    user: User | None,
    partner: Partner | None,
    **_: Any,
) -> None:
    attempts.attempt_begin(
        application=application,
        reason=f"It was approved before its {changed} changed.",
        user=user,
        partner=partner,
    )


@receiver(task_decided)
def resume_workflows(decisions: list[ReviewDecision], **_: Any) -> None:
    pending.tasks_answer(decisions=decisions)


@receiver(decision_came_late)
def note_late_decision(task: ReviewTask, decisions: list[ReviewDecision], **_: Any) -> None:
    incidents.decisions_late(task=task, decisions=decisions)


@receiver(task_asked_again)
def notify_deciders_again(task: ReviewTask, decision: ReviewDecision, **_: Any) -> None:
    review_deadlines.notify_again(task=task, decision=decision)


@receiver(task_needs_another)
def notify_deciders_of_the_next(decisions: list[ReviewDecision], **_: Any) -> None:
    review_deadlines.notify_next(decisions=decisions)


@receiver(tasks_undecidable)
def open_incidents_that_nobody_can_decide(tasks: dict[ReviewTask, str], **_: Any) -> None:
    undecidable.nobody_can_decide(tasks=tasks)


@receiver(task_decidable_again)
def end_incident_that_nobody_can_decide(task: ReviewTask, **_: Any) -> None:
    undecidable.somebody_can_decide(tasks=[task])


@receiver(task_decided)
def end_incidents_of_decided_tasks(decisions: list[ReviewDecision], **_: Any) -> None:
    undecidable.somebody_decided(tasks=[decision.task for decision in decisions])


@receiver(task_opened)
def notify_deciders(task: ReviewTask, **_: Any) -> None:
    review_deadlines.notify(task=task, notice=Notice.OPENED)


@receiver([information_asked, information_answered])
def tell_of_a_question(request: InformationRequest, **_: Any) -> None:
    information_emails.tell(request=request)
