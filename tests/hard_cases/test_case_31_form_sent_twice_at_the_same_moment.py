"""Case 31: two sendings of one form at the same moment: one acts, the other gets its result.

Real threads with connections of their own, on SQLite and on PostgreSQL alike.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from applications.models import LoanApplication
from core.models import FormSubmission
from partners.models import Partner
from tests.applications.admin.conftest import ADD, page, said
from tests.applications.admin.test_form import TYPED
from tests.hard_cases.together import together
from tests.sent_forms import AGAIN, browser, open_form
from webhooks import endpoints
from webhooks.models import WebhookEndpoint
from workflows.models import Execution

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]
AT_ONCE = 4


def copy_of(client: Client) -> Client:
    """Return another connection of the same browser."""
    # An error of one is raised in all clients of the process that wait for an answer.
    found = Client(enforce_csrf_checks=True, raise_request_exception=False)
    found.cookies = client.cookies
    return found


def sent_at_once(client: Client, address: str, form: dict[str, Any]) -> list[Any]:
    clients = [copy_of(client) for _ in range(AT_ONCE)]

    def send(sender: Client) -> Callable[[], Any]:
        return lambda: sender.post(address, form)

    return together([send(sender) for sender in clients])


def test_application_form_sent_at_once_submits_one_application(officer: User) -> None:
    client = browser(officer)
    form = open_form(client, ADD, {**TYPED, "_submit": "yes"})

    answers = sent_at_once(client, ADD, form)

    application = LoanApplication.objects.get()
    assert Execution.objects.count() == 1
    assert [answer.url for answer in answers] == [page("change", application)] * AT_ONCE
    assert sum(AGAIN in said(answer) for answer in answers) == AT_ONCE - 1


def test_rotation_sent_at_once_makes_one_secret_and_shows_it_once(
    partner_manager: User, partner: Partner
) -> None:
    endpoint, before = endpoints.endpoint_create(
        partner=partner, url="https://hooks.example.invalid/loans"
    )
    client = browser(partner_manager)
    address = reverse("admin:webhooks_webhookendpoint_rotate", args=[endpoint.pk])
    form = open_form(client, address, {"until": "2026-12-02T10:00"})

    answers = sent_at_once(client, address, form)

    endpoint.refresh_from_db()
    assert endpoint.secret != before
    assert endpoint.previous_secret == before  # the partner's own still signs
    shown = [answer for answer in answers if endpoint.secret in answer.content.decode()]
    assert len(shown) == 1
    assert sum(answer.status_code == 302 for answer in answers) == AT_ONCE - 1


def test_second_sending_acts_when_the_first_one_fails(
    partner_manager: User, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first holds the token when it fails; the second waits for it, and then acts itself."""
    address = reverse("admin:webhooks_webhookendpoint_add")
    client = browser(partner_manager)
    form = open_form(client, address, {"partner": partner.pk, "url": "https://a.example.invalid/"})
    failed = threading.Event()
    store = endpoints.entry_record

    def fail_once(**entry: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the first one fails")
        return store(**entry)

    monkeypatch.setattr(endpoints, "entry_record", fail_once)

    answers = sent_at_once(client, address, form)

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[302] * (AT_ONCE - 2), 500]
    assert WebhookEndpoint.objects.count() == 1
    assert FormSubmission.objects.count() == 1
