"""Receivers of application signals. Each calls one service."""

from typing import Any

from django.dispatch import receiver

from applications.models import LoanApplication
from applications.signals import application_withdrawn
from reviews.services import tasks


@receiver(application_withdrawn)
def cancel_tasks(application: LoanApplication, **_: Any) -> None:
    tasks.tasks_cancel(application=application)
