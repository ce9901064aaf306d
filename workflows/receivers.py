"""What the workflow does when something happens to an application. One line each."""

from typing import Any

from django.dispatch import receiver

from applications.models import LoanApplication, ReviewDecision, ReviewTask
from applications.signals import (
    application_moved,
    application_submitted,
    application_withdrawn,
    decision_came_late,
    task_decided,
    task_opened,
)
from workflows import deadlines, services
from workflows.notices import Notice
from workflows.webhooks import events


@receiver(application_submitted)
def start_workflow(application: LoanApplication, **_: Any) -> None:
    services.execution_queue(application=application)


@receiver([application_submitted, application_moved])
def tell_partner(application: LoanApplication, **_: Any) -> None:
    events.event_publish(application=application)


@receiver(application_withdrawn)
def stop_workflow(application: LoanApplication, **_: Any) -> None:
    services.execution_stop(application=application)


@receiver(application_withdrawn)
def close_incidents(application: LoanApplication, **_: Any) -> None:
    services.incidents_close(application=application, note="Withdrawn.", by=None)


@receiver(task_decided)
def resume_workflow(task: ReviewTask, decision: ReviewDecision, **_: Any) -> None:
    services.task_answer(task=task, decision=decision)


@receiver(decision_came_late)
def note_late_decision(task: ReviewTask, decisions: list[ReviewDecision], **_: Any) -> None:
    services.decisions_late(task=task, decisions=decisions)


@receiver(task_opened)
def notify_deciders(task: ReviewTask, **_: Any) -> None:
    deadlines.notify(task=task, notice=Notice.OPENED)
