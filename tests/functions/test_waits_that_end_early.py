"""The deadline on record decides, not the engine's timer."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import ApplicationEvent
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.casework import submit
from tests.functions.wire import Wire, wire
from tests.waiting import eventually
from workflows.callbacks import pending
from workflows.models import Incident, PendingCallback

ROUNDED = timedelta(seconds=1)  # the engine counts whole seconds
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


def open_task(kind: TaskKind) -> ReviewTask:
    tasks = ReviewTask.objects.filter(kind=kind, status="open", callback__isnull=False)
    return eventually(tasks.first, what=f"an open {kind}")


def waits_again(first: str) -> PendingCallback:
    """Return the pending callback once it waits under another id of the engine."""
    moved = PendingCallback.objects.filter(status="open").exclude(callback_id=first)
    return eventually(moved.first, what="the workflow waits again")


def test_engine_that_stops_waiting_too_early_waits_again(
    aws: Wire, officer: User, manager: User
) -> None:
    application = submit(officer, loan_amount=Decimal(150000))
    task = open_task(TaskKind.MANAGER_APPROVAL)
    first = task.callback.callback_id
    aws.time_out(first)
    callback = waits_again(first)
    assert (callback.review_task, callback.status) == (task, "open")
    told = timedelta(seconds=aws.waits_for(callback.callback_id))
    assert callback.expires_at - timezone.now() <= told
    assert told <= callback.expires_at - task.opened_at + ROUNDED
    (line,) = ApplicationEvent.objects.filter(kind="not_decided")
    assert "before the time to decide was over" in line.message
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    aws.result(f"{application.reference}-1")
    application.refresh_from_db()
    assert (application.status, application.current_step) == ("funded", "complete")
    assert not Incident.objects.exists()


def test_offer_waits_until_the_end_of_its_last_day_and_then_expires(
    aws: Wire, officer: User, settings: Any
) -> None:
    casework.change_policies(offer_acceptance_required=True)
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    task = open_task(TaskKind.OFFER_ACCEPTANCE)
    offer, first = application.offers.get(), task.callback.callback_id
    assert task.expires_at == offer.expires_at
    told = timedelta(seconds=aws.waits_for(first))
    over = offer.expires_at + settings.LOANOFFICE_DELIVERY_GRACE
    assert over - timezone.now() <= told <= over - offer.issued_at + ROUNDED
    aws.time_out(first)  # too early: the offer is still open
    waits_again(first)
    ReviewTask.objects.update(expires_at=task.opened_at)
    assert pending.task_time_out(task_id=task.pk) is True
    aws.result(f"{application.reference}-1")
    application.refresh_from_db()
    assert (application.status, application.current_step) == ("expired", "offer_acceptance")
