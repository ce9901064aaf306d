"""Case 15: of many rows decided at once three fail; the others stand, three stay selected.

500 rows in the long run, a page and a bit in the short one. Everything goes
through the admin's own pages.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.models import BulkDecision, ReviewDecision, ReviewTask
from reviews.services import bulk_decisions, claims, decisions
from tests import casework
from tests.applications.admin.conftest import LIST, Login, said
from tests.sizes import size
from workflows.models import OutboxMessage, PendingCallback

pytestmark = pytest.mark.django_db
APPROVE = f"{LIST}decide/approve/"
DECLINE = f"{LIST}decide/decline/"
MANY = size(short=60, long=500)


@pytest.fixture(autouse=True)
def _all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that run tests are slow; ``test_bulk`` has what happens when time runs out."""
    monkeypatch.setattr(bulk_decisions, "PATIENCE", timedelta(minutes=10))


@pytest.fixture
def both(make_user: Callable[..., User]) -> User:
    """A manager who has applications of their own."""
    return make_user("both", Role.LOAN_OFFICER, Role.MANAGER)


def choose(client: Client, applications: list[LoanApplication], outcome: str = "approve") -> Any:
    """Tick the rows on the list and run the action."""
    keys = [application.pk for application in applications]
    return client.post(
        LIST, {"action": f"{outcome}_selected", "index": "0", "_selected_action": keys}
    )


def carried(preview: Any) -> list[str]:
    """The hidden fields of the preview, as a browser would send them."""
    return re.findall(r'<input type="hidden" name="row" value="([^"]+)">', preview.content.decode())


def ticked(page: Any) -> list[str]:
    """The rows that are ticked in the result, as a browser would send them."""
    return re.findall(
        r'<input type="checkbox" name="row" value="([^"]+)" checked', page.content.decode()
    )


def why_not(page: Any) -> dict[str, str]:
    """Reference and reason of each row of the result."""
    return {shown.row.application.reference: shown.why for shown in page.context["not_decided"]}


def rows_stored() -> tuple[int, ...]:
    return (
        ReviewDecision.objects.count(),
        ApplicationEvent.objects.count(),
        OutboxMessage.objects.count(),
        ReviewTask.objects.filter(status="decided").count(),
        PendingCallback.objects.filter(status="answered").count(),
    )


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
    preview = choose(client, cases)
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
    rows = carried(choose(client, cases))
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
    rows = carried(choose(login(manager), three))
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
    rows = carried(choose(client, three))
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
    rows = carried(choose(client, big))
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
    rows = carried(choose(client, three, "decline"))
    intake.application_edit(reference=three[0].reference, user=officer, phone="1")
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
    rows = carried(choose(client, three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="1")
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
    rows = carried(choose(client, three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="1")
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
    rows = carried(choose(client, three))
    intake.application_edit(reference=three[0].reference, user=officer, phone="1")
    client.post(APPROVE, {"row": rows})
    both.groups.remove(both.groups.get(name=Role.MANAGER.value))

    html = client.get(LIST).content.decode()

    assert 'id="bulk-result"' not in html
    assert "you read version 1" in html  # the message, which is theirs all the same


# --- From My approvals, to a page of its own ------------------------------------------------

MINE = "/admin/reviews/reviewtask/?mine=yes"
FIELD = re.compile(
    r'<input type="(?:hidden|checkbox)" name="(row|run|reason|reason_code)" value="([^"]*)"'
)


def form_of(page: Any, **more: str) -> dict[str, Any]:
    """Return the fields that a browser sends for a page, with those that are typed."""
    found = FIELD.findall(page.content.decode())
    return {
        **{name: value for name, value in found if name != "row"},
        "row": [value for name, value in found if name == "row"],
        **more,
    }


@pytest.mark.long
def test_all_that_wait_on_me_are_declined_in_one_press_but_for_three(
    login: Login,
    officer: User,
    both: User,
    make_user: Callable[..., User],
) -> None:
    cases = casework.many_waiting_for_manager(officer, MANY)
    claimed, taken, changed = cases[7], cases[MANY // 2], cases[-1]
    second = make_user("manager2", Role.MANAGER)
    client = login(both)
    listed = client.get(MINE)
    assert f"Select all {MANY} review tasks" in listed.content.decode()
    preview = client.post(
        MINE,
        {
            "action": "decline_selected",
            "index": "0",
            "select_across": "1",
            "_selected_action": [task.pk for task in listed.context["cl"].result_list],
        },
    )
    assert len(preview.context["ready"]) == MANY
    assert preview.context["totals"] == [("CAD", 150_000 * MANY)]

    claims.task_claim(task=claimed.review_tasks.get(), user=second)
    decisions.task_decide(task=taken.review_tasks.get(), user=second, outcome=Outcome.APPROVE)
    intake.application_edit(reference=changed.reference, user=officer, phone="613-555-0199")
    form = form_of(preview, reason_code="DEBT_TOO_HIGH", reason="As of today.")

    answer = client.post(DECLINE, form)

    run = BulkDecision.objects.get()
    assert answer.url == f"/admin/reviews/bulkdecision/{run.pk}/change/"
    succeeded, failures = said(answer)[-2:]
    assert succeeded == f"{MANY - 3} applications declined."
    assert failures.startswith("3 not declined, nothing recorded for them:")
    mine = ReviewDecision.objects.filter(decided_by=both)
    assert set(mine.values_list("outcome", "reason_code", "reason")) == {
        ("decline", "DEBT_TOO_HIGH", "Your debt is too high for your income. As of today.")
    }
    failed = {claimed.pk, taken.pk, changed.pk}
    decided = {case.pk for case in cases} - failed
    assert set(mine.values_list("task__application", flat=True)) == decided
    page = client.get(answer.url)
    numbers = {row.key: row.number for row in page.context["counts"] if row.number}
    assert numbers == {"decided": MANY - 3, "refused": 3, "pending": MANY - 3}
    reasons = {shown.stored.application_id: shown.stored.why for shown in page.context["failed"]}
    assert set(reasons) == failed
    assert "is claimed by manager2 since" in reasons[claimed.pk]
    assert "was already decided (approve) by manager2" in reasons[taken.pk]
    assert "you read version 1" in reasons[changed.pk]
    before = rows_stored()

    # The same form again: the same page, and not a row that changed.
    assert client.post(DECLINE, form).url == answer.url
    assert client.get(answer.url).status_code == 200
    assert rows_stored() == before
    assert BulkDecision.objects.count() == 1

    # What failed is selected still; taken again, only what can be decided now is.
    claims.task_release(task=claimed.review_tasks.get(), user=second)
    before = rows_stored()
    again = client.post(DECLINE, form_of(page, again="yes"))
    assert rows_stored() == before
    assert [row.application for row in again.context["ready"]] == [claimed, changed]
    assert [row.application for row in again.context["refused"]] == [taken]
    client.post(DECLINE, form_of(again, reason_code="DEBT_TOO_HIGH"))
    assert ReviewDecision.objects.filter(decided_by=both).count() == MANY - 1
    assert not ReviewDecision.objects.filter(decided_by=both, task__application=taken).exists()
