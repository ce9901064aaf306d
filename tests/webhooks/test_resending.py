"""A webhook is sent again once, however many ask, and only by the page that knows its delivery."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection

from accounts.roles import Role
from audit.models import AuditEntry
from core.errors import NotPermitted
from partners.models import Partner
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver
from webhooks import endpoints, events
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows import operations as desk
from workflows.models import OutboxMessage

AT_ONCE = 8


def together(what: Callable[[], object]) -> list[object]:
    """The same from several threads at once: what each was given, or why it was refused."""

    def one(_: int) -> object:
        try:
            return what()
        except events.DeliveryUnderWay as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_delivery_that_many_resend_at_once_leaves_once(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver, operations: User
) -> None:
    submit(partner)
    WebhookDelivery.objects.update(status="failed")
    OutboxMessage.objects.all().delete()

    given = together(
        lambda: events.delivery_resend(delivery=WebhookDelivery.objects.get(), user=operations)
    )

    assert given.count(True) == 1
    assert WebhookDelivery.objects.get().round == 2
    assert AuditEntry.objects.filter(message__startswith="Sent again").count() == 1
    assert sweep_webhooks() == 1
    assert len(receiver.received) == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_event_that_a_partner_asks_for_many_times_at_once_is_put_on_the_way_once(
    partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    sweep_webhooks()
    event = WebhookEvent.objects.get()

    assert together(lambda: events.event_resend(event=event, partner=partner)) == [1] * AT_ONCE

    assert WebhookDelivery.objects.get().round == 2
    assert sweep_webhooks() == 1


@pytest.mark.django_db
def test_event_that_was_forgotten_a_moment_before_is_not_there(
    partner: Partner, endpoint: WebhookEndpoint
) -> None:
    submit(partner)
    event = WebhookEvent.objects.get()
    WebhookDelivery.objects.all().delete()
    event.delete()
    event.pk = 1

    with pytest.raises(events.NoSuchEvent):
        events.event_resend(event=event, partner=partner)


@pytest.mark.django_db
def test_message_of_a_webhook_is_not_resent_past_its_delivery(
    partner: Partner, endpoint: WebhookEndpoint, operations: User
) -> None:
    submit(partner)
    OutboxMessage.objects.filter(kind="webhook").update(status="dead")
    message = OutboxMessage.objects.get(kind="webhook")

    for refused in (desk.resend_check, desk.message_resend):
        with pytest.raises(desk.SentFromItsDelivery):
            refused(message=message, user=operations)

    message.refresh_from_db()
    assert message.status == "dead"


@pytest.mark.django_db
def test_services_refuse_who_may_not_and_write_nothing(
    partner: Partner, endpoint: WebhookEndpoint, make_user: Callable[..., User], auditor: User
) -> None:
    submit(partner)
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(status="failed")
    officer = make_user("somebody", Role.LOAN_OFFICER)
    entries = AuditEntry.objects.count()
    by = {"by": officer}

    for refused in (
        lambda: endpoints.endpoint_create(partner=partner, url="https://a.invalid/", **by),
        lambda: endpoints.endpoint_rotate(endpoint=endpoint, **by),
        lambda: endpoints.endpoint_disable(endpoint=endpoint, why="x", **by),
        lambda: endpoints.endpoint_enable(endpoint=endpoint, why="x", **by),
        lambda: events.delivery_resend(delivery=delivery, user=auditor),
        lambda: events.deliveries_resend(deliveries=[delivery.pk], user=auditor),
    ):
        with pytest.raises(NotPermitted):
            refused()

    assert AuditEntry.objects.count() == entries
    assert WebhookEndpoint.objects.get().secret == endpoint.secret
    assert WebhookDelivery.objects.get().status == "failed"
