"""Case 15: of many rows decided at once three fail; the others stand, three stay selected.

500 rows in the long run, a page and a bit in the short one. Everything goes
through the admin's own pages.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import LIST, Login, said
from tests.hard_cases.bulk import APPROVE, DECLINE, MANY, _all_the_time, both, rows_stored
from tests.reviews.admin.bulk_forms import choose, typed
from workflows.models import OutboxMessage

__all__ = ["_all_the_time", "both"]
pytestmark = pytest.mark.django_db


def carried(preview: Any) -> list[str]:
    """The rows that are ticked in the preview, as a browser would send them."""
    rows: list[str] = typed(preview)["row"]
    return rows


def ticked(page: Any) -> list[str]:
    """The rows that are ticked in the result, as a browser would send them."""
    return re.findall(
        r'<input type="checkbox" name="row" value="([^"]+)" checked', page.content.decode()
    )


def why_not(page: Any) -> dict[str, str]:
    """Reference and reason of each row of the result."""
    return {shown.row.application.reference: shown.why for shown in page.context["not_decided"]}


@pytest.mark.long
def test_all_but_three_of_many_stand_and_three_stay_selected_with_their_reasons(
    login: Login,
    officer: User,
    both: User,
    make_user: Callable[..., User],
) -> None:
    cases = casework.many_waiting_for_manager(officer, MANY)
    taken, own, changed = cases[3], cases[MANY // 2], cases[-1]
    client = login(both)
    preview = choose(client, "approve", cases)
    rows = carried(preview)
    assert len(rows) == MANY
    assert f"{MANY} can be decided" in preview.content.decode()

    second = make_user("manager2", Role.MANAGER)
    decisions.task_decide(
        task=taken.review_tasks.get(), user=second, outcome=Outcome.DECLINE, reason="First."
    )
    intake.application_edit(reference=own.reference, user=both, phone="613-555-0198")
    intake.application_edit(reference=changed.reference, user=officer, phone="613-555-0199")

    answer = client.post(APPROVE, {"row": rows, "reason": ""})

    # What is recorded: a decision, a line of the audit trail and an answer for each of the others.
    assert answer.url == LIST
    failed = {taken.pk, own.pk, changed.pk}
    mine = ReviewDecision.objects.filter(decided_by=both)
    decided = set(mine.values_list("task__application", flat=True))
    assert decided == {case.pk for case in cases} - failed
    assert set(mine.values_list("outcome", "application_version")) == {("approve", 1)}
    assert (
        set(
            ApplicationEvent.objects.filter(
                kind="manager_approval_approved", actor=both
            ).values_list("application", flat=True)
        )
        == decided
    )
    answers = OutboxMessage.objects.filter(
        kind="answer_callback", payload__outcome="approve", status="pending"
    )
    assert answers.count() == MANY - 3
    assert set(answers.values_list("callback__review_task__application", flat=True)) == decided
    assert LoanApplication.objects.filter(status="in_review", pk__in=decided).count() == MANY - 3
    assert set(
        ReviewTask.objects.filter(application__in=[own, changed]).values_list("status", flat=True)
    ) == {"open"}

    # What the person reads.
    page = client.get(LIST)
    html = page.content.decode()
    assert f"{MANY - 3} of {MANY} approved" in html
    assert "<strong>3 not approved</strong>, nothing recorded for them" in html
    assert html.count(f"{MANY - 3} applications approved.") == 1
    reasons = why_not(page)
    assert set(reasons) == {taken.reference, own.reference, changed.reference}
    assert "already decided (decline) by manager2 at" in reasons[taken.reference]
    assert reasons[own.reference].startswith(f"You edited {own.reference}")
    assert "is at version 2; you read version 1" in reasons[changed.reference]
    assert all(html.count(f'>{reference}</a></th><td class="who">') == 1 for reference in reasons)
    assert ticked(page) == [
        f"{case.pk}:{case.review_tasks.get().pk}:{version}"
        for case, version in ((taken, 1), (own, 2), (changed, 2))
    ]

    # Reading it again, or leaving for another page and coming back, decides nothing.
    before = rows_stored()
    assert ticked(client.get(LIST)) == ticked(page)
    assert rows_stored() == before

    # The button brings the three, and only them, to the preview; the one that changed can
    # be decided on the version that is shown now.
    preview = client.post(APPROVE, {"row": ticked(page), "reason": "", "again": "yes"})
    assert rows_stored() == before
    assert preview.context["title"] == "Approve selected applications"
    assert [row.application for row in preview.context["refused"]] == [taken, own]
    assert carried(preview) == [f"{changed.pk}:{changed.review_tasks.get().pk}:2"]
    answer = client.post(APPROVE, {"row": carried(preview), "reason": ""})
    assert said(answer)[-1] == "1 application approved."
    assert "bulk-result" not in client.get(LIST).content.decode()


@pytest.mark.long
def test_second_run_of_the_same_many_is_a_no_op(
    login: Login,
    officer: User,
    both: User,
) -> None:
    cases = casework.many_waiting_for_manager(officer, MANY)
    client = login(both)
    rows = carried(choose(client, "approve", cases))
    for case in cases[:3]:
        intake.application_withdraw(reference=case.reference, user=officer)
    client.post(APPROVE, {"row": rows})
    before = rows_stored()
    stamps = list(LoanApplication.objects.order_by("pk").values_list("version", "updated_at"))

    answer = client.post(APPROVE, {"row": rows})

    assert rows_stored() == before
    assert (
        list(LoanApplication.objects.order_by("pk").values_list("version", "updated_at")) == stamps
    )
    repeated, failed = said(answer)[-2:]
    assert repeated == f"{MANY - 3} not approved again: already approved by you, nothing changed."
    assert failed.startswith("3 not approved, nothing recorded for them:")
    page = client.get(LIST)
    assert (
        f"0 of {MANY} approved, {MANY - 3} already approved by you before" in page.content.decode()
    )
    assert set(why_not(page)) == {case.reference for case in cases[:3]}


@pytest.fixture
def three(officer: User) -> list[LoanApplication]:
    return casework.many_waiting_for_manager(officer, 3)


def test_same_rows_sent_by_somebody_else_are_failures_that_name_the_first(
    login: Login,
    three: list[LoanApplication],
    manager: User,
    both: User,
) -> None:
    rows = carried(choose(login(manager), "approve", three))
    login(manager).post(APPROVE, {"row": rows})
    client = login(both)

    failed = said(client.post(APPROVE, {"row": rows}))

    assert len(failed) == 1
    assert failed[0].startswith("3 not approved")
    assert failed[0].count("was already decided (approve) by manager at") == 3


def test_answer_that_contradicts_ones_own_is_a_failure(
    login: Login,
    three: list[LoanApplication],
    manager: User,
) -> None:
    client = login(manager)
    rows = carried(choose(client, "approve", three))
    client.post(APPROVE, {"row": rows})

    client.post(DECLINE, {"row": rows, "reason": "On second thoughts."})

    page = client.get(LIST)
    assert "0 of 3 declined" in page.content.decode()
    assert all("already decided (approve) by manager" in why for why in why_not(page).values())
    assert set(ReviewDecision.objects.values_list("outcome", flat=True)) == {"approve"}


def test_first_of_two_approvals_sent_again_is_not_a_second(
    login: Login,
    officer: User,
    senior: User,
) -> None:
    big = casework.many_waiting_for_manager(officer, 2, loan_amount=600_000)
    client = login(senior)
    rows = carried(choose(client, "approve", big))
    client.post(APPROVE, {"row": rows})

    answer = client.post(APPROVE, {"row": rows})

    assert said(answer)[-1].startswith("2 not approved again: already approved by you")
    assert ReviewDecision.objects.count() == 2
    assert not OutboxMessage.objects.filter(kind="answer_callback").exists()


def test_reason_to_decline_is_kept_for_the_rows_that_failed(
    login: Login,
    three: list[LoanApplication],
    officer: User,
    manager: User,
) -> None:
    client = login(manager)
    rows = carried(choose(client, "decline", three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="613-555-0142")
    client.post(DECLINE, {"row": rows, "reason": "Out of <our> appetite."})
    page = client.get(LIST)
    assert 'name="reason" value="Out of &lt;our&gt; appetite."' in page.content.decode()

    preview = client.post(
        DECLINE, {"row": ticked(page), "reason": "Out of <our> appetite.", "again": "yes"}
    )

    assert "Out of &lt;our&gt; appetite." in preview.content.decode()
    assert preview.context["form"].errors == {}
    assert ReviewDecision.objects.count() == 2


def test_result_says_what_is_true_now_when_a_case_went_on(
    login: Login,
    three: list[LoanApplication],
    officer: User,
    manager: User,
) -> None:
    client = login(manager)
    rows = carried(choose(client, "approve", three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="613-555-0142")
    client.post(APPROVE, {"row": rows})
    intake.application_withdraw(reference=three[0].reference, user=officer)

    assert "is withdrawn" in why_not(client.get(LIST))[three[0].reference]


def test_result_is_dismissed_by_a_press_and_shown_to_nobody_else(
    login: Login,
    three: list[LoanApplication],
    officer: User,
    manager: User,
    both: User,
) -> None:
    client = login(manager)
    rows = carried(choose(client, "approve", three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="613-555-0142")
    client.post(APPROVE, {"row": rows})
    assert 'id="bulk-result"' in client.get(LIST).content.decode()
    assert 'id="bulk-result"' not in login(both).get(LIST).content.decode()

    answer = client.post(APPROVE, {"row": rows, "dismiss": "yes"})

    assert answer.url == LIST
    assert 'id="bulk-result"' not in client.get(LIST).content.decode()
    assert ReviewDecision.objects.count() == 2


def test_result_is_not_drawn_for_a_manager_who_lost_the_role(
    login: Login,
    three: list[LoanApplication],
    officer: User,
    both: User,
) -> None:
    client = login(both)
    rows = carried(choose(client, "approve", three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="613-555-0142")
    client.post(APPROVE, {"row": rows})
    both.groups.remove(both.groups.get(name=Role.MANAGER.value))

    html = client.get(LIST).content.decode()

    assert 'id="bulk-result"' not in html
    assert "you read version 1" in html  # the message, which is theirs all the same
