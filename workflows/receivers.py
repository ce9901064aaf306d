"""Receivers of application and review signals. One line each."""

from typing import Any

from django.dispatch import receiver

from applications.models import LoanApplication
from applications.signals import application_submitted, application_withdrawn
from reviews.models import ReviewDecision, ReviewTask
from reviews.signals import decision_came_late, task_decided, task_opened
from workflows import executions, incidents, review_deadlines
from workflows.callbacks import pending
from workflows.outbox.emails import Notice


@receiver(application_submitted)
def start_workflow(application: LoanApplication, **_: Any) -> None:
    executions.execution_queue(application=application)


@receiver(application_withdrawn)
def stop_workflow(application: LoanApplication, **_: Any) -> None:
    executions.execution_stop(application=application)


@receiver(application_withdrawn)
def close_incidents(application: LoanApplication, **_: Any) -> None:
    incidents.incidents_close(application=application, note="Withdrawn.", by=None)


@receiver(task_decided)
def resume_workflow(task: ReviewTask, decision: ReviewDecision, **_: Any) -> None:
    pending.task_answer(task=task, decision=decision)


@receiver(decision_came_late)
def note_late_decision(task: ReviewTask, decisions: list[ReviewDecision], **_: Any) -> None:
    incidents.decisions_late(task=task, decisions=decisions)


@receiver(task_opened)
def notify_deciders(task: ReviewTask, **_: Any) -> None:
    review_deadlines.notify(task=task, notice=Notice.OPENED)
