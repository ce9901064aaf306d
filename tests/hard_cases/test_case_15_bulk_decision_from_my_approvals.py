"""Case 15: of all that wait on one manager three fail; the others stand, three stay selected.

500 rows in the long run, a page and a bit in the short one. Everything goes
through the admin's own pages.
"""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.services import intake
from lending.choices import Outcome
from reviews.models import BulkDecision, ReviewDecision
from reviews.services import claims, decisions
from tests import casework
from tests.applications.admin.conftest import Login, said
from tests.hard_cases.bulk import DECLINE, MANY, _all_the_time, both, rows_stored
from tests.reviews.admin.bulk_forms import typed

__all__ = ["_all_the_time", "both"]
pytestmark = pytest.mark.django_db
MINE = "/admin/reviews/reviewtask/?mine=yes"


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
    form = typed(preview, reason_code="DEBT_TOO_HIGH", reason="As of today.")

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
    again = client.post(DECLINE, typed(page, again="yes"))
    assert rows_stored() == before
    assert [row.application for row in again.context["ready"]] == [claimed, changed]
    assert [row.application for row in again.context["refused"]] == [taken]
    client.post(DECLINE, typed(again, reason_code="DEBT_TOO_HIGH"))
    assert ReviewDecision.objects.filter(decided_by=both).count() == MANY - 1
    assert not ReviewDecision.objects.filter(decided_by=both, task__application=taken).exists()
