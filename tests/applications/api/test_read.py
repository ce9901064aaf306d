"""GET /applications/{reference}/: what is told in each state, to whom, and 304."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.models import Disbursement, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.services import decisions
from tests import casework
from tests.partners.api.calls import Caller, assert_problem, path
from workflows import handover
from workflows.operations import application_restart
from workflows.steps import payout, review, validation


def zulu(value: Any) -> str:
    return str(value.isoformat().replace("+00:00", "Z"))


def test_case_that_waits_says_who_for_and_until_when(api: Caller, partner: Partner) -> None:
    application = casework.waiting_for_manager(None, partner=partner)

    body = api.get(path(application.reference)).json()

    assert body["status"] == "pending_approval"
    assert body["current_step"] == "manager_approval"
    assert body["waiting_on"] == {
        "who": "manager",
        "since": zulu(application.waiting_since),
        "until": zulu(application.waiting_until),
    }
    assert body["decision"] is None


@pytest.mark.parametrize(
    ("amount", "who"),
    [("250000.00", "manager"), ("250000.01", "senior_manager"), ("500000.00", "senior_manager")],
)
def test_case_above_the_ceiling_waits_for_a_senior_manager(
    api: Caller, partner: Partner, amount: str, who: str
) -> None:
    application = casework.waiting_for_manager(None, partner=partner, loan_amount=Decimal(amount))

    assert api.get(path(application.reference)).json()["waiting_on"]["who"] == who


def test_offer_is_told_with_its_terms_and_the_decision(api: Caller, partner: Partner) -> None:
    application = casework.offered(None, partner=partner)
    offer = application.offers.get()

    body = api.get(path(application.reference)).json()

    assert body["status"] == "approved"
    assert body["decision"] == {
        "outcome": "approve",
        "decided_at": zulu(application.decided_at),
        "reasons": [],
        "risk_tier": "subprime",
        "average_score": 641,
        "policy_version": 1,
    }
    assert body["offer"] == {
        "offer_id": offer.offer_id,
        "annual_rate": "11.00",
        "term_months": 60,
        "monthly_payment": "543.56",
        "total_interest": f"{offer.total_interest:.2f}",
        "expires_at": zulu(offer.expires_at),
    }
    assert body["disbursement"] is None


@pytest.mark.parametrize("status", ["requested", "unknown", "refused"])
def test_payout_is_not_told_before_it_is_sure(api: Caller, partner: Partner, status: str) -> None:
    application = casework.disbursing(None, partner=partner)
    Disbursement.objects.update(status=status)

    body = api.get(path(application.reference)).json()

    assert body["current_step"] == "disbursing"
    assert body["disbursement"] is None


def test_funded_case_tells_the_payout(api: Caller, partner: Partner) -> None:
    application = casework.funded(None, partner=partner)

    body = api.get(path(application.reference)).json()

    assert (body["status"], body["current_step"]) == ("funded", "complete")
    assert body["disbursement"] == {
        "reference": "RAIL-1",
        "amount": "25000.00",
        "funded_at": zulu(application.disbursement.funded_at),
    }


def test_case_declined_by_the_policy_says_why(api: Caller, partner: Partner) -> None:
    application = casework.submit(
        None, partner=partner, sin_last4="3333", loan_amount=Decimal("25000.01")
    )
    casework.assess(application)

    body = api.get(path(application.reference)).json()

    assert body["status"] == "declined"
    assert body["decision"]["outcome"] == "decline"
    assert [reason["code"] for reason in body["decision"]["reasons"]] == ["AMOUNT_ABOVE_TIER_LIMIT"]
    assert set(body["decision"]["reasons"][0]) == {"code", "text"}
    assert body["offer"] is None


def test_case_declined_by_a_manager_says_why_and_not_who(
    api: Caller, partner: Partner, manager: User
) -> None:
    application = casework.waiting_for_manager(None, partner=partner)
    decisions.task_decide(
        task=application.review_tasks.get(),
        user=manager,
        outcome=Outcome.DECLINE,
        reason="Income not verified.",
    )
    review.declined_on_review(casework.run_of(application), TaskKind.MANAGER_APPROVAL)

    response = api.get(path(application.reference))

    reason = response.json()["decision"]["reasons"][0]
    assert reason["code"] == "MANAGER_DECLINED"
    assert "Income not verified." in reason["text"]
    assert manager.get_username() not in response.content.decode().replace("manager_", "")


def test_case_that_was_never_assessed_has_a_decision_without_a_tier(
    api: Caller, partner: Partner
) -> None:
    application = casework.submit(None, partner=partner)
    LoanApplication.objects.update(currency="USD")
    validation.validation_record(casework.run_of(application))

    decision = api.get(path(application.reference)).json()["decision"]

    assert decision["outcome"] == "decline"
    assert (decision["risk_tier"], decision["average_score"]) == (None, None)
    assert decision["policy_version"] == 1


def test_restarted_case_tells_nothing_of_the_attempt_before(
    api: Caller, partner: Partner, operations: User
) -> None:
    application = casework.disbursing(None, partner=partner)
    run = casework.run_of(application)
    payout.disbursement_hold(run, status=Disbursement.Status.REFUSED)
    handover.needs_attention(run, sentence="The rail refused.")
    application_restart(reference=application.reference, user=operations)

    body = api.get(path(application.reference)).json()

    assert body["status"] == "submitted"
    assert (body["decision"], body["offer"], body["disbursement"]) == (None, None, None)


def test_times_are_utc_whatever_the_offices_time_zone(
    api: Caller, partner: Partner, settings: Any
) -> None:
    application = casework.submit(None, partner=partner)
    LoanApplication.objects.update(submitted_at="2026-07-01T12:00:00-04:00")

    body = api.get(path(application.reference)).json()

    assert settings.TIME_ZONE == "America/Toronto"
    assert body["submitted_at"] == "2026-07-01T16:00:00Z"


# --- Whose --------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "events/"])
def test_reference_of_another_is_answered_like_one_that_does_not_exist(
    api: Caller, other_partner: Partner, submitted: LoanApplication, more: str
) -> None:
    theirs = casework.submit(None, partner=other_partner)
    answers = []
    for reference in (theirs.reference, submitted.reference, "LOAN-23456789"):
        problem = assert_problem(api.get(path(reference, more)), 404, "not-found")
        del problem["instance"], problem["request_id"]
        answers.append(problem)

    assert answers[0] == answers[1] == answers[2]


def test_draft_of_staff_does_not_exist_for_partners(api: Caller, draft: LoanApplication) -> None:
    assert_problem(api.get(path(draft.reference)), 404, "not-found")


def test_staff_read_any_application(
    as_staff: Callable[[User], Caller], auditor: User, partner: Partner, draft: LoanApplication
) -> None:
    theirs = casework.submit(None, partner=partner)
    staff = as_staff(auditor)

    assert staff.get(path(theirs.reference)).json()["reference"] == theirs.reference
    assert staff.get(path(draft.reference)).json()["status"] == "draft"


@pytest.mark.parametrize(
    "reference", ["%00", "a%00b", "..", "%2e%2e", "a%2Fb", "x" * 21, "ü", "%F0%9F%A6%89", " ", "'"]
)
def test_what_cannot_be_a_reference_is_not_found(api: Caller, reference: str) -> None:
    for more in ("", "events/"):
        assert_problem(api.get(path(reference, more)), 404, "not-found")


# --- 304 ----------------------------------------------------------------------------------


def test_current_copy_gets_304_and_no_body(api: Caller, partner: Partner) -> None:
    address = path(casework.submit(None, partner=partner).reference)
    tag = api.get(address)["ETag"]

    response = api.get(address, **{"If-None-Match": tag})

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == tag
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize("known", ["W/{tag}", '"other", {tag}', "*", '"a",W/{tag} , "b"'])
def test_tag_is_found_in_every_form_of_the_header(
    api: Caller, partner: Partner, known: str
) -> None:
    address = path(casework.submit(None, partner=partner).reference)
    header = known.format(tag=api.get(address)["ETag"])

    assert api.get(address, **{"If-None-Match": header}).status_code == 304


@pytest.mark.parametrize("known", ['"other"', "", "nonsense", 'W/"x"'])
def test_other_tag_gets_the_application(api: Caller, partner: Partner, known: str) -> None:
    address = path(casework.submit(None, partner=partner).reference)

    assert api.get(address, **{"If-None-Match": known}).status_code == 200


def test_tag_changes_with_every_change_that_is_told(
    api: Caller, partner: Partner, manager: User
) -> None:
    application = casework.submit(None, partner=partner)
    address = path(application.reference)
    tags = [api.get(address)["ETag"]]
    casework.assess(application)
    tags.append(api.get(address)["ETag"])
    task = casework.ask(application)
    tags.append(api.get(address)["ETag"])
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    tags.append(api.get(address)["ETag"])
    intake.application_withdraw(reference=application.reference, partner=partner)
    tags.append(api.get(address)["ETag"])

    assert all(before != after for before, after in pairwise(tags))


def test_head_answers_as_get_does_without_a_body(api: Caller, partner: Partner) -> None:
    address = path(casework.submit(None, partner=partner).reference)

    response = api.call("HEAD", address)

    assert response.status_code == 200
    assert response["ETag"] == api.get(address)["ETag"]


def test_queries_of_one_application_are_few(api: Caller, partner: Partner) -> None:
    address = path(casework.funded(None, partner=partner).reference)
    api.get(address)  # notes that the key was used

    with CaptureQueriesContext(connection) as queries:
        api.get(address)

    assert len(queries) == 4  # the key, the application, its offers, its assessments
