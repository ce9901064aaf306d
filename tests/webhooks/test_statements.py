"""A webhook event is published, and sent again, in as many statements however many listen."""

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.choices import Status
from partners.models import Partner
from tests.webhooks.conftest import submit
from webhooks import events
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


def listening(partner: Partner, count: int) -> None:
    """That many endpoints of the partner, active, for every type of event."""
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(partner=partner, url=f"https://{number}.example/", secret="whsec_AAAA")
        for number in range(count)
    )


@pytest.mark.parametrize("count", [1, 50])
def test_change_of_status_costs_as_many_statements_for_fifty_endpoints_as_for_one(
    partner: Partner, count: int
) -> None:
    application = submit(partner)
    listening(partner, count)
    application.status = Status.FUNDED

    with CaptureQueriesContext(connection) as ran:
        event = events.event_publish(application=application)

    assert event is not None
    assert event.deliveries.count() == OutboxMessage.objects.filter(kind="webhook").count() == count
    assert len(ran) <= 4, [query["sql"][:80] for query in ran]


@pytest.mark.parametrize("count", [1, 50])
def test_event_that_is_sent_again_costs_as_many_statements_for_fifty_endpoints_as_for_one(
    partner: Partner, operations: User, count: int
) -> None:
    listening(partner, count)
    submit(partner)
    event = WebhookEvent.objects.get()
    WebhookDelivery.objects.update(status="failed")
    listening(partner, 1)  # of which the event knew nothing

    with CaptureQueriesContext(connection) as asked_for:
        assert events.event_resend(event=event, partner=partner) == count + 1
    WebhookDelivery.objects.update(status="failed")
    keys = list(WebhookDelivery.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as pressed:
        sent = events.deliveries_resend(deliveries=keys, user=operations)

    assert sent == events.Resent(sent=count + 1, others=0)
    rounds = Counter(WebhookDelivery.objects.values_list("round", flat=True))
    assert rounds == {3: count, 2: 1}
    assert OutboxMessage.objects.filter(kind="webhook").count() == 3 * count + 2
    assert len(asked_for) <= 12, [query["sql"][:80] for query in asked_for]
    assert len(pressed) <= 7, [query["sql"][:80] for query in pressed]
