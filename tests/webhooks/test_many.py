"""Many endpoints: a slow or dead one delays nobody else, neither partners nor applications."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from partners.models import Partner
from tests import casework
from tests.waiting import eventually
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver, receiving, verified
from tests.workflows.lambda_stub import lambda_stub
from webhooks import delivery
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.models import Execution, OutboxMessage
from workflows.outbox import queue, webhook_pass

MANY = 24  # more than are under way at once
PATIENCE = 8  # seconds, below those after which the sender cuts the line


@pytest.fixture
def slow() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def quick() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def other(db: None) -> Partner:
    return Partner.objects.create(name="Birch Brokers")


@pytest.mark.django_db
def test_partner_whose_receiver_is_slow_holds_up_no_other(
    partner: Partner, other: Partner, slow: Receiver, quick: Receiver
) -> None:
    """The slow one answers once the quick one has all of its own, whose turn is later."""
    endpoint_create(partner=partner, url=slow.url)
    _, secret = endpoint_create(partner=other, url=quick.url)
    for _ in range(MANY):
        submit(partner)
    for _ in range(MANY):
        submit(other)
    in_time: list[bool] = []
    all_there = threading.Event()
    quick.before = lambda: all_there.set() if len(quick.received) == MANY else None
    slow.before = lambda: in_time.append(all_there.wait(PATIENCE))

    assert sweep_webhooks() == 2 * MANY

    assert in_time == [True] * MANY
    assert len(slow.received) == len(quick.received) == MANY
    for one in quick.received:
        verified(one, secret, now=time.time())


@pytest.mark.django_db
def test_dead_receiver_costs_a_few_tries_of_its_own_in_a_pass_and_the_others_get_everything(
    partner: Partner, other: Partner, quick: Receiver
) -> None:
    dead, _ = endpoint_create(partner=partner, url=quick.url)
    WebhookEndpoint.objects.update(url="http://127.0.0.1:9/")
    endpoint_create(partner=other, url=quick.url)
    for _ in range(MANY):
        submit(partner)
    for _ in range(MANY):
        submit(other)

    assert sweep_webhooks() == MANY

    assert len(quick.received) == MANY
    tried = WebhookAttempt.objects.filter(delivery__endpoint=dead).count()
    assert 1 <= tried <= webhook_pass.FOR_ONE
    waiting = OutboxMessage.objects.filter(recipient=f"endpoint/{dead.pk}", attempts=0)
    assert waiting.count() == MANY - tried
    assert not waiting.exclude(status="pending").exists()


@pytest.mark.django_db
def test_receiver_that_says_no_at_once_is_told_of_everything_in_one_pass(
    partner: Partner, quick: Receiver
) -> None:
    endpoint, _ = endpoint_create(partner=partner, url=quick.url)
    for _ in range(MANY):
        submit(partner)
    quick.answers.extend([(500, {})] * MANY)

    assert sweep_webhooks() == 0
    assert len(quick.received) == MANY
    endpoint_disable(endpoint=endpoint, why="By hand.")
    assert sweep_webhooks() == 0

    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"failed"}
    assert len(quick.received) == MANY


@pytest.mark.django_db
def test_only_a_few_to_one_receiver_are_under_way_at_once(partner: Partner, slow: Receiver) -> None:
    endpoint_create(partner=partner, url=slow.url)
    for _ in range(MANY):
        submit(partner)
    lock, together, most = threading.Lock(), 0, 0
    full = threading.Event()

    def come_in() -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
            if together == webhook_pass.FOR_ONE:
                full.set()
        full.wait(PATIENCE)
        with lock:
            together -= 1

    slow.before = come_in

    assert sweep_webhooks() == MANY

    assert most == webhook_pass.FOR_ONE < webhook_pass.BESIDE


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_what_a_case_needs_leaves_while_a_webhook_is_waited_for(
    partner: Partner, slow: Receiver, officer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver answers once a start, written while it was waited for, has reached AWS."""
    endpoint_create(partner=partner, url=slow.url)
    submit(partner)
    application = casework.submit(officer)
    execution = Execution.objects.get(application=application)
    OutboxMessage.objects.exclude(kind="webhook").delete()
    OutboxMessage.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    arrived = threading.Event()
    in_time: list[bool] = []

    def write() -> None:
        try:
            arrived.wait(PATIENCE)
            OutboxMessage.objects.create(
                kind="start_execution", key="start/meanwhile", execution=execution, payload={}
            )
        finally:
            connection.close()

    with lambda_stub(monkeypatch) as aws:

        def wait_for_the_start() -> None:
            arrived.set()
            in_time.append(bool(eventually(lambda: aws.requests, seconds=PATIENCE)))

        slow.before = wait_for_the_start
        writer = threading.Thread(target=write)
        writer.start()

        sent = queue.send_due()

        writer.join()
    assert in_time == [True]
    assert sent == 2
    assert len(slow.received) == len(aws.requests) == 1


