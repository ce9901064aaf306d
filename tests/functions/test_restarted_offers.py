"""An accepted offer whose payout was refused, restarted, on the durable SDK's own test runner."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.models import Disbursement, LoanApplication
from lending.choices import Outcome
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.functions.wire import Wire, wire
from tests.hard_cases.rail import Rail, http_rail
from tests.lending.publishing import copy_in_force, publish
from tests.waiting import eventually
from workflows.operations import application_restart

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


@pytest.fixture
def rail(settings: Any, transactional_db: None) -> Iterator[Rail]:
    with http_rail() as serving:
        provider = {"url": serving.url, "token": "t"}
        settings.LOANOFFICE_PROVIDERS = {**settings.LOANOFFICE_PROVIDERS, "payout": provider}
        yield serving


def status_at_end(aws: Wire, application: LoanApplication) -> str:
    aws.result(f"{application.reference}-{application.attempt}")
    application.refresh_from_db()
    return application.status


def accept(application: LoanApplication, officer: User) -> None:
    task = eventually(
        lambda: ReviewTask.objects.filter(
            application=application, attempt=application.attempt, status="open"
        ).first()
    )
    decisions.task_decide(task=task, user=officer, outcome=Outcome.APPROVE)


def test_it_is_paid_without_asking_again_and_asked_again_under_another_policy(
    aws: Wire, rail: Rail, officer: User, operations: User
) -> None:
    casework.change_policies(offer_acceptance_required=True)
    rail.pays = rail.refused
    application = casework.submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    accept(application, officer)
    assert status_at_end(aws, application) == "needs_attention"
    draft = copy_in_force()  # which asks nobody
    draft.tiers.filter(tier="subprime").update(annual_rate="12.00")
    publish(draft)

    restarted = application_restart(reference=application.reference, user=operations)
    assert status_at_end(aws, restarted) == "needs_attention"
    assert len(rail.payments) == 2, "the accepted offer goes to the rail again"
    assert ReviewTask.objects.count() == 1

    restarted = application_restart(
        reference=application.reference, user=operations, policy_version=2
    )
    rail.pays = rail.booked
    accept(restarted, officer)
    assert status_at_end(aws, restarted) == "funded"

    assert len(rail.payments) == 3
    assert Disbursement.objects.get().status == "paid"
    rates = application.offers.order_by("attempt").values_list("annual_rate", "accepted_in")
    assert list(rates) == [(11, None), (11, 1), (12, None)]
