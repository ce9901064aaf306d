"""Claim, release and take over from the case's page and from My approvals."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from reviews.services.authority import CLAIM_LASTS
from reviews.services.claims import task_claim
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications.admin.conftest import LIST, Login, decide_page, page, said
from tests.reviews.admin.bulk_forms import DECIDE, row

pytestmark = pytest.mark.django_db
TASKS = "/admin/reviews/reviewtask/"
MINE = f"{TASKS}?mine=yes"
PRESSES = ("claim", "take-over", "release")


def press(client: Client, what: str, application: LoanApplication) -> Any:
    return client.post(page(what, application, application.review_tasks.get().pk))


def shown(client: Client, application: LoanApplication) -> list[str]:
    """The presses of claims and decisions that the case's page offers."""
    html = client.get(page("change", application)).content.decode()
    return [name for name in (*PRESSES, "approve", "decline") if f'id="press-{name}"' in html]


def holder() -> str | None:
    held: str | None = ReviewTask.objects.values_list("claimed_by__username", flat=True).get()
    return held


def test_claim_is_pressed_seen_by_others_and_released(
    login: Login, waiting: LoanApplication, manager: User, other: User, auditor: User
) -> None:
    mine, theirs = login(manager), login(other)
    assert shown(mine, waiting) == ["claim", "approve", "decline"]

    answer = press(mine, "claim", waiting)

    assert answer.url == page("change", waiting)
    assert said(answer)[0].startswith(f"{waiting.reference} is claimed by you")
    assert holder() == "manager"
    assert shown(mine, waiting) == ["release", "approve", "decline"]
    assert shown(theirs, waiting) == []
    for client in (mine, theirs, login(auditor)):
        html = client.get(page("change", waiting)).content.decode()
        assert '<span class="badge tone-info">Claimed</span> by <strong>manager</strong>' in html
        assert '<span class="badge tone-info">manager</span>' in client.get(TASKS).content.decode()
    assert "is claimed by manager since" in theirs.get(page("change", waiting)).content.decode()
    assert "manager</span>" in theirs.get(MINE).content.decode()

    press(mine, "release", waiting)
    assert holder() is None
    assert shown(theirs, waiting) == ["claim", "approve", "decline"]


def test_others_cannot_decide_what_is_claimed_neither_alone_nor_in_bulk(
    login: Login, waiting: LoanApplication, task: ReviewTask, manager: User, other: User
) -> None:
    client = login(other)
    client.get(decide_page(waiting, "approve"))
    task_claim(task=task, user=manager)

    refused = client.post(decide_page(waiting, "approve"), {"version": 1})
    assert refused.url == page("change", waiting)
    assert "is claimed by manager since" in said(refused)[0]
    chosen = {"action": "approve_selected", "index": "0", "_selected_action": [waiting.pk]}
    preview = client.post(LIST, chosen)
    assert not preview.context["ready"]
    assert "is claimed by manager since" in preview.content.decode()
    client.post(DECIDE["approve"], {"row": [row(waiting)]})
    assert "is claimed by manager since" in client.get(LIST).content.decode()

    assert not ReviewDecision.objects.exists()


def test_page_that_polls_is_told_of_a_claim_and_of_its_lapse(
    login: Login, waiting: LoanApplication, task: ReviewTask, manager: User, other: User
) -> None:
    client = login(other)
    live = page("live", waiting)
    first = client.get(live).headers["ETag"]
    task_claim(task=task, user=manager)
    claimed = client.get(live, headers={"If-None-Match": first})
    assert claimed.status_code == 200
    assert 'id="press-approve"' not in claimed.content.decode()

    ReviewTask.objects.update(claimed_at=timezone.now() - CLAIM_LASTS)

    lapsed = client.get(live, headers={"If-None-Match": claimed.headers["ETag"]})
    assert lapsed.status_code == 200
    assert 'id="press-approve"' in lapsed.content.decode()
    assert 'id="application-claimed"' not in lapsed.content.decode()


