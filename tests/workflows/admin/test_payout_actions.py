"""Actions of Operations on a payout of unknown outcome: proposed by one, confirmed by another."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import reverse

from accounts.models import Proposal
from applications.choices import Status
from applications.models import Disbursement, LoanApplication
from tests.applications.admin.conftest import Login, page, said
from tests.workflows.admin.operator_actions import NOTE, buttons, facts, line
from workflows.models import Incident, OutboxMessage, SimulatedPayout

# The simulated rail looks into its books beside the test's transaction, as a bank would.
BESIDE = pytest.mark.django_db(transaction=True)


def rail_has_paid(application: LoanApplication) -> None:
    SimulatedPayout.objects.create(
        idempotency_key=f"payout-{application.reference}",
        reference="PAY-9",
        amount=Decimal(25000),
        currency="CAD",
    )


def confirm(login: Login, user: User) -> Any:
    """Another person confirms the one open proposal."""
    proposal = Proposal.objects.get(status=Proposal.Status.OPEN)
    return login(user).post(reverse("admin:accounts_proposal_confirm", args=[proposal.pk]))


def test_paid_with_the_rails_reference_funds_the_case_once_when_another_confirms(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    client = login(operations)

    asked = client.post(page("paid", unknown), {**NOTE, "rail_reference": " WIRE-7 "}, follow=True)

    unknown.refresh_from_db()
    assert (unknown.status, unknown.disbursement.status) == (Status.NEEDS_ATTENTION, "unknown")
    html = asked.content.decode()
    assert "It waits for senior." in html
    for shown in ("25,000.00 CAD", "Outcome unknown", "Paid", "WIRE-7 (as typed", *NOTE.values()):
        assert shown in html.replace("&#x27;", "'")
    assert buttons(client, unknown) == []
    for each in (client, login(senior)):
        assert 'id="to-proposal"' in each.get(page("change", unknown)).content.decode()
    confirm(login, senior)

    unknown.refresh_from_db()
    assert unknown.status == Status.FUNDED
    assert (unknown.disbursement.status, unknown.disbursement.rail_reference) == ("paid", "WIRE-7")
    left = line(unknown, "payout_settled")
    assert (left.actor, left.is_internal) == (senior, True)
    people = {"proposed_by": "operations", "confirmed_by": "senior"}
    assert left.data == {"paid": True, "rail_reference": "WIRE-7", **NOTE, **people}
    assert Incident.objects.get().status == Incident.Status.RESOLVED
    assert OutboxMessage.objects.filter(key=f"closed/{unknown.reference}-1").count() == 1
    before = facts(unknown)
    again = client.post(page("paid", unknown), NOTE)
    assert "is not of unknown outcome: paid." in said(again)[-1]
    assert facts(unknown) == before


@BESIDE
def test_paid_takes_the_reference_from_a_rail_that_knows_it(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    rail_has_paid(unknown)

    login(operations).post(page("paid", unknown), {**NOTE, "rail_reference": "typed wrongly"})
    confirm(login, senior)

    assert Disbursement.objects.get().rail_reference == "PAY-9"


def test_paid_asks_for_the_reference_where_the_rail_does_not_know_it(
    login: Login, operations: User, unknown: LoanApplication
) -> None:
    before = facts(unknown)

    answer = login(operations).post(page("paid", unknown), NOTE)

    assert answer.status_code == 200
    assert "enter the reference" in answer.context["form"].errors["rail_reference"][0]
    assert NOTE["note"] in answer.content.decode().replace("&#x27;", "'")
    assert facts(unknown) == before


def test_not_paid_is_recorded_once_and_the_case_can_be_restarted(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    client = login(operations)

    client.post(page("not_paid", unknown), NOTE)
    confirm(login, senior)

    unknown.refresh_from_db()
    assert (unknown.status, unknown.disbursement.status) == (Status.NEEDS_ATTENTION, "not_paid")
    assert line(unknown, "payout_settled").data["paid"] is False
    assert "was not made" in Incident.objects.get().sentence
    before = facts(unknown)
    client.post(page("not_paid", unknown), NOTE)
    assert facts(unknown) == before
    assert buttons(client, unknown) == ["restart"]
    assert "Not paid, as two people found" in client.get(page("change", unknown)).content.decode()


@BESIDE
def test_not_paid_is_refused_where_the_rail_has_paid(
    login: Login, operations: User, unknown: LoanApplication
) -> None:
    rail_has_paid(unknown)
    before = facts(unknown)

    answer = login(operations).post(page("not_paid", unknown), NOTE)

    assert answer.status_code == 200
    shown = answer.context["form"].non_field_errors()[0]
    assert f"it paid {unknown.reference} as PAY-9" in shown
    assert "Say that it was paid instead." in shown
    assert facts(unknown) == before


@pytest.mark.parametrize("press", ["not_paid", "paid"])
def test_rail_that_cannot_be_asked_is_shown_and_only_paid_goes_without_it(
    login: Login, operations: User, senior: User, unknown: LoanApplication, press: str
) -> None:
    nowhere = {"payout": {"url": "http://127.0.0.1:9", "token": ""}}
    before = facts(unknown)

    with override_settings(LOANOFFICE_PROVIDERS=nowhere):
        answer = login(operations).post(page(press, unknown), {**NOTE, "rail_reference": "R-1"})

        if press == "paid":
            confirm(login, senior)

    if press == "paid":
        unknown.refresh_from_db()
        assert unknown.status == Status.FUNDED
    else:
        assert answer.status_code == 200
        assert "cannot be asked" in answer.context["form"].non_field_errors()[0]
        assert facts(unknown) == before


@pytest.mark.parametrize("press", ["paid", "not_paid"])
def test_payout_is_not_settled_without_a_note(
    login: Login, operations: User, unknown: LoanApplication, press: str
) -> None:
    before = facts(unknown)

    answer = login(operations).post(page(press, unknown), {"rail_reference": "R", "note": "  "})

    assert answer.context["form"].errors["note"]
    assert facts(unknown) == before


@BESIDE
def test_refused_payout_is_ordered_anew_when_another_confirms(
    login: Login, operations: User, senior: User, refused: LoanApplication
) -> None:
    client = login(operations)
    assert client.post(page("order_anew", refused), {"note": " "}).context["form"].errors["note"]

    asked = client.post(page("order_anew", refused), NOTE, follow=True)

    html = asked.content.decode()
    key = f"payout-{refused.reference}"
    for shown in (f"Order the payout of {refused.reference} anew", key, f"{key}-2", "senior."):
        assert shown in html
    assert buttons(client, refused) == ["restart"]
    assert 'id="to-proposal"' in client.get(page("change", refused)).content.decode()
    confirm(login, senior)

    refused.refresh_from_db()
    assert (refused.status, refused.attempt) == (Status.SUBMITTED, 2)
    assert refused.disbursement.order_keys == (key, f"{key}-2")
    left = line(refused, "payout_ordered_anew")
    assert (left.actor, left.is_internal, left.data["note"]) == (senior, True, NOTE["note"])
    before = facts(refused)
    again = client.post(page("order_anew", refused), NOTE)
    assert "has not refused the payout" in said(again)[-1]
    assert facts(refused) == before


@BESIDE
def test_new_order_is_refused_where_the_rail_has_paid(
    login: Login, operations: User, refused: LoanApplication
) -> None:
    rail_has_paid(refused)
    before = facts(refused)

    answer = login(operations).post(page("order_anew", refused), NOTE)

    assert f"it paid {refused.reference} as PAY-9" in answer.context["form"].non_field_errors()[0]
    assert facts(refused) == before


@BESIDE
def test_withdrawal_in_doubt_is_refused_with_a_message(
    login: Login, officer: User, refused: LoanApplication
) -> None:
    rail_has_paid(refused)
    before = facts(refused)

    answer = login(officer).post(page("withdraw", refused), {"reason": "Changed their mind."})

    assert "the rail says that it was paid. Nothing was changed." in said(answer)[-1]
    assert facts(refused) == before
