"""What the workflow does when something happens to an application. One line each."""

from typing import Any

from django.dispatch import receiver

from applications.models import LoanApplication, ReviewDecision, ReviewTask
from applications.signals import (
    application_submitted,
    application_withdrawn,
    task_decided,
    task_opened,
)
from workflows import outbox, services
from workflows.models import OutboxMessage


@receiver(application_submitted)
def start_workflow(application: LoanApplication, **_: Any) -> None:
    services.execution_queue(application=application)


@receiver(application_withdrawn)
def stop_workflow(application: LoanApplication, **_: Any) -> None:
    services.execution_stop(application=application)


@receiver(task_decided)
def resume_workflow(task: ReviewTask, decision: ReviewDecision, **_: Any) -> None:
    services.task_answer(task=task, decision=decision)


@receiver(task_opened)
def notify_deciders(task: ReviewTask, **_: Any) -> None:
    outbox.put(kind=OutboxMessage.Kind.EMAIL, key=f"task/{task.pk}", payload={"task": task.pk})