@pytest.mark.django_db
def test_pass_that_is_over_begins_no_more_webhooks(
    partner: Partner, quick: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_create(partner=partner, url=quick.url)
    submit(partner)
    monkeypatch.setattr(webhook_pass, "LONGEST_PASS", -1.0)

    assert sweep_webhooks() == 0
    assert quick.received == []
    assert OutboxMessage.objects.get(kind="webhook").attempts == 0
    monkeypatch.undo()
    assert sweep_webhooks() == 1


@pytest.mark.django_db
def test_each_event_arrives_after_five_failures_at_the_times_of_the_schedule(
    partner: Partner, slow: Receiver
) -> None:
    _, secret = endpoint_create(partner=partner, url=slow.url)
    for _ in range(3):
        submit(partner)
    OutboxMessage.objects.exclude(kind="webhook").update(status="cancelled")
    due = OutboxMessage.objects.filter(kind="webhook", status="pending")
    slow.answers.extend([(500, {})] * (3 * 5))
    slack = timedelta(seconds=2)

    for number in range(5):
        due.update(due_at=timezone.now() - timedelta(seconds=1))
        assert queue.send_due() == 0
        planned = delivery.SCHEDULE[number]
        for message in due:
            last = WebhookAttempt.objects.filter(delivery=message.payload["delivery"]).last()
            assert last is not None
            put_off = message.due_at - last.at
            assert planned - slack <= put_off <= planned * 1.1 + slack
        assert len(slow.received) == 3 * (number + 1)
    due.update(due_at=timezone.now() - timedelta(seconds=1))
    assert queue.send_due() == 3

    ids = [one.headers["webhook-id"] for one in slow.received]
    assert [ids.count(one) for one in set(ids)] == [6, 6, 6]
    told = [verified(one, secret, now=time.time())["data"]["reference"] for one in slow.received]
    assert len(set(told)) == 3
    assert set(WebhookDelivery.objects.values_list("status", "attempts")) == {("delivered", 6)}


@pytest.mark.django_db
def test_what_waited_behind_a_receiver_for_four_days_is_given_up(
    partner: Partner, slow: Receiver
) -> None:
    endpoint_create(partner=partner, url=slow.url)
    submit(partner)
    slow.answers.append((500, {}))
    long_ago = timezone.now() - delivery.LONGEST - timedelta(minutes=1)
    OutboxMessage.objects.filter(kind="webhook").update(created_at=long_ago)

    assert sweep_webhooks() == 0
    assert WebhookDelivery.objects.get().status == "pending"  # everything is tried once
    assert sweep_webhooks() == 0

    assert WebhookDelivery.objects.get().status == "failed"
    assert len(slow.received) == 1
    assert WebhookEndpoint.objects.get().status == "active"


@pytest.mark.django_db
def test_many_are_read_sent_and_noted_in_few_statements_each(
    partner: Partner, quick: Receiver
) -> None:
    """All wait for an answer until all are under way, so that they are settled together."""
    gate = threading.Barrier(webhook_pass.BESIDE, timeout=PATIENCE)
    quick.before = gate.wait
    for _ in range(webhook_pass.BESIDE // webhook_pass.FOR_ONE):
        endpoint_create(partner=partner, url=quick.url)
    for _ in range(webhook_pass.FOR_ONE):
        submit(partner)

    with CaptureQueriesContext(connection) as ran:
        assert sweep_webhooks() == webhook_pass.BESIDE

    told = WebhookDelivery.objects.values_list("status", "attempts", "last_status_code")
    assert set(told) == {("delivered", 1, 204)}
    assert WebhookAttempt.objects.filter(status_code=204).count() == webhook_pass.BESIDE
    assert set(OutboxMessage.objects.filter(kind="webhook").values_list("status", flat=True)) == {
        "sent"
    }
    inserts = [query for query in ran if 'INTO "webhooks_webhookattempt"' in query["sql"]]
    assert len(inserts) < webhook_pass.BESIDE / 2, len(inserts)


@pytest.mark.django_db
def test_answer_that_cannot_be_noted_holds_up_none_that_came_with_it(
    partner: Partner, quick: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_create(partner=partner, url=quick.url)
    for _ in range(webhook_pass.FOR_ONE):
        submit(partner)
    bad = OutboxMessage.objects.filter(kind="webhook").earliest("pk")
    note_all, together = delivery._note_all, []

    def noted(answered: Any, **options: Any) -> None:
        together.append(len(answered))
        if bad.pk in {message.pk for message, _ in answered} and options["accepted"]:
            raise DatabaseError("no room")
        note_all(answered, **options)

    monkeypatch.setattr(delivery, "_note_all", noted)
    gate = threading.Barrier(webhook_pass.FOR_ONE, timeout=PATIENCE)
    quick.before = gate.wait

    assert sweep_webhooks() == webhook_pass.FOR_ONE - 1

    bad.refresh_from_db()
    assert (bad.status, bad.attempts) == ("pending", 1)
    assert "no room" in bad.last_error
    assert OutboxMessage.objects.filter(kind="webhook", status="sent").count() == 3
    assert WebhookDelivery.objects.filter(status="delivered").count() == 3
