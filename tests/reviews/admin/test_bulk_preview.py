"""Many decisions at once: a preview of every row, and what becomes of each."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewDecision
from reviews.services import bulk_decisions, decisions
from tests import casework
from tests.applications.admin.conftest import LIST, Login, page, said
from tests.reviews.admin.bulk_forms import DECIDE, choose, row


def carried(preview: Any) -> list[str]:
    return [ready.carried for ready in preview.context["ready"]]


@pytest.fixture
def cases(officer: User) -> list[LoanApplication]:
    return [casework.waiting_for_manager(officer, applicant_name=f"No {n}") for n in range(5)]


def test_preview_lists_rows_totals_and_what_cannot_be_decided_and_why(
    login: Login, cases: list[LoanApplication], officer: User, draft: LoanApplication, manager: User
) -> None:
    big = casework.waiting_for_manager(officer, loan_amount=300_000)

    preview = choose(login(manager), "approve", [*cases, draft, big])

    html = preview.content.decode()
    assert preview.context["totals"] == [("CAD", 750_000)]
    assert "750,000.00" in html
    assert f'action="{DECIDE["approve"]}"' in html
    assert f"{draft.reference} is draft and is not waiting for this decision." in html
    assert "above the manager ceiling" in html
    assert carried(preview) == [row(case) for case in cases]
    assert not ReviewDecision.objects.exists()


def test_three_rows_fail_and_the_others_stand(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    officer: User,
    make_user: Callable[..., User],
) -> None:
    client = login(manager)
    rows = carried(choose(client, "approve", cases))
    decisions.task_decide(
        task=cases[0].review_tasks.get(),
        user=make_user("manager2", Role.MANAGER),
        outcome=Outcome.DECLINE,
        reason="First.",
    )
    intake.application_edit(reference=cases[1].reference, user=officer, phone="613-555-0142")
    intake.application_withdraw(reference=cases[3].reference, user=officer)

    answer = client.post(DECIDE["approve"], {"row": rows, "reason": ""})

    assert answer.url == LIST
    succeeded, failed = said(answer)
    assert succeeded == "2 applications approved."
    assert "3 not approved" in failed
    assert "was already decided (decline) by manager2" in failed
    assert "you read version 1" in failed
    assert f"{cases[3].reference} is withdrawn" in failed
    mine = ReviewDecision.objects.filter(decided_by=manager)
    assert [decision.task.application for decision in mine] == [cases[2], cases[4]]


def test_second_run_of_the_same_rows_changes_nothing(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    rows = carried(choose(client, "approve", cases))
    client.post(DECIDE["approve"], {"row": rows})

    answer = client.post(DECIDE["approve"], {"row": rows})

    assert "5 not approved" in said(answer)[-1]
    assert ReviewDecision.objects.count() == 5


def test_decline_needs_a_reason_and_shows_the_preview_again(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    rows = carried(choose(client, "decline", cases))

    refused = client.post(DECIDE["decline"], {"row": rows, "reason": " "})
    assert refused.status_code == 200
    assert refused.context["form"].errors["reason"]
    assert carried(refused) == rows
    assert not ReviewDecision.objects.exists()

    answer = client.post(DECIDE["decline"], {"row": rows, "reason": "Out of appetite."})
    assert said(answer) == ["5 applications declined."]
    assert set(ReviewDecision.objects.values_list("reason", flat=True)) == {"Out of appetite."}


def test_preview_shown_again_carries_the_version_that_it_shows(
    login: Login, cases: list[LoanApplication], manager: User, officer: User
) -> None:
    client = login(manager)
    rows = carried(choose(client, "decline", cases[:1]))
    intake.application_edit(reference=cases[0].reference, user=officer, phone="613-555-0142")

    refused = client.post(DECIDE["decline"], {"row": rows, "reason": ""})

    cases[0].refresh_from_db()
    assert carried(refused) == [row(cases[0])]
    assert cases[0].version == 2


def test_rows_are_decided_in_the_order_of_their_keys(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    rows = [row(case) for case in reversed(cases)]

    login(manager).post(DECIDE["approve"], {"row": rows})

    decided = ReviewDecision.objects.order_by("pk").values_list("task__application", flat=True)
    assert list(decided) == [case.pk for case in cases]


def test_analyst_clears_flags_in_bulk_and_leaves_approvals_alone(
    login: Login, cases: list[LoanApplication], officer: User, analyst: User
) -> None:
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)

    preview = choose(login(analyst), "approve", [*cases, flagged])

    assert carried(preview) == [row(flagged)]
    assert len(preview.context["refused"]) == 5


def test_offers_are_not_answered_in_bulk(login: Login, officer: User, make_user: Any) -> None:
    application = casework.submit(officer, loan_amount=40_000)
    casework.assess(application)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    root = make_user("root", *Role, is_superuser=True)

    assert carried(choose(login(root), "approve", [application])) == []
    login(root).post(DECIDE["approve"], {"row": [row(application)]})
    assert not ReviewDecision.objects.exists()


def test_nothing_selected_decides_nothing(login: Login, manager: User) -> None:
    client = login(manager)

    assert said(client.post(DECIDE["approve"], {})) == ["Nothing was selected."]
    for odd in ("x", "1", "1:", ":1", "1:1", "1:1:1", "9" * 40 + ":1:1", "-1:1:1", "²:1:1"):
        client.post(DECIDE["approve"], {"row": [odd]})
    assert client.post(f"{LIST}decide/refer/", {}).status_code == 404
    assert client.get(DECIDE["approve"]).status_code == 405
    assert not ReviewDecision.objects.exists()


def test_too_many_rows_are_refused_before_the_preview(
    login: Login, cases: list[LoanApplication], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviews.admin.bulk_preview.MOST", 4)

    answer = choose(login(manager), "approve", cases)

    assert answer.status_code == 302
    assert said(answer) == ["At most 4 applications are decided at once; choose fewer."]


def test_form_of_the_most_rows_is_read_whole(login: Login, manager: User) -> None:
    """Django refuses a form of more fields than ``DATA_UPLOAD_MAX_NUMBER_FIELDS`` with 400."""
    rows = [f"{number}:{number}:1" for number in range(1, bulk_decisions.MOST + 1)]

    answer = login(manager).post(
        DECIDE["approve"], {"row": rows, "reason": "", "run": str(uuid4()), "csrf": "x"}
    )

    assert said(answer) == ["Nothing was selected."]


def test_preview_costs_as_many_statements_for_many_rows_as_for_few(
    login: Login, officer: User, manager: User
) -> None:
    client = login(manager)
    cases = casework.many_waiting_for_manager(officer, 12)
    counted = []
    for some in (cases[:2], cases):
        with CaptureQueriesContext(connection) as ran:
            assert len(carried(choose(client, "approve", some))) == len(some)
        counted.append(len(ran))

    assert counted[0] == counted[1]


@pytest.mark.parametrize("who", ["auditor", "officer", "operations"])
def test_those_who_decide_nothing_have_no_bulk_action(
    login: Login, cases: list[LoanApplication], who: str, request: pytest.FixtureRequest
) -> None:
    client = login(request.getfixturevalue(who))

    choose(client, "approve", cases)
    answer = client.post(DECIDE["approve"], {"row": [row(cases[0])]})

    assert answer.status_code == 403
    assert not ReviewDecision.objects.exists()


def test_own_case_is_left_out_of_the_preview_for_a_superuser_too(
    login: Login, make_user: Callable[..., User]
) -> None:
    root = make_user("root", *Role, is_superuser=True)
    own = casework.waiting_for_manager(root)

    preview = choose(login(root), "approve", [own])

    assert carried(preview) == []
    assert f"You created {own.reference}" in preview.content.decode()
    assert page("change", own) in preview.content.decode()


def test_the_preview_posts_where_decisions_are_made(
    login: Login, manager: User, cases: list[LoanApplication]
) -> None:
    drawn = choose(login(manager), "approve", cases).content.decode()
    assert f'action="{DECIDE["approve"]}"' in drawn
