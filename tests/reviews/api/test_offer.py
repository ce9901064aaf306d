"""POST /applications/{reference}/offer/accept/ and /decline/: the applicant's answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import ApplicationEvent, LoanApplication, LoanOffer
from applications.services import intake
from audit.models import AuditEntry
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.errors import AlreadyDecided
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import claims, decisions
from reviews.services.offer_answers import offer_answer
from tests import casework
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import Caller, assert_problem, path
from workflows.callbacks.pending import task_time_out
from workflows.models import Incident, OutboxMessage, PendingCallback
from workflows.steps import payout, review

ACCEPT, DECLINE = "offer/accept/", "offer/decline/"
ANSWERS = pytest.mark.parametrize("answer", [ACCEPT, DECLINE])


@pytest.fixture
def offered(partner: Partner) -> LoanApplication:
    """The partner's case, which waits for the applicant to answer its offer."""
    application = casework.offered(None, partner=partner)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    return application


def offer_of(application: LoanApplication) -> LoanOffer:
    return LoanOffer.objects.get(application=application, attempt=application.attempt)


def assert_refused(api: Caller, address: str, code: str, body: Any = None) -> dict[str, Any]:
    """The answer is this conflict, and nothing at all was written."""
    before = everything_stored()
    problem = assert_problem(api.post(address, body), 409, code)
    assert everything_stored() == before
    return problem


@pytest.mark.parametrize(
    ("answer", "outcome", "marked", "unmarked"),
    [
        (ACCEPT, "approve", "accepted_at", "declined_at"),
        (DECLINE, "decline", "declined_at", "accepted_at"),
    ],
)
def test_answer_is_recorded_as_the_partners_and_carried_to_the_engine(
    api: Caller,
    partner: Partner,
    offered: LoanApplication,
    answer: str,
    outcome: str,
    marked: str,
    unmarked: str,
) -> None:
    response = api.post(path(offered.reference, answer))

    assert response.status_code == 200
    assert response.json() == api.get(path(offered.reference)).json()
    assert response.json()["waiting_on"] is None
    assert response.json()["offer"]["offer_id"] == offer_of(offered).offer_id
    decision = ReviewDecision.objects.get()
    assert (decision.partner, decision.decided_by, decision.on_behalf_of) == (partner, None, None)
    assert (decision.outcome, decision.late) == (outcome, False)
    task = ReviewTask.objects.get()
    assert (task.status, task.outcome) == ("decided", outcome)
    offer = offer_of(offered)
    assert getattr(offer, marked) == decision.decided_at
    assert getattr(offer, unmarked) is None
    callback = PendingCallback.objects.get(review_task=task)
    assert callback.answer == {"outcome": outcome, "task": task.pk, "decision": decision.pk}
    assert (
        OutboxMessage.objects.get(kind="answer_callback", callback=callback).payload
        == callback.answer
    )


def test_answer_is_a_line_of_the_timeline_and_of_the_audit_log_that_names_the_partner(
    api: Caller, partner: Partner, offered: LoanApplication
) -> None:
    api.post(path(offered.reference, DECLINE), {"reason": " Too dear. "})

    line = ApplicationEvent.objects.latest("id")
    assert (line.kind, line.actor, line.partner) == ("offer_acceptance_declined", None, partner)
    assert line.data["reason"] == "Too dear."
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.who, entry.is_partner) == ("decided", "Maple Brokers", True)
    assert entry.changes == {"decision": [None, "decline"]}


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}])
def test_decline_needs_no_reason(api: Caller, offered: LoanApplication, body: Any) -> None:
    assert api.post(path(offered.reference, DECLINE), body).status_code == 200
    assert ReviewDecision.objects.get().reason == "No reason was given."


def test_reason_stands_among_the_reasons_once_the_workflow_has_closed_the_case(
    api: Caller, offered: LoanApplication
) -> None:
    api.post(path(offered.reference, DECLINE), {"reason": "Too dear."})
    review.declined_on_review(casework.run_of(offered), TaskKind.OFFER_ACCEPTANCE)

    case = api.get(path(offered.reference)).json()
    assert case["status"] == "declined"
    assert case["decision"]["reasons"] == [
        {"code": "OFFER_DECLINED", "text": "The applicant declined the offer. Too dear."}
    ]


