"""The preview of many decisions: what each row says, the groups, their sums, and the ticks."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.models import LoanApplication, RiskAssessment
from lending.choices import ReasonCode
from reviews.models import BulkDecision, ReviewDecision, ReviewTask
from tests import casework
from tests.applications.admin.conftest import Login, page, said
from tests.reviews.admin.bulk_forms import DECIDE, choose, row, typed

pytestmark = pytest.mark.django_db


def refer(application: LoanApplication, code: ReasonCode = ReasonCode.BUREAU_UNAVAILABLE) -> None:
    """Make it an application that was asked for another reason than the amount."""
    ReviewTask.objects.filter(application=application).update(
        reasons=[{"code": code.value, "text": f"{code.label} Missing: Experian."}]
    )
    RiskAssessment.objects.filter(application=application).update(missing_bureaus=["experian"])


@pytest.fixture
def mixed(officer: User) -> list[LoanApplication]:
    """Two asked for their amount, then two that were referred."""
    found = casework.many_waiting_for_manager(officer, 4)
    refer(found[2])
    refer(found[3], ReasonCode.INCOME_NOT_STATED)
    return found


def groups(preview: Any) -> dict[str, Any]:
    return {group.key: group for group in preview.context["groups"]}


def ticked(preview: Any) -> list[str]:
    rows: list[str] = typed(preview)["row"]
    return rows


def test_referrals_are_a_group_of_their_own_and_not_ticked(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    preview = choose(login(manager), "approve", mixed)

    found = groups(preview)
    assert [each.row.application for each in found["ordinary"].rows] == mixed[:2]
    assert [each.row.application for each in found["referred"].rows] == mixed[2:]
    assert ticked(preview) == [row(case) for case in mixed[:2]]
    assert [found[key].totals for key in ("ordinary", "referred")] == [[("CAD", 300_000)]] * 2
    assert preview.context["totals"] == [("CAD", 300_000)]  # of what is ticked


def test_row_says_why_the_grade_and_the_share_of_income(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    client.post(page("reveal", mixed[3]))

    html = choose(client, "approve", mixed).content.decode()

    ordinary, _, referred = html.partition('id="group-referred"')
    assert "Amount at or over the threshold" in ordinary
    assert "Referred: no report from Experian" in referred
    assert "Referred: income not stated" in referred
    assert 'Prime <span class="quiet">780.67</span>' in ordinary
    assert "2,847.90" in ordinary
    assert "30 to 61 % of income" in ordinary
    assert "40.21 %" not in ordinary
    assert referred.count("40.21 % of income") == 1  # the one whose income was revealed


def test_sums_are_of_each_group_by_currency(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    LoanApplication.objects.filter(pk=mixed[1].pk).update(currency="USD", loan_amount=120_000)

    found = groups(choose(login(manager), "approve", mixed))

    assert found["ordinary"].totals == [("CAD", 150_000), ("USD", 120_000)]
    assert found["referred"].totals == [("CAD", 300_000)]


def test_only_what_is_ticked_is_decided(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    form = typed(choose(client, "approve", mixed))

    client.post(DECIDE["approve"], {**form, "row": [row(mixed[0]), row(mixed[2])]})

    decided = ReviewDecision.objects.values_list("task__application", flat=True)
    assert sorted(decided) == sorted([mixed[0].pk, mixed[2].pk])


def test_preview_that_is_shown_again_keeps_all_rows_and_the_ticks(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    form = typed(choose(client, "decline", mixed))

    again = client.post(DECIDE["decline"], {**form, "row": [row(mixed[1]), row(mixed[3])]})

    assert again.context["form"].errors
    assert ticked(again) == [row(mixed[1]), row(mixed[3])]
    assert [each.application for each in again.context["ready"]] == mixed
    assert not ReviewDecision.objects.exists()


def test_form_sent_again_with_other_ticks_is_another_decision_and_with_the_same_is_not(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    form = typed(choose(client, "approve", mixed))
    for _ in range(2):
        client.post(DECIDE["approve"], {**form, "row": [row(mixed[0])]})
    assert BulkDecision.objects.count() == 1

    client.post(DECIDE["approve"], {**form, "row": [row(mixed[1])]})

    assert BulkDecision.objects.count() == 2
    assert ReviewDecision.objects.count() == 2


def test_nothing_ticked_decides_nothing(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    form = typed(choose(client, "approve", mixed[2:]))
    assert form["row"] == []

    assert said(client.post(DECIDE["approve"], form)) == ["Nothing was selected."]
    odd = {**form, "shown": f"x,-1,{'9' * 40},,²", "reason": "", "row": []}
    assert client.post(DECIDE["decline"], odd).context["ready"] == []
    assert not ReviewDecision.objects.exists()


def test_figures_take_one_query_for_any_number_of_rows(
    login: Login, mixed: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    with CaptureQueriesContext(connection) as ran:
        choose(client, "approve", mixed)

    tables = [query["sql"] for query in ran.captured_queries]
    assert sum('FROM "applications_riskassessment"' in sql for sql in tables) == 1
