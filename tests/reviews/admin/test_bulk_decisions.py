"""The page of a bulk decision: what became of each row, for its maker and for auditors."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.models import BulkDecision, ReviewDecision
from reviews.services import bulk_decisions
from reviews.services.claims import task_claim
from tests import casework
from tests.applications.admin.conftest import LIST, Login, said
from tests.reviews.admin.bulk_forms import DECIDE, RUNS, choose, decide, numbers, typed
from workflows.models import OutboxMessage, PendingCallback
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


def test_press_lands_on_the_page_of_its_run_which_says_what_became_of_each_row(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    other: User,
    officer: User,
) -> None:
    client = login(manager)
    preview = choose(client, "decline", cases)
    task_claim(task=cases[0].review_tasks.get(), user=other)
    intake.application_edit(reference=cases[1].reference, user=officer, phone="613-555-0142")

    answer = client.post(
        DECIDE["decline"], typed(preview, reason_code="DEBT_TOO_HIGH", reason="See <b>file</b>.")
    )

    run = BulkDecision.objects.get()
    assert answer.url == f"{RUNS}{run.pk}/change/"
    page = client.get(answer.url)
    html = page.content.decode()
    assert numbers(page) == {"decided": 2, "refused": 2, "pending": 2}
    assert "2 applications declined." in html
    assert f"{cases[0].reference} is claimed by manager2 since" in html
    assert "is at version 2; you read version 1" in html
    assert "DEBT_TOO_HIGH" in html
    assert "See &lt;b&gt;file&lt;/b&gt;." in html
    assert all(case.reference in html for case in cases)
    assert typed(page)["row"] == [
        f"{case.pk}:{case.review_tasks.get().pk}:{version}"
        for case, version in ((cases[0], 1), (cases[1], 2))
    ]

    # Read again it is the same, and nothing is decided by reading.
    again = client.get(answer.url)
    assert typed(again)["row"] == typed(page)["row"]
    assert ReviewDecision.objects.count() == 2

    # The one that changed is taken again; the page of the first run keeps what happened then.
    preview = client.post(DECIDE["decline"], typed(page, again="yes"))
    assert preview.context["form"]["reason_code"].value() == "DEBT_TOO_HIGH"
    answer = client.post(DECIDE["decline"], typed(preview, reason_code="DEBT_TOO_HIGH"))
    assert numbers(client.get(answer.url))["decided"] == 1
    first = client.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert "is at version 2; you read version 1" in first
    assert "Now: " in first
    assert "was already decided (decline) by manager at" in first


def test_same_form_sent_twice_lands_on_the_same_page_and_decides_once(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    form = typed(choose(client, "approve", cases))
    first = client.post(DECIDE["approve"], form)
    before = (ReviewDecision.objects.count(), OutboxMessage.objects.count())

    second = client.post(DECIDE["approve"], form)

    assert second.url == first.url
    assert BulkDecision.objects.count() == 1
    assert (ReviewDecision.objects.count(), OutboxMessage.objects.count()) == before
    assert numbers(client.get(second.url))["decided"] == 4


def test_two_previews_of_the_same_rows_are_two_runs_and_the_second_repeats(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    forms = [typed(choose(client, "approve", cases)) for _ in range(2)]

    pages = [client.get(client.post(DECIDE["approve"], form).url) for form in forms]

    assert [numbers(page).get("repeated", 0) for page in pages] == [0, 4]
    assert ReviewDecision.objects.count() == 4


def test_page_is_seen_by_its_maker_and_by_auditors_and_by_nobody_else(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    auditor: User,
    other: User,
    officer: User,
    operations: User,
) -> None:
    address = decide(login(manager), cases).url
    pk = BulkDecision.objects.get().pk

    audited = login(auditor).get(address)
    assert audited.status_code == 200
    assert 'name="row"' not in audited.content.decode()
    assert "Go on" not in audited.content.decode()
    assert f'href="{address}"' in login(auditor).get(RUNS).content.decode()
    assert f'href="{address}"' in login(manager).get(RUNS).content.decode()
    for user in (other, officer, operations):
        client = login(user)
        assert client.get(address).status_code == 404
        assert client.get(f"{RUNS}{pk}/live/").status_code == 404
        assert not client.get(RUNS).context["cl"].result_list
    for method in ("post", "put", "delete"):
        assert getattr(login(manager), method)(address).status_code == 403
    assert login(manager).get(f"{RUNS}{10**30}/change/").status_code == 404
    assert login(manager).get(f"{RUNS}x/change/").status_code == 404


def test_page_says_how_many_answers_are_delivered_under_way_and_given_up(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    address = decide(client, cases).url
    live = f"{RUNS}{BulkDecision.objects.get().pk}/live/"
    first = client.get(live)
    assert numbers(first) == {"decided": 4, "pending": 4}
    assert 'data-live="on"' in client.get(address).content.decode()
    tag = {"If-None-Match": first.headers["ETag"]}
    assert client.get(live, headers=tag).status_code == 304

    callbacks = list(PendingCallback.objects.order_by("pk"))
    PendingCallback.objects.filter(pk=callbacks[0].pk).update(status="delivered")
    second = client.get(live, headers=tag)
    assert second.status_code == 200
    assert numbers(second) == {"decided": 4, "delivered": 1, "pending": 3}

    OutboxMessage.objects.filter(callback=callbacks[1]).update(status="dead")
    PendingCallback.objects.filter(pk=callbacks[2].pk).update(status="delivered")
    PendingCallback.objects.filter(pk=callbacks[3].pk).update(status="cancelled")
    done = client.get(live)
    assert numbers(done) == {"decided": 4, "delivered": 2, "dead": 1, "moot": 1}
    assert 'data-live="off"' in done.content.decode()
    assert "/admin/workflows/incident/" in done.content.decode()


def test_first_of_two_approvals_waits_for_another_and_nothing_is_sent(
    login: Login, officer: User, senior: User
) -> None:
    big = casework.many_waiting_for_manager(officer, 2, loan_amount=600_000)
    client = login(senior)
    assert "2 approvals" in choose(client, "approve", big).content.decode()

    page = client.get(decide(client, big).url)

    assert numbers(page) == {"decided": 2, "second": 2}
    assert not page.context["is_live"]


def test_poll_costs_the_same_however_many_rows_there_are(
    login: Login, officer: User, manager: User, django_assert_num_queries: Any
) -> None:
    client = login(manager)
    decide(client, casework.many_waiting_for_manager(officer, 30))
    live = f"{RUNS}{BulkDecision.objects.get().pk}/live/"

    # Session, user, two of permissions, the run with its counts, the deliveries.
    with django_assert_num_queries(5):
        tag = client.get(live).headers["ETag"]
    with django_assert_num_queries(5):
        client.get(live, headers={"If-None-Match": tag})


def test_list_of_runs_costs_the_same_however_many_there_are(
    login: Login, officer: User, manager: User, auditor: User, django_assert_num_queries: Any
) -> None:
    client = login(manager)
    for case in casework.many_waiting_for_manager(officer, 5):
        decide(client, [case])
    reader = login(auditor)

    # Session, user, two of permissions, the bell, a count, the rows.
    with django_assert_num_queries(7):
        assert len(reader.get(RUNS).context["cl"].result_list) == 5


def test_rows_that_a_dead_process_left_are_gone_on_with_by_a_press_of_its_maker(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    auditor: User,
    other: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = login(manager)
    form = typed(choose(client, "approve", cases))
    begin = bulk_decisions.bulk_begin
    with monkeypatch.context() as patched:
        patched.setattr(bulk_decisions, "bulk_begin", lambda **how: begin(**how) and _dies())
        with pytest.raises(SystemExit):
            client.post(DECIDE["approve"], form)
    run = BulkDecision.objects.get()
    page = client.get(f"{RUNS}{run.pk}/change/")
    assert numbers(page) == {"waiting": 4}
    assert 'id="press-go-on"' in page.content.decode()
    assert 'id="press-go-on"' not in login(auditor).get(f"{RUNS}{run.pk}/change/").content.decode()
    go_on = f"{LIST}go-on/{run.pk}/"
    assert client.get(go_on).status_code == 405
    assert login(auditor).post(go_on).status_code == 403
    assert login(other).post(go_on).status_code == 404
    assert not ReviewDecision.objects.exists()

    answer = client.post(go_on)

    assert answer.url == f"{RUNS}{run.pk}/change/"
    assert numbers(client.get(answer.url))["decided"] == 4
    assert ReviewDecision.objects.count() == 4
    client.post(go_on)
    client.post(DECIDE["approve"], form)
    assert ReviewDecision.objects.count() == 4


def _dies() -> None:
    raise SystemExit("killed")


def test_page_that_was_drawn_before_all_rows_were_reached_gets_the_rows_too(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    client = login(manager)
    decide(client, cases)
    run = BulkDecision.objects.get()
    run.rows.update(state="waiting")
    BulkDecision.objects.update(finished_at=None, carried_on_at=timezone.now())
    html = client.get(f"{RUNS}{run.pk}/change/").content.decode()
    assert f'data-live-url="{RUNS}{run.pk}/live/?rows=yes"' in html

    assert 'id="bulk-rows"' in client.get(f"{RUNS}{run.pk}/live/?rows=yes").content.decode()
    assert 'id="bulk-rows"' not in client.get(f"{RUNS}{run.pk}/live/").content.decode()


# --- Sent together -------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_answers_are_not_sent_one_by_one_on_commit_but_together_after_the_last(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    together = queue.send_together

    def sent_alone(what: object) -> bool:
        events.append(f"alone {what}")
        return False

    def sent_together(keys: list[str], *, seconds: float) -> int:
        events.append(f"{len(keys)} together after {ReviewDecision.objects.count()}")
        return together(keys, seconds=seconds)

    monkeypatch.setattr(queue, "_send_new", sent_alone)
    monkeypatch.setattr(queue, "send_now", sent_alone)
    monkeypatch.setattr(queue, "send_together", sent_together)

    client = login(manager)
    answer = decide(client, cases)

    assert events == ["4 together after 4"]
    # Nobody is at the engine's address in this test: what did not leave is for the sweep.
    assert numbers(client.get(answer.url)) == {"decided": 4, "pending": 4}
    assert said(answer)[-1] == "4 applications approved."
    assert {Outcome.APPROVE.value} == set(ReviewDecision.objects.values_list("outcome", flat=True))