# --- Once -----------------------------------------------------------------------------------


@ANSWERS
def test_same_answer_again_changes_nothing(
    api: Caller, offered: LoanApplication, answer: str
) -> None:
    first = api.post(path(offered.reference, answer))
    before = everything_stored()

    second = api.post(path(offered.reference, answer))

    assert (second.status_code, second.json()) == (200, first.json())
    assert everything_stored() == before


@pytest.mark.parametrize(("first", "second"), [(ACCEPT, DECLINE), (DECLINE, ACCEPT)])
def test_other_answer_afterwards_is_a_conflict_and_the_first_stands(
    api: Caller, offered: LoanApplication, first: str, second: str
) -> None:
    api.post(path(offered.reference, first))

    assert_refused(api, path(offered.reference, second), "already-decided")


def test_answer_that_staff_recorded_stands_and_their_name_is_not_told(
    api: Caller, offered: LoanApplication, officer: User
) -> None:
    decisions.task_decide(task=ReviewTask.objects.get(), user=officer, outcome=Outcome.APPROVE)

    assert api.post(path(offered.reference, ACCEPT)).status_code == 200
    problem = assert_refused(api, path(offered.reference, DECLINE), "already-decided")
    assert "officer" not in str(problem)
    assert ReviewDecision.objects.get().decided_by == officer


def test_staff_are_told_that_the_partner_was_first(
    api: Caller, offered: LoanApplication, officer: User
) -> None:
    api.post(path(offered.reference, ACCEPT))

    with pytest.raises(AlreadyDecided, match="by Maple Brokers"):
        decisions.task_decide(task=ReviewTask.objects.get(), user=officer, outcome=Outcome.APPROVE)


def test_under_a_key_the_answer_is_replayed_though_the_case_went_on(
    api: Caller, offered: LoanApplication
) -> None:
    key = {"Idempotency-Key": "accept-1"}
    first = api.post(path(offered.reference, ACCEPT), **key)
    payout.disbursement_request(casework.run_of(offered))
    second = api.post(path(offered.reference, ACCEPT), **key)

    assert second["Idempotent-Replayed"] == "true"
    assert second.content == first.content


def test_claim_of_a_member_of_staff_does_not_keep_the_applicant_out(
    api: Caller, offered: LoanApplication, officer: User
) -> None:
    claims.task_claim(task=ReviewTask.objects.get(), user=officer)

    assert api.post(path(offered.reference, ACCEPT)).status_code == 200
    assert ReviewTask.objects.get().claimed_by is None


# --- Which offer ----------------------------------------------------------------------------


@ANSWERS
def test_offer_that_was_read_is_the_current_one(
    api: Caller, offered: LoanApplication, answer: str
) -> None:
    body = {"offer_id": offer_of(offered).offer_id}

    assert api.post(path(offered.reference, answer), body).status_code == 200


@ANSWERS
def test_offer_that_is_not_the_current_one_is_a_conflict(
    api: Caller, offered: LoanApplication, answer: str
) -> None:
    problem = assert_refused(
        api, path(offered.reference, answer), "stale-offer", {"offer_id": "OFFER-OLD-1"}
    )
    assert offer_of(offered).offer_id in problem["detail"]


@pytest.mark.parametrize(
    ("answer", "body", "field"),
    [
        (ACCEPT, {"reason": "I like it."}, "reason"),
        (ACCEPT, {"offer_id": 7}, "offer_id"),
        (ACCEPT, {"offer_id": "x" * 31}, "offer_id"),
        (ACCEPT, {"offer_id": ""}, "offer_id"),
        (DECLINE, {"reason": 7}, "reason"),
        (DECLINE, {"reason": "x" * 2001}, "reason"),
        (DECLINE, {"offer_id": None}, "offer_id"),
        (DECLINE, {"approved": False}, "approved"),
    ],
)
def test_body_that_is_not_of_this_shape_is_refused_by_field(
    api: Caller, offered: LoanApplication, answer: str, body: Any, field: str
) -> None:
    before = everything_stored()
    response = api.post(path(offered.reference, answer), body)

    assert list(assert_problem(response, 400, "invalid-request")["errors"]) == [field]
    assert everything_stored() == before


