"""Webhook deliveries in the admin: what is shown of them, and who sends them again."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication
from audit.models import AuditEntry
from partners.models import Partner
from tests.applications.admin.conftest import Login, page, said
from tests.webhooks.admin.pages import DELIVERIES, URL, given_up, of_delivery
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


# --- Deliveries ----------------------------------------------------------------------------


def test_page_of_a_delivery_shows_the_payload_and_every_try_and_escapes_the_answer(
    login: Login,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    receiver.answers.extend([(500, {}), (200, {})])
    application = submit(partner)
    sweep_webhooks()
    sweep_webhooks()
    WebhookAttempt.objects.filter(status_code=500).update(
        response="<script>alert(1)</script> & more"
    )

    shown = login(auditor).get(of_delivery(WebhookDelivery.objects.get(), "change"))

    html = shown.content.decode()
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert html.count('class="panel try"') == 2
    assert f"&quot;reference&quot;: &quot;{application.reference}&quot;" in html
    assert "webhook-signature: v1," in html
    assert "127.0.0.1" in html
    assert endpoint.secret not in html
    assert endpoint.secret.removeprefix("whsec_") not in html
    assert "press-resend" not in html


def test_operations_resend_what_failed_and_it_is_on_record(
    login: Login,
    operations: User,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    delivery = given_up(partner)
    client = login(operations)
    assert "press-resend" in client.get(of_delivery(delivery, "change")).content.decode()
    assert login(auditor).post(of_delivery(delivery, "resend")).status_code == 302
    delivery.refresh_from_db()
    assert delivery.status == "failed"

    answer = client.post(of_delivery(delivery, "resend"))

    assert said(answer) == ["It is on its way again."]
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.object_id) == (
        operations,
        "operated",
        str(delivery.pk),
    )
    assert sweep_webhooks() >= 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.round) == ("delivered", 2)
    shown = client.get(of_delivery(delivery, "change")).content.decode()
    assert "<dt>Sent again by Operations</dt><dd>1 time</dd>" in shown


def test_page_of_one_that_is_under_way_says_when_it_is_tried_next(
    login: Login,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    receiver.answers.append((500, {}))
    submit(partner)
    sweep_webhooks()
    delivery = WebhookDelivery.objects.get()
    due_at = OutboxMessage.objects.get(kind="webhook").due_at

    html = login(auditor).get(of_delivery(delivery, "change")).content.decode()

    assert delivery.status == "pending"
    assert (
        timezone.localtime(due_at).isoformat() in html.split('id="next-try"')[1].split("</dd>")[0]
    )
    assert "Sent again by Operations</dt><dd>Never" in html


def test_what_is_on_its_way_or_whose_endpoint_is_disabled_is_not_resent(
    login: Login, operations: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    client = login(operations)
    submit(partner)
    under_way = WebhookDelivery.objects.get()

    assert "is on its way already" in said(client.post(of_delivery(under_way, "resend")))[-1]
    WebhookDelivery.objects.update(status="failed")
    endpoint_disable(endpoint=endpoint, why="By hand.")
    assert "is disabled" in said(client.post(of_delivery(under_way, "resend")))[-1]

    under_way.refresh_from_db()
    assert (under_way.status, under_way.round) == ("failed", 1)


def resend_selected(client: Client, rows: list[WebhookDelivery]) -> Any:
    typed = {"action": "resend_selected", "index": "0"}
    return client.post(DELIVERIES, {**typed, "_selected_action": [row.pk for row in rows]})


def test_failed_ones_of_the_selected_are_resent_together_and_the_others_left_alone(
    login: Login, operations: User, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    for _ in range(3):
        submit(partner)
    rows = list(WebhookDelivery.objects.order_by("pk"))
    WebhookDelivery.objects.filter(pk=rows[0].pk).update(status="delivered")
    WebhookDelivery.objects.filter(pk=rows[1].pk).update(status="failed")

    resend_selected(login(auditor), rows)
    assert WebhookDelivery.objects.get(pk=rows[1].pk).status == "failed"
    answer = resend_selected(login(operations), rows)

    assert said(answer) == [
        "1 on the way again.",
        "2 left alone: not failed, or the endpoint is disabled.",
    ]
    found = list(WebhookDelivery.objects.order_by("pk").values_list("status", "round"))
    assert found == [("delivered", 1), ("pending", 2), ("pending", 1)]
    assert AuditEntry.objects.filter(message__startswith="Sent again").count() == 1


def test_too_many_at_once_are_refused_and_none_is_sent(
    login: Login,
    operations: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.admin.deliveries.MOST_AT_ONCE", 2)
    for _ in range(3):
        submit(partner)
    WebhookDelivery.objects.update(status="failed")

    answer = resend_selected(login(operations), list(WebhookDelivery.objects.all()))

    assert "choose at most 2" in said(answer)[0]
    assert not WebhookDelivery.objects.exclude(status="failed").exists()


def test_list_is_filtered_and_searched(
    login: Login, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    other = Partner.objects.create(name="Other")
    endpoint_create(partner=other, url=URL)
    mine, theirs = submit(partner), submit(other)
    first, second = WebhookDelivery.objects.order_by("pk")
    WebhookDelivery.objects.filter(pk=second.pk).update(status="failed")
    client = login(auditor)

    def found(query: str) -> list[int]:
        answer = client.get(f"{DELIVERIES}?{query}")
        assert answer.status_code == 200
        return [row.pk for row in answer.context["cl"].result_list]

    assert found("") == [second.pk, first.pk]
    assert found("status__exact=failed") == [second.pk]
    assert found(f"partner__id__exact={partner.pk}") == [first.pk]
    assert found("partner__id__exact=x") == []
    assert found("event_type__exact=application.submitted") == [second.pk, first.pk]
    assert found("event_type__exact=application.funded") == []
    assert found(f"q={mine.reference.lower()}") == [first.pk]
    assert found(f"q={second.event.public_id}") == [second.pk]
    assert found("q=nothing") == []
    assert theirs.reference in client.get(DELIVERIES).content.decode()


def test_list_of_deliveries_costs_the_same_queries_however_many_there_are(
    login: Login, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    client = login(auditor)
    numbers = []
    for _ in range(2):
        for _ in range(4):
            submit(partner)
        client.get(DELIVERIES)
        with CaptureQueriesContext(connection) as captured:
            client.get(DELIVERIES)
        numbers.append(len(captured))

    assert numbers[0] == numbers[1]


# --- The case ------------------------------------------------------------------------------


def test_case_and_its_timeline_show_what_its_partner_was_told(
    login: Login,
    operations: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    receiver.answers.append((503, {}))
    application = submit(partner)
    client = login(operations)
    sweep_webhooks()

    html = client.get(page("change", application)).content.decode()
    assert f'id="delivery-{WebhookDelivery.objects.get().pk}"' in html
    days = client.get(page("timeline", application), {"show": "delivery"}).context["days"]
    lines = [line for _, day in days for line in day if line.what.startswith("Webhook")]
    assert [line.what for line in lines] == [
        "Webhook “application submitted”: queued",
        "Webhook “application submitted”: to be tried again",
    ]
    assert ("last answer", "503") in lines[1].facts
    sweep_webhooks()
    days = client.get(page("timeline", application), {"show": "delivery"}).context["days"]
    assert any(
        line.what == "Webhook “application submitted”: delivered" for _, day in days for line in day
    )


def test_page_that_polls_is_told_when_a_webhook_arrived(
    auditor: User, partner: Partner, endpoint: WebhookEndpoint, rf: RequestFactory
) -> None:
    application = submit(partner)
    request = rf.get("/")
    request.user = auditor
    case = admin.site._registry[LoanApplication]
    now = timezone.now()

    before = case.application_fingerprint(application, request, now)
    WebhookDelivery.objects.update(status="delivered")

    assert case.application_fingerprint(application, request, now) != before