def test_senior_manager_is_offered_to_take_over_and_a_manager_is_not(
    login: Login,
    waiting: LoanApplication,
    task: ReviewTask,
    manager: User,
    other: User,
    senior: User,
) -> None:
    task_claim(task=task, user=manager)
    assert shown(login(senior), waiting) == ["take-over"]
    refused = press(login(other), "take-over", waiting)
    assert said(refused) == ["Only a senior manager may take over what somebody else claimed."]
    assert "is claimed by manager since" in said(press(login(senior), "claim", waiting))[0]
    assert holder() == "manager"

    press(login(senior), "take-over", waiting)

    assert holder() == "senior"
    assert ApplicationEvent.objects.filter(kind="claim_taken_over", actor=senior).exists()
    assert "is claimed by senior since" in said(press(login(manager), "release", waiting))[0]


@pytest.mark.parametrize("who", ["auditor", "officer", "operations", "analyst"])
def test_those_who_do_not_decide_it_see_no_press_and_every_post_is_forbidden(
    login: Login,
    waiting: LoanApplication,
    who: str,
    request: pytest.FixtureRequest,
) -> None:
    client = login(request.getfixturevalue(who))
    assert shown(client, waiting) == []

    assert [press(client, what, waiting).status_code for what in PRESSES] == [403] * 3
    for action in ("approve", "decline", "claim", "release"):
        client.post(
            TASKS,
            {
                "action": f"{action}_selected",
                "index": "0",
                "_selected_action": [waiting.review_tasks.get().pk],
            },
        )

    assert holder() is None
    assert not ReviewDecision.objects.exists()
    assert not ApplicationEvent.objects.filter(kind="claimed").exists()


def test_view_only_user_is_offered_no_action_on_the_list(
    login: Login, waiting: LoanApplication, auditor: User
) -> None:
    for address in (TASKS, MINE, LIST):
        assert 'name="action"' not in login(auditor).get(address).content.decode()


def test_presses_are_posts_with_a_csrf_token(waiting: LoanApplication, manager: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)

    for what in PRESSES:
        assert press(client, what, waiting).status_code == 403
        address = page(what, waiting, waiting.review_tasks.get().pk)
        assert client.get(address).status_code == 405
    assert "csrfmiddlewaretoken" in client.get(page("change", waiting)).content.decode()
    assert holder() is None


def test_task_of_another_case_is_not_found(
    login: Login, waiting: LoanApplication, officer: User, manager: User
) -> None:
    second = casework.waiting_for_manager(officer)

    address = page("claim", waiting, second.review_tasks.get().pk)

    assert login(manager).post(address).status_code == 404


# --- Who decides next -----------------------------------------------------------------------


def test_pages_say_how_many_approvals_are_given_by_whom_and_who_may_give_the_next(
    login: Login, officer: User, senior: User, manager: User, make_user: Callable[..., User]
) -> None:
    big = casework.waiting_for_manager(officer, loan_amount=600_000)
    now = timezone.now()
    delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now,
        ends_at=now + timedelta(days=1),
        by=senior,
    )
    decisions.task_decide(task=big.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    second = make_user("senior2", Role.SENIOR_MANAGER)
    client = login(second)

    for address in (page("change", big), page("live", big), decide_page(big, "approve")):
        html = client.get(address).content.decode()
        assert "1 of 2 given: manager on behalf of senior" in html, address
        assert (
            "A senior manager; not officer, who created it and submitted it; "
            "not manager, who approved it; not senior, who lent the right to approve it"
        ) in html, address
        assert "<dt>You</dt><dd>may decide it</dd>" in html, address
    assert "<dt>You</dt>" not in login(senior).get(page("change", big)).content.decode()
    assert "1 of 2 given" in client.get(MINE).content.decode()


def test_page_says_on_whose_behalf_one_would_decide(
    login: Login, officer: User, manager: User, senior: User
) -> None:
    large = casework.waiting_for_manager(officer, loan_amount=300_000)
    now = timezone.now()
    delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now,
        ends_at=now + timedelta(days=1),
        by=senior,
    )

    html = login(manager).get(page("change", large)).content.decode()

    assert "<dt>You</dt><dd>may decide it on behalf of senior</dd>" in html
    assert "A senior manager; not officer" in html
    assert shown(login(manager), large) == ["claim", "approve", "decline"]


# --- My approvals ---------------------------------------------------------------------------


def choose(client: Client, action: str, tasks: list[ReviewTask]) -> Any:
    return client.post(
        MINE, {"action": action, "index": "0", "_selected_action": [task.pk for task in tasks]}
    )


