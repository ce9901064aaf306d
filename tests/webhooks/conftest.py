"""A receiver, an endpoint that leads to it, and an application of the endpoint's partner."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from partners.models import Partner
from tests.webhooks.receiver import Receiver, receiving
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEndpoint
from workflows.models import OutboxMessage
from workflows.outbox import queue


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def endpoint(partner: Partner, receiver: Receiver) -> WebhookEndpoint:
    return endpoint_create(partner=partner, url=receiver.url)[0]


def submit(partner: Partner, **fields: object) -> LoanApplication:
    return intake.application_create_and_submit(
        partner=partner,
        **{"applicant_name": "Alice", "sin_last4": "1111", "loan_amount": 150_000, **fields},
    )


def sweep_webhooks() -> int:
    """Send the webhooks alone, whenever they are due; returns how many left."""
    OutboxMessage.objects.exclude(kind="webhook").update(status="cancelled")
    OutboxMessage.objects.filter(status="pending").update(
        due_at=timezone.now() - timedelta(seconds=1)
    )
    return queue.send_due()
