"""A test event of an endpoint, and when a delivery that failed is tried next."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import NotPermitted
from partners.models import Partner
from tests.applications.admin.conftest import Login
from tests.webhooks.admin.pages import DELIVERIES, URL, of, of_delivery
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver, verified
from webhooks import endpoints
from webhooks.endpoints import endpoint_create
from webhooks.events import endpoint_test, events_of, next_tries
from webhooks.models import WebhookDelivery, WebhookEvent
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


def test_test_event_is_delivered_signed_and_its_answer_shown(
    login: Login,
    partner_manager: User,
    partner: Partner,
    receiver: Receiver,
) -> None:
    endpoint, secret = endpoint_create(
        partner=partner, url=receiver.url, event_types=["application.funded"]
    )
    client = login(partner_manager)
    assert 'id="press-test"' in client.get(of(endpoint, "change")).content.decode()
    assert client.get(of(endpoint, "test")).status_code == 200
    assert not WebhookEvent.objects.exists()  # a GET sends nothing
    receiver.answers.extend([(503, {})])

    answer = client.post(of(endpoint, "test"), follow=True)

    delivery = WebhookDelivery.objects.get()
    assert answer.redirect_chain[-1][0] == of_delivery(delivery, "change")
    assert "data-reload" in answer.content.decode()
    sweep_webhooks()
    sent = verified(receiver.received[0], secret, now=time.time())
    assert (sent["type"], sent["data"]) == ("endpoint.test", {"url": receiver.url})
    page = client.get(of_delivery(delivery, "change")).content.decode()
    assert "data-reload" not in page
    assert "<dt>Answer</dt><dd>503</dd>" in page
    assert 'id="next-try"' in page
    entry = AuditEntry.objects.latest("id")
    assert entry.message == f"A test event was sent to the webhook endpoint {receiver.url}"
    assert events_of(partner=partner).count() == 0  # a partner reads events of its applications


def test_test_event_needs_the_right_to_change_the_endpoint_and_an_active_one(
    login: Login, partner_manager: User, auditor: User, partner: Partner
) -> None:
    endpoint, _ = endpoint_create(partner=partner, url=URL)
    assert login(auditor).post(of(endpoint, "test")).status_code == 403
    with pytest.raises(NotPermitted):
        endpoint_test(endpoint=endpoint, by=auditor)
    endpoints.endpoint_disable(endpoint=endpoint, why="It moved.")

    answer = login(partner_manager).post(of(endpoint, "test"), follow=True)

    assert "is disabled: enable it first" in answer.content.decode()
    assert not WebhookDelivery.objects.exists()


def test_failed_delivery_says_when_it_is_tried_next_on_every_page(
    login: Login, partner_manager: User, partner: Partner, receiver: Receiver
) -> None:
    endpoint, _ = endpoint_create(partner=partner, url=receiver.url)
    receiver.answers.extend([(500, {})])
    submit(partner)
    sweep_webhooks()
    client = login(partner_manager)
    delivery = WebhookDelivery.objects.get()
    due = next_tries([delivery])[delivery.pk]
    pages = (DELIVERIES, of(endpoint, "change"), of_delivery(delivery, "change"))

    due_later = due + timedelta(minutes=5)
    OutboxMessage.objects.filter(kind="webhook").update(due_at=due_later)
    shown = f'datetime="{timezone.localtime(due_later).isoformat()}"'
    assert [shown in client.get(page).content.decode() for page in pages] == [True] * 3
    WebhookDelivery.objects.update(status="failed")
    assert "None: it was given up" in client.get(DELIVERIES).content.decode()
    assert "None: it was given up" in client.get(of_delivery(delivery, "change")).content.decode()