# --- When there is nothing to answer --------------------------------------------------------


@ANSWERS
@pytest.mark.parametrize("state", ["submit", "waiting_for_manager", "offered", "funded"])
def test_case_that_does_not_ask_the_applicant_is_a_conflict(
    api: Caller, partner: Partner, state: str, answer: str
) -> None:
    application = getattr(casework, state)(None, partner=partner)

    assert_refused(api, path(application.reference, answer), "nothing-to-decide")


@ANSWERS
def test_case_that_was_withdrawn_meanwhile_is_a_conflict(
    api: Caller, partner: Partner, offered: LoanApplication, answer: str
) -> None:
    intake.application_withdraw(reference=offered.reference, partner=partner)

    assert_refused(api, path(offered.reference, answer), "nothing-to-decide")


@ANSWERS
@pytest.mark.parametrize("swept", [False, True])
def test_answer_after_its_time_is_kept_as_late_once_and_not_applied(
    api: Caller, partner: Partner, offered: LoanApplication, answer: str, swept: bool
) -> None:
    task = ReviewTask.objects.get()
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if swept:
        assert task_time_out(task_id=task.pk)
    for _ in range(2):
        response = api.post(path(offered.reference, answer))
        assert_problem(response, 409, "decision-expired")

    decision = ReviewDecision.objects.get()
    assert (decision.late, decision.partner) == (True, partner)
    offered.refresh_from_db()
    assert offered.status == "approved"
    assert offer_of(offered).accepted_at is offer_of(offered).declined_at is None
    line = ApplicationEvent.objects.latest("id")
    assert (line.kind, line.partner, line.is_internal) == ("late_decision", partner, True)
    assert "Maple Brokers" in Incident.objects.get(kind="decision_late").sentence


def test_answer_that_never_reached_the_engine_is_taken_off_the_offer_again(
    api: Caller, offered: LoanApplication
) -> None:
    api.post(path(offered.reference, ACCEPT))
    assert not review.expired(casework.run_of(offered), TaskKind.OFFER_ACCEPTANCE)

    assert ReviewDecision.objects.get().late
    assert offer_of(offered).accepted_at is None
    assert ReviewTask.objects.get().status == "expired"


# --- Who ------------------------------------------------------------------------------------


@ANSWERS
def test_another_partners_case_is_not_there(
    other_api: Caller, offered: LoanApplication, answer: str
) -> None:
    before = everything_stored()

    assert_problem(other_api.post(path(offered.reference, answer)), 404, "not-found")
    assert everything_stored() == before


def test_service_itself_refuses_another_partner(
    other_partner: Partner, offered: LoanApplication
) -> None:
    with pytest.raises(LoanApplication.DoesNotExist):
        offer_answer(reference=offered.reference, partner=other_partner, outcome=Outcome.APPROVE)


@ANSWERS
def test_key_without_the_scope_is_refused(
    api_with: Callable[..., Caller], offered: LoanApplication, answer: str
) -> None:
    api = api_with("applications:read", "applications:write", "documents:write")

    assert_problem(api.post(path(offered.reference, answer)), 403, "missing-scope")


@ANSWERS
def test_staff_record_the_answer_in_the_back_office(
    as_staff: Callable[[User], Caller], offered: LoanApplication, officer: User, answer: str
) -> None:
    response = as_staff(officer).post(path(offered.reference, answer))

    assert_problem(response, 403, "not-permitted")
    assert not ReviewDecision.objects.exists()


@ANSWERS
def test_reading_it_is_not_offered(api: Caller, offered: LoanApplication, answer: str) -> None:
    assert_problem(api.get(path(offered.reference, answer)), 405, "method-not-allowed")