@pytest.fixture
def tasks(officer: User) -> list[ReviewTask]:
    """Of four cases; the last opened is due first."""
    cases = casework.many_waiting_for_manager(officer, 4)
    found = [case.review_tasks.get() for case in cases]
    for hours, asked in enumerate(reversed(found)):
        due = timezone.now() + timedelta(hours=hours - 0.5)
        ReviewTask.objects.filter(pk=asked.pk).update(due_at=due)
    return found


def test_my_approvals_say_what_one_needs_to_decide_oldest_due_first(
    login: Login, tasks: list[ReviewTask], manager: User, other: User
) -> None:
    task_claim(task=tasks[0], user=other)

    answer = login(manager).get(MINE)

    html = answer.content.decode()
    assert answer.context["title"] == "My approvals"
    assert '<li aria-current="page">My approvals</li>' in answer.content.decode()
    assert list(answer.context["cl"].result_list) == list(reversed(tasks))
    assert 'Prime <span class="quiet">780.67</span>' in html
    assert html.count("30 minutes late</time>") == 1
    assert ", by officer</span></a>" in html
    assert '<span class="badge tone-info">manager2</span>' in html
    assert login(manager).get(TASKS).context["title"] == "Review tasks"


def test_my_approvals_cost_the_same_however_many_there_are(
    login: Login, officer: User, manager: User, django_assert_num_queries: Any
) -> None:
    client = login(manager)
    for count in (1, 12):
        for task in casework.many_waiting_for_manager(officer, count):
            task_claim(task=task.review_tasks.get(), user=manager)
        # Session, user, two of permissions; who delegated, their partner keys, a count, the rows,
        # their assessments, the approvals given and the questions.
        with django_assert_num_queries(14):  # four of them for the badge and the bell
            client.get(MINE)


def test_empty_my_approvals_say_what_will_be_there(login: Login, manager: User) -> None:
    html = login(manager).get(MINE).content.decode()

    assert "Nothing waits on you." in html
    assert "the oldest due first" in html


def test_tasks_are_claimed_and_released_many_at_once(
    login: Login, tasks: list[ReviewTask], manager: User, other: User
) -> None:
    task_claim(task=tasks[0], user=other)
    client = login(manager)

    succeeded, failed = said(choose(client, "claim_selected", tasks))

    assert succeeded == "3 claimed."
    assert failed.startswith("1 not claimed:")
    assert f"{tasks[0].application.reference} is claimed by manager2" in failed
    claimed = f"{TASKS}?mine=claimed"
    assert set(client.get(claimed).context["cl"].result_list) == set(tasks[1:])
    assert "2 released." in said(choose(client, "release_selected", tasks[1:3]))
    assert list(client.get(claimed).context["cl"].result_list) == [tasks[3]]
    assert said(choose(client, "release_selected", tasks[1:2]))[-1] == "Nothing was released."


def test_too_many_are_not_claimed_at_once(
    login: Login, tasks: list[ReviewTask], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviews.admin.claims.MOST_CLAIMED", 3)

    sentences = said(choose(login(manager), "claim_selected", tasks))

    assert sentences == ["At most 3 are claimed at once; choose fewer."]
    assert not ReviewTask.objects.filter(claimed_by__isnull=False).exists()


@pytest.mark.parametrize("outcome", ["approve", "decline"])
def test_my_approvals_are_decided_through_the_same_preview(
    login: Login, tasks: list[ReviewTask], manager: User, other: User, outcome: str
) -> None:
    task_claim(task=tasks[0], user=other)
    client = login(manager)

    preview = choose(client, f"{outcome}_selected", tasks)

    assert [ready.task for ready in preview.context["ready"]] == tasks[1:]
    assert [refused.task for refused in preview.context["refused"]] == [tasks[0]]
    html = preview.content.decode()
    assert f'action="{DECIDE[outcome]}"' in html
    assert f'href="{MINE}">Cancel</a>' in html
    assert preview.context["totals"] == [("CAD", 450_000)]


def test_flag_that_an_analyst_claimed_is_theirs(
    login: Login, officer: User, analyst: User, make_user: Callable[..., User]
) -> None:
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)
    press(login(analyst), "claim", flagged)

    assert holder() == "analyst"
    assert shown(login(make_user("analyst2", Role.RISK_ANALYST)), flagged) == []
    assert shown(login(make_user("senior", Role.SENIOR_MANAGER)), flagged) == []
