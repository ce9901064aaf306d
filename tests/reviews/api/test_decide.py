"""POST /applications/{reference}/decision/: staff decide, once, and never blindly."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import claims, decisions, delegation
from tests import casework
from tests.partners.api.calls import Caller, assert_problem, path
from workflows.models import OutboxMessage, PendingCallback

AsStaff = Callable[[User], Caller]


@pytest.fixture
def waiting(partner: Partner) -> LoanApplication:
    """A partner's application that waits for a manager."""
    return casework.waiting_for_manager(None, partner=partner)


@pytest.fixture
def flagged(partner: Partner) -> LoanApplication:
    """A partner's application that waits for a risk analyst."""
    application = casework.submit(
        None, partner=partner, sin_last4="4444", loan_amount=Decimal(40000)
    )
    casework.assess(application)
    casework.ask(application, TaskKind.FRAUD_REVIEW)
    return application


def decide(caller: Caller, application: LoanApplication, body: Any = None) -> Any:
    return caller.post(path(application.reference, "decision/"), body or {"approved": True})


def nothing_was_decided() -> bool:
    answers = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    return not ReviewDecision.objects.exists() and not answers.exists()


def test_manager_approves_and_the_answer_is_queued(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    response = decide(as_staff(manager), waiting, {"approved": True, "version": 1})

    assert response.status_code == 200
    assert response.json()["status"] == "in_review"
    assert response.json()["waiting_on"] is None
    decision = ReviewDecision.objects.get()
    assert (decision.decided_by, decision.outcome) == (manager, "approve")
    message = OutboxMessage.objects.get(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert message.payload["outcome"] == "approve"


def test_manager_declines_with_a_reason(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    body = {"approved": False, "reason": "  The income could not be verified. "}

    response = decide(as_staff(manager), waiting, body)

    assert response.status_code == 200
    decision = ReviewDecision.objects.get()
    assert (decision.outcome, decision.reason) == ("decline", "The income could not be verified.")


def test_delegate_decides_above_their_own_ceiling_in_the_right_of_the_delegator(
    as_staff: AsStaff, officer: User, manager: User, senior: User
) -> None:
    first, second = (casework.waiting_for_manager(officer, loan_amount=300_000) for _ in "12")
    assert_problem(decide(as_staff(manager), first), 403, "above-ceiling")
    now = timezone.now()
    given = delegation.delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
        by=senior,
    )

    assert decide(as_staff(manager), first).status_code == 200

    decision = ReviewDecision.objects.get()
    assert (decision.decided_by, decision.on_behalf_of) == (manager, senior)
    delegation.delegation_revoke(delegation=given, by=senior)
    assert_problem(decide(as_staff(manager), second), 403, "above-ceiling")


def test_risk_analyst_decides_a_fraud_review(
    as_staff: AsStaff, analyst: User, flagged: LoanApplication
) -> None:
    assert decide(as_staff(analyst), flagged).status_code == 200
    assert ReviewTask.objects.get().outcome == "approve"


def test_fraud_review_is_decided_when_the_managers_approval_was_given(
    as_staff: AsStaff, manager: User, analyst: User, waiting: LoanApplication
) -> None:
    decide(as_staff(manager), waiting)
    waiting.refresh_from_db()
    casework.ask(waiting, TaskKind.FRAUD_REVIEW)

    response = decide(as_staff(analyst), waiting, {"approved": False, "reason": "Forged."})

    assert response.status_code == 200
    assert list(ReviewTask.objects.order_by("id").values_list("kind", "outcome")) == [
        ("manager_approval", "approve"),
        ("fraud_review", "decline"),
    ]


def test_large_amount_needs_two_people(
    as_staff: AsStaff, make_user: Callable[..., User], partner: Partner
) -> None:
    application = casework.waiting_for_manager(None, partner=partner, loan_amount=Decimal(500000))
    one, two = (make_user(name, Role.SENIOR_MANAGER) for name in ("one", "two"))

    first = decide(as_staff(one), application)
    again = decide(as_staff(one), application)
    second = decide(as_staff(two), application)

    assert first.json()["waiting_on"]["who"] == "senior_manager"
    assert_problem(again, 409, "already-decided")
    assert second.json()["waiting_on"] is None
    assert ReviewDecision.objects.count() == 2


# --- Who may not --------------------------------------------------------------------------


def test_partner_may_not_decide_whatever_its_scopes(api: Caller, waiting: LoanApplication) -> None:
    for reference in (waiting.reference, "LOAN-23456789"):
        response = api.post(path(reference, "decision/"), {"approved": True})
        assert_problem(response, 403, "not-permitted")
    assert nothing_was_decided()


@pytest.mark.parametrize(
    "role",
    [Role.LOAN_OFFICER, Role.OPERATIONS, Role.POLICY_OWNER, Role.AUDITOR, Role.RISK_ANALYST],
)
def test_role_that_may_not_approve_is_refused(
    as_staff: AsStaff, make_user: Callable[..., User], waiting: LoanApplication, role: Role
) -> None:
    assert_problem(decide(as_staff(make_user("someone", role)), waiting), 403, "not-permitted")
    assert nothing_was_decided()


def test_manager_may_not_decide_a_fraud_review(
    as_staff: AsStaff, manager: User, flagged: LoanApplication
) -> None:
    assert_problem(decide(as_staff(manager), flagged), 403, "not-permitted")
    assert nothing_was_decided()


def test_manager_may_not_decide_above_the_ceiling(
    as_staff: AsStaff, manager: User, partner: Partner
) -> None:
    application = casework.waiting_for_manager(
        None, partner=partner, loan_amount=Decimal("250000.01")
    )

    assert_problem(decide(as_staff(manager), application), 403, "above-ceiling")
    assert nothing_was_decided()


@pytest.mark.parametrize("is_superuser", [False, True])
def test_whoever_edited_the_application_may_not_decide_it(
    as_staff: AsStaff,
    make_user: Callable[..., User],
    waiting: LoanApplication,
    is_superuser: bool,
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER, is_superuser=is_superuser)
    intake.application_edit(reference=waiting.reference, user=both, phone="416-555-0000")

    assert_problem(decide(as_staff(both), waiting), 403, "four-eyes")
    assert nothing_was_decided()


def test_role_that_was_lost_since_the_page_was_opened_is_refused(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    caller = as_staff(manager)
    assert caller.get(path(waiting.reference)).status_code == 200
    manager.groups.clear()

    assert_problem(decide(caller, waiting), 403, "not-permitted")
    assert nothing_was_decided()


@pytest.mark.parametrize("token", ["", "x" * 32])
def test_session_without_the_csrf_token_is_refused(
    manager: User, waiting: LoanApplication, token: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    headers = {"X-CSRFToken": token} if token else {}

    response = Caller(client=client).post(
        path(waiting.reference, "decision/"), {"approved": True}, **headers
    )

    assert_problem(response, 403, "csrf-failed")
    assert nothing_was_decided()


def test_session_with_the_csrf_token_decides(manager: User, waiting: LoanApplication) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    token = "a" * 32
    client.cookies["csrftoken"] = token

    response = Caller(client=client).post(
        path(waiting.reference, "decision/"), {"approved": True}, **{"X-CSRFToken": token}
    )

    assert response.status_code == 200


# --- What cannot be decided ---------------------------------------------------------------


def test_second_manager_gets_a_conflict_and_the_first_decision_stands(
    as_staff: AsStaff, manager: User, senior: User, waiting: LoanApplication
) -> None:
    decide(as_staff(manager), waiting)

    response = decide(as_staff(senior), waiting, {"approved": False, "reason": "No."})

    problem = assert_problem(response, 409, "already-decided")
    assert manager.get_username() in problem["detail"]
    assert ReviewDecision.objects.get().outcome == "approve"


def test_stale_version_is_a_conflict_and_nothing_is_decided(
    as_staff: AsStaff, manager: User, officer: User, waiting: LoanApplication
) -> None:
    intake.application_edit(reference=waiting.reference, user=officer, phone="416-555-0000")

    response = decide(as_staff(manager), waiting, {"approved": True, "version": 1})

    problem = assert_problem(response, 409, "stale-version")
    assert "version 2" in problem["detail"]
    assert nothing_was_decided()
    assert decide(as_staff(manager), waiting, {"approved": True, "version": 2}).status_code == 200


def test_case_that_nobody_was_asked_about_is_a_conflict(
    as_staff: AsStaff, manager: User, submitted: LoanApplication
) -> None:
    assert_problem(decide(as_staff(manager), submitted), 409, "nothing-to-decide")


def test_withdrawn_case_is_a_conflict(
    as_staff: AsStaff, manager: User, partner: Partner, waiting: LoanApplication
) -> None:
    intake.application_withdraw(reference=waiting.reference, partner=partner)

    assert_problem(decide(as_staff(manager), waiting), 409, "nothing-to-decide")
    assert nothing_was_decided()


def test_task_whose_time_is_over_is_a_conflict(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert_problem(decide(as_staff(manager), waiting), 409, "decision-expired")
    assert [decision.late for decision in ReviewDecision.objects.all()] == [True]
    assert PendingCallback.objects.get().status == "open"


def test_unknown_reference_is_not_found(as_staff: AsStaff, manager: User) -> None:
    response = as_staff(manager).post(path("LOAN-23456789", "decision/"), {"approved": True})

    assert_problem(response, 404, "not-found")


@pytest.mark.parametrize("reason", [..., "", "   "])
def test_decline_without_a_reason_is_refused(
    as_staff: AsStaff, manager: User, waiting: LoanApplication, reason: Any
) -> None:
    body = {"approved": False} if reason is ... else {"approved": False, "reason": reason}

    problem = assert_problem(decide(as_staff(manager), waiting, body), 400, "reason-required")
    assert list(problem["errors"]) == ["reason"]
    assert nothing_was_decided()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"reason": "x"}, "approved"),
        ({"approved": "true"}, "approved"),
        ({"approved": 1}, "approved"),
        ({"approved": None}, "approved"),
        ({"approved": []}, "approved"),
        ({"approved": True, "version": "1"}, "version"),
        ({"approved": True, "version": 0}, "version"),
        ({"approved": True, "version": 1.5}, "version"),
        ({"approved": True, "version": True}, "version"),
        ({"approved": True, "version": None}, "version"),
        ({"approved": False, "reason": 5}, "reason"),
        ({"approved": False, "reason": "x" * 2001}, "reason"),
        ({"approved": True, "user": "boss"}, "user"),
    ],
)
def test_bad_body_is_refused_by_field_and_nothing_is_decided(
    as_staff: AsStaff, manager: User, waiting: LoanApplication, body: Any, name: str
) -> None:
    problem = assert_problem(decide(as_staff(manager), waiting, body), 400, "invalid-request")

    assert list(problem["errors"]) == [name]
    assert nothing_was_decided()


def test_empty_body_decides_nothing(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    response = as_staff(manager).post(path(waiting.reference, "decision/"))

    assert_problem(response, 400, "malformed-json")
    assert nothing_was_decided()


def test_get_decides_nothing(as_staff: AsStaff, manager: User, waiting: LoanApplication) -> None:
    response = as_staff(manager).get(path(waiting.reference, "decision/"))

    assert_problem(response, 405, "method-not-allowed")
    assert nothing_was_decided()


def test_decision_in_the_api_and_in_the_office_is_the_same_service(
    as_staff: AsStaff, manager: User, senior: User, waiting: LoanApplication
) -> None:
    decisions.task_decide(task=waiting.review_tasks.get(), user=senior, outcome=Outcome.APPROVE)

    assert_problem(decide(as_staff(manager), waiting), 409, "already-decided")


def test_reason_of_the_catalogue_is_enough_to_decline(
    as_staff: AsStaff, manager: User, waiting: LoanApplication
) -> None:
    response = decide(
        as_staff(manager), waiting, {"approved": False, "reason_code": "DEBT_TOO_HIGH"}
    )

    assert response.status_code == 200
    decision = ReviewDecision.objects.get()
    assert (decision.reason_code, decision.reason) == (
        "DEBT_TOO_HIGH",
        "Your debt is too high for your income.",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"approved": False, "reason_code": "LATE", "reason": "Words."},
        {"approved": True, "reason_code": "DEBT_TOO_HIGH"},
    ],
)
def test_reason_that_cannot_be_chosen_is_a_problem_of_its_field(
    as_staff: AsStaff, manager: User, waiting: LoanApplication, body: dict[str, Any]
) -> None:
    problem = assert_problem(decide(as_staff(manager), waiting, body), 400, "unknown-reason")

    assert list(problem["errors"]) == ["reason_code"]
    assert nothing_was_decided()


def test_task_that_somebody_else_claimed_is_a_conflict_that_names_them(
    as_staff: AsStaff, manager: User, make_user: Any, waiting: LoanApplication
) -> None:
    claims.task_claim(task=waiting.review_tasks.get(), user=make_user("manager2", Role.MANAGER))

    problem = assert_problem(decide(as_staff(manager), waiting), 409, "claimed")

    assert f"{waiting.reference} is claimed by manager2 since" in problem["detail"]
    assert nothing_was_decided()
