"""Webhooks are delivered signed, to the endpoint alone, with retries, in bounded time."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from applications.services import intake
from partners.models import Partner
from tests import casework
from tests.partners.api import contract
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Received, Receiver, receiving, verified
from webhooks import delivery as webhook_delivery
from webhooks.endpoints import endpoint_create, endpoint_disable, endpoint_rotate
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.models import Incident, OutboxMessage
from workflows.outbox import queue
from workflows.steps import offer, payout

pytestmark = pytest.mark.django_db


def assert_documented(received: Received) -> None:
    """It is what the OpenAPI document's ``webhooks`` promise of its type."""
    told = json.loads(received.body)
    place = f"/webhooks/{told['type']}/post"
    contract.validator(f"{place}/requestBody/content/application~1json/schema").validate(told)
    for number, name in enumerate(("webhook-id", "webhook-timestamp", "webhook-signature")):
        check = contract.validator(f"{place}/parameters/{number}/schema")
        check.validate(received.headers[name])


def test_event_is_written_with_the_case_and_its_webhook_is_signed_and_thin(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    application = submit(partner)

    assert sweep_webhooks() == 1

    (received,) = receiver.received
    found = verified(received, endpoint.secret, now=time.time())
    event = WebhookEvent.objects.get()
    assert received.headers["webhook-id"] == event.public_id
    assert received.headers["content-type"] == "application/json"
    assert received.path == "/hooks?from=loans"
    assert found == {
        "type": "application.submitted",
        "timestamp": json.loads(event.payload)["timestamp"],
        "data": {"reference": application.reference, "status": "submitted"},
    }
    delivery = WebhookDelivery.objects.get()
    attempt = delivery.tries.get()
    assert (delivery.status, attempt.status_code, attempt.address) == (
        "delivered",
        204,
        "127.0.0.1",
    )
    assert attempt.request_headers["webhook-signature"].startswith("v1,")


def test_receiver_that_fails_five_times_gets_the_event_at_the_sixth_with_the_same_id(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    receiver.answers.extend([(500, {}), (503, {}), (404, {}), (429, {}), (400, {})])

    assert [sweep_webhooks() for _ in range(7)] == [0, 0, 0, 0, 0, 1, 0]

    assert len(receiver.received) == 6
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    for one in receiver.received:
        verified(one, endpoint.secret, now=time.time())
    codes = list(WebhookAttempt.objects.values_list("status_code", flat=True))
    assert codes == [500, 503, 404, 429, 400, 204]
    assert WebhookAttempt.objects.first().response == "no thanks"
    assert WebhookDelivery.objects.get().status == "delivered"


def test_every_status_that_partners_know_is_told_once_and_no_other(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    application = submit(partner, sin_last4="3333", loan_amount=25_000)
    casework.assess(application)
    run = casework.run_of(application)
    casework.pass_fraud_check(application)
    offer.offer_begin(run)
    casework.make_offer(run)
    payout.disbursement_request(run)
    payout.disbursement_settle(run, rail_reference="RAIL-1")

    while sweep_webhooks():
        pass

    for one in receiver.received:
        assert_documented(one)
    types = [json.loads(one.body)["type"] for one in receiver.received]
    assert sorted(types) == [
        "application.approved",
        "application.funded",
        "application.submitted",
    ]
    assert WebhookEvent.objects.count() == 3


def test_waiting_withdrawn_and_declined_are_told(
    partner: Partner, endpoint: WebhookEndpoint
) -> None:
    first = submit(partner)
    casework.assess(first)
    casework.ask(first)
    intake.application_withdraw(reference=first.reference, partner=partner)

    assert set(WebhookEvent.objects.values_list("type", flat=True)) == {
        "application.submitted",
        "application.pending_approval",
        "application.withdrawn",
    }


def test_case_of_no_partner_and_endpoint_of_another_partner_are_left_alone(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver, officer: object
) -> None:
    other = Partner.objects.create(name="Other")
    submit(other)
    casework.submit(officer)

    assert sweep_webhooks() == 0
    assert receiver.received == []
    assert WebhookEvent.objects.get().partner == other


def test_endpoint_is_told_of_the_types_that_it_asked_for(
    partner: Partner, receiver: Receiver
) -> None:
    endpoint_create(partner=partner, url=receiver.url, event_types=["application.funded"])
    submit(partner)

    assert sweep_webhooks() == 0
    assert WebhookEvent.objects.count() == 1


def test_both_secrets_sign_for_a_day_after_a_rotation(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    before = endpoint.secret
    after = endpoint_rotate(endpoint=endpoint)
    submit(partner)
    sweep_webhooks()

    verified(receiver.received[0], before, now=time.time())
    verified(receiver.received[0], after, now=time.time())

    WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    submit(partner)
    sweep_webhooks()
    verified(receiver.received[1], after, now=time.time())
    with pytest.raises(ValueError, match="no signature"):
        verified(receiver.received[1], before, now=time.time())


def test_410_disables_the_endpoint_and_what_waits_for_it_is_not_sent(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    submit(partner)
    receiver.answers.append((410, {}))
    OutboxMessage.objects.filter(kind="webhook").update(due_at=timezone.now())
    OutboxMessage.objects.exclude(kind="webhook").update(status="cancelled")

    queue.send_due(limit=1)
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_why) == ("disabled", "It answered 410 (gone).")
    sweep_webhooks()

    assert len(receiver.received) == 1
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"failed"}
    submit(partner)
    assert WebhookDelivery.objects.count() == 2


def test_redirect_is_a_failure_and_is_not_followed(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    receiver.answers.append((307, {"Location": "http://127.0.0.1:1/"}))

    assert sweep_webhooks() == 0

    assert len(receiver.received) == 1
    assert WebhookAttempt.objects.get().status_code == 307
    assert WebhookDelivery.objects.get().status == "pending"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_address_of_this_machine_is_never_called(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver, status: int
) -> None:
    with receiving() as inside:
        receiver.answers.append((status, {"Location": inside.url}))
        submit(partner)

        assert sweep_webhooks() == 0

    assert inside.received == []
    assert len(receiver.received) == 1
    assert WebhookAttempt.objects.get().status_code == status


def test_answer_that_drips_is_cut_off(
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_delivery, "ANSWER", 0.5)
    receiver.drip = threading.Event()
    submit(partner)
    try:
        assert sweep_webhooks() == 0
    finally:
        receiver.drip.set()

    attempt = WebhookAttempt.objects.get()
    assert attempt.status_code == 0
    assert "no whole answer within 0.5 s" in attempt.error


def test_receiver_that_is_not_there_is_tried_again_and_given_up_after_three_days(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    WebhookEndpoint.objects.update(url="http://127.0.0.1:9/")
    tries = 0
    while WebhookDelivery.objects.get().status == "pending":
        assert sweep_webhooks() == 0
        tries += 1

    assert tries == len(webhook_delivery.SCHEDULE) + 1 == WebhookAttempt.objects.count()
    assert WebhookDelivery.objects.get().status == "failed"
    assert OutboxMessage.objects.get(kind="webhook").status == "dead"
    assert not Incident.objects.exists()


def test_schedule_lasts_three_days() -> None:
    assert timedelta(days=3) <= sum(webhook_delivery.SCHEDULE, timedelta()) <= timedelta(days=3.2)
    assert [
        webhook_delivery.delay(number) >= webhook_delivery.SCHEDULE[number - 1]
        for number in range(1, 10)
    ]


def test_disabled_endpoint_gets_nothing_that_waits(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    endpoint_disable(endpoint=endpoint, why="By hand.")

    sweep_webhooks()

    assert receiver.received == []
    assert WebhookDelivery.objects.get().status == "failed"


def test_what_cases_need_goes_before_webhooks(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    OutboxMessage.objects.update(due_at=timezone.now() - timedelta(hours=1))
    OutboxMessage.objects.filter(kind="start_execution").update(due_at=timezone.now())

    queue.send_due(limit=1)

    tried = OutboxMessage.objects.get(attempts=1)
    assert tried.kind == "start_execution"
