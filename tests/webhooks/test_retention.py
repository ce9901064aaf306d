"""Delivered events are deleted after a while, in bounded steps; those still needed stay."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from partners.models import Partner
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver
from webhooks.endpoints import endpoint_disable, endpoint_rotate
from webhooks.events import event_resend
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from webhooks.retention import webhooks_forget
from workflows import sweep
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


def age(**by: Any) -> None:
    """Make everything as old as this."""
    long_ago = timezone.now() - timedelta(**by)
    WebhookEvent.objects.update(created_at=long_ago)
    WebhookDelivery.objects.exclude(delivered_at=None).update(delivered_at=long_ago)


def left() -> tuple[int, ...]:
    return (
        WebhookEvent.objects.count(),
        WebhookDelivery.objects.count(),
        WebhookAttempt.objects.count(),
        OutboxMessage.objects.filter(kind="webhook").count(),
    )


def test_delivered_event_goes_after_thirty_days_with_all_that_carried_it(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers.append((500, {}))
    submit(partner)
    sweep_webhooks()
    sweep_webhooks()
    event_resend(event=WebhookEvent.objects.get(), partner=partner)
    sweep_webhooks()
    assert left() == (1, 1, 3, 2)

    age(days=29)
    assert webhooks_forget(now=timezone.now(), limit=10) == 0
    age(days=31)
    assert webhooks_forget(now=timezone.now(), limit=10) == 1

    assert left() == (0, 0, 0, 0)
    assert OutboxMessage.objects.filter(kind="start_execution").exists()


def test_what_is_on_its_way_failed_or_was_sent_again_lately_stays(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    for _ in range(4):
        submit(partner)
    sweep_webhooks()
    pending, failed, again, _ = WebhookDelivery.objects.order_by("pk")
    age(days=31)
    WebhookDelivery.objects.filter(pk=pending.pk).update(status="pending", delivered_at=None)
    WebhookDelivery.objects.filter(pk=failed.pk).update(status="failed", delivered_at=None)
    WebhookDelivery.objects.filter(pk=again.pk).update(delivered_at=timezone.now())

    assert webhooks_forget(now=timezone.now(), limit=10) == 1
    assert set(WebhookDelivery.objects.all()) == {pending, failed, again}
    age(days=91)

    assert webhooks_forget(now=timezone.now(), limit=10) == 2
    assert WebhookDelivery.objects.get() == pending


def test_event_that_nobody_listened_to_goes_as_well(partner: Partner) -> None:
    submit(partner)
    age(days=31)

    assert webhooks_forget(now=timezone.now(), limit=10) == 1
    assert left() == (0, 0, 0, 0)


def test_each_time_a_bounded_number_goes_the_oldest_first(
    partner: Partner, endpoint: WebhookEndpoint
) -> None:
    for _ in range(5):
        submit(partner)
    sweep_webhooks()
    age(days=31)
    newest = list(WebhookEvent.objects.order_by("-id")[:2])

    assert webhooks_forget(now=timezone.now(), limit=3) == 3
    assert list(WebhookEvent.objects.all()) == newest
    assert webhooks_forget(now=timezone.now(), limit=3) == 2
    assert webhooks_forget(now=timezone.now(), limit=3) == 0


def test_days_are_a_setting_and_the_sweep_does_it(
    partner: Partner, endpoint: WebhookEndpoint, settings: Any
) -> None:
    submit(partner)
    sweep_webhooks()
    endpoint_rotate(endpoint=endpoint)
    age(days=8)
    WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    settings.LOANOFFICE_WEBHOOK_DAYS = 7

    sweep.sweep()

    assert left() == (0, 0, 0, 0)
    row = WebhookEndpoint.objects.get()
    assert (row.previous_secret, row.previous_until) == ("", None)
    assert row.secret


def test_secret_that_still_signs_is_not_forgotten(endpoint: WebhookEndpoint) -> None:
    endpoint_rotate(endpoint=endpoint)

    sweep.sweep()

    assert WebhookEndpoint.objects.get().previous_secret == endpoint.secret


def test_endpoint_of_what_was_forgotten_stays(partner: Partner, endpoint: WebhookEndpoint) -> None:
    submit(partner)
    endpoint_disable(endpoint=endpoint, why="By hand.")
    sweep_webhooks()
    age(days=91)

    assert webhooks_forget(now=timezone.now(), limit=10) == 1
    assert WebhookEndpoint.objects.get() == endpoint
