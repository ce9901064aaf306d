"""The buttons of Operations on an application, and all rows that pressing one may write."""

from typing import Any

from django.test import Client

from applications.models import ApplicationEvent, Disbursement, LoanApplication
from tests.applications.admin.conftest import page
from workflows.models import Execution, Incident, OutboxMessage

REASON = {"reason": "The bureau is down."}
NOTE = {"note": "The bank's statement of today."}
PRESSES = ("paid", "not_paid", "order_anew", "restart", "resume", "pause", "stop")


def buttons(client: Client, application: LoanApplication) -> list[str]:
    html = client.get(page("change", application)).content.decode()
    return [name for name in PRESSES if f'id="press-{name.replace("_", "-")}"' in html]


def facts(application: LoanApplication) -> list[Any]:
    """Return all rows that an action may write about an application."""
    application.refresh_from_db()
    about = {"application": application}
    return [
        application.status,
        application.attempt,
        application.version,
        list(Execution.objects.filter(**about).values_list("name", "paused_at", "ended_at")),
        list(Incident.objects.filter(**about).order_by("pk").values_list("status", "sentence")),
        list(Disbursement.objects.filter(**about).values_list("status", "rail_reference")),
        list(OutboxMessage.objects.order_by("pk").values_list("key", "status")),
        ApplicationEvent.objects.filter(**about).count(),
    ]


def line(application: LoanApplication, kind: str) -> ApplicationEvent:
    """The one line that a press left in the audit trail."""
    return ApplicationEvent.objects.get(application=application, kind=kind)
