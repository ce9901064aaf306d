"""Receivers that publish webhook events when an application changes. One line each."""

from typing import Any

from django.dispatch import receiver

from applications.models import LoanApplication
from applications.signals import application_moved, application_submitted
from webhooks import events


@receiver([application_submitted, application_moved])
def tell_partner(application: LoanApplication, **_: Any) -> None:
    events.event_publish(application=application)
