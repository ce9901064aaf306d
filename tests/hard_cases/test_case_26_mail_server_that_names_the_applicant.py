"""Case 26: the error of a mail server names the applicant, whose address is masked elsewhere."""

import smtplib
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from applications.choices import Status
from core.admin.row_actions import row_url
from tests import casework
from tests.applications.admin.conftest import Login, page
from workflows import executions
from workflows.models import Incident, OutboxMessage
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


class RefusingBackend(BaseEmailBackend):
    """A mail server that knows nobody, and says whom."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        to = email_messages[0].to[0]
        raise smtplib.SMTPRecipientsRefused({to: (550, f"<{to}>: no such mailbox".encode())})


@pytest.fixture
def refused(officer: User, settings: Any) -> OutboxMessage:
    """The mail to the applicant of a funded loan, after its last try."""
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.RefusingBackend"}}
    application = casework.funded(officer, email="okapi@quagga.example")
    executions.execution_finish(casework.run_of(application), Status.FUNDED)
    letter = OutboxMessage.objects.get(
        kind=OutboxMessage.Kind.EMAIL, payload__application=application.reference
    )
    OutboxMessage.objects.filter(pk=letter.pk).update(
        attempts=queue.TRIES - 1, due_at=timezone.now(), leased_until=None
    )
    assert not queue.send_now(letter.key)
    letter.refresh_from_db()
    return letter


def test_error_is_kept_with_the_address_masked(refused: OutboxMessage) -> None:
    assert "o••••@q••••.example" in refused.last_error
    assert "no such mailbox" in refused.last_error
    assert "okapi" not in refused.last_error
    # The incident leads to the message, and repeats nothing of what the server said.
    assert Incident.objects.get(message=refused).sentence == (
        f"“E-mail” was tried {refused.attempts} times and did not get through."
    )


def test_no_page_tells_the_address(refused: OutboxMessage, login: Login, operations: User) -> None:
    client = login(operations)
    incident = Incident.objects.get(message=refused)
    changelists = [
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for model in admin.site._registry
        if model in {OutboxMessage, Incident}
    ]
    for address in (
        *changelists,
        row_url(refused),
        row_url(incident),
        page("change", incident.application),
        page("timeline", incident.application),
    ):
        shown = client.get(address)
        assert shown.status_code == 200
        assert "okapi" not in shown.text, address
