"""The front page: figures with known values, for one person, in a bounded number of queries."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.models import LoanApplication
from audit import sealing
from audit.models import Action, AuditEntry
from audit.seal_verification import seals_verify
from audit.services import entry_record
from core.charts import grouped_bars, round_up, shares
from lending.choices import Outcome
from loanoffice.dashboard import DAYS, dashboard_of, flow_of, oldest_waiting, open_tasks_of
from loanoffice.median import median_span
from loanoffice.office_figures import office_figures
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.workflows import trouble
from workflows.models import SweepRun

pytestmark = pytest.mark.django_db
HOME = "/admin/"
LIST = "/admin/applications/loanapplication/"


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def closed(officer: User, status: Status, *, took: timedelta, days_ago: int = 0) -> None:
    """A case that was submitted, and decided and closed ``took`` later."""
    application = casework.submit(officer)
    ended = timezone.localtime() - timedelta(days=days_ago)  # the same time of that local day
    LoanApplication.objects.filter(pk=application.pk).update(
        status=status,
        outcome=Outcome.APPROVE if status == Status.FUNDED else Outcome.DECLINE,
        submitted_at=ended - took,
        decided_at=ended,
        closed_at=ended,
    )


def test_flow_counts_each_local_day_and_takes_the_median(officer: User) -> None:
    closed(officer, Status.FUNDED, took=timedelta(minutes=2))
    closed(officer, Status.FUNDED, took=timedelta(minutes=4), days_ago=3)
    closed(officer, Status.DECLINED, took=timedelta(minutes=9), days_ago=3)
    closed(officer, Status.FUNDED, took=timedelta(hours=9), days_ago=40)
    casework.submit(officer)

    flow = flow_of(now=timezone.now())

    assert len(flow.days) == DAYS
    assert flow.today.day == timezone.localdate()
    assert (flow.today.funded, flow.today.declined) == (1, 0)
    three_ago = flow.days[-4]
    assert (three_ago.funded, three_ago.declined) == (1, 1)
    assert (flow.total.submitted, flow.total.funded, flow.total.declined) == (4, 2, 1)
    assert flow.median == timedelta(minutes=4)


def test_link_of_each_tile_shows_the_rows_that_it_counts(officer: User) -> None:
    for days_ago in (0, DAYS - 1, DAYS):
        closed(officer, Status.FUNDED, took=timedelta(minutes=1), days_ago=days_ago)
    client = as_user(officer)
    front = client.get(HOME).text
    links = {unescape(link) for link in re.findall(r'href="(/admin/[^"]*\?[^"]+)"', front)}
    shown = {link: client.get(link) for link in links}

    assert not [link for link, answer in shown.items() if "does not offer" in answer.text]
    rows = {link.partition("?")[2]: answer.context["cl"] for link, answer in shown.items()}
    assert rows["status__exact=funded&closed=1"].result_count == 1
    assert rows["status__exact=funded&closed=30"].result_count == 2
    assert rows["submitted=30&status__exact=funded"].result_count == 2
    assert rows["submitted=30&decided=30"].result_count == 2
    assert rows["mine=yes&decided=1"].result_count == 1
    assert rows["mine=in_work"].result_count == 0


@pytest.mark.parametrize(
    ("minutes", "median"), [([], None), ([7], 7), ([1, 5], 3), ([9, 1, 2], 2), ([1, 2, 4, 90], 3)]
)
def test_median_is_the_middle_one_or_between_the_two_in_the_middle(
    officer: User, minutes: list[int], median: int | None
) -> None:
    for number in minutes:
        closed(officer, Status.FUNDED, took=timedelta(minutes=number))

    found = median_span(LoanApplication.objects.all(), start="submitted_at", end="decided_at")

    wanted = None if median is None else timedelta(minutes=median)
    assert found == wanted or abs((found or timedelta()) - (wanted or timedelta())) < timedelta(
        milliseconds=1
    )


def test_open_tasks_counts_open_tasks_by_age_and_what_is_overdue(officer: User) -> None:
    now = timezone.now()
    for hours in (1, 5, 30, 100, 200):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        opened = now - timedelta(hours=hours)
        ReviewTask.objects.filter(pk=task.pk).update(
            opened_at=opened, due_at=opened + timedelta(days=1)
        )

    tasks = open_tasks_of(now=now)

    assert [age.tasks for age in tasks.ages] == [1, 1, 1, 1, 1]
    assert (tasks.open, tasks.overdue) == (5, 3)


def test_oldest_are_marked_where_the_person_may_decide(officer: User, manager: User) -> None:
    first = casework.waiting_for_manager(officer).review_tasks.get()
    above = casework.waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    ReviewTask.objects.filter(pk=first.pk).update(opened_at=timezone.now() - timedelta(days=2))

    found = oldest_waiting(user=manager, now=timezone.now())

    assert [(old.task.pk, old.is_mine) for old in found] == [(first.pk, True), (above.pk, False)]


def test_each_sees_what_their_role_shows(
    officer: User, manager: User, auditor: User, make_user: Callable[..., User]
) -> None:
    casework.waiting_for_manager(officer)
    trouble.stuck(officer)
    now = timezone.now()

    assert dashboard_of(user=manager, now=now).waiting_on_me == 1
    seen = dashboard_of(user=auditor, now=now)
    assert seen.waiting_on_me is None
    assert seen.incidents_open == 1
    assert seen.open_tasks is not None
    nothing = dashboard_of(user=make_user("nobody"), now=now)
    assert (nothing.flow, nothing.open_tasks, nothing.incidents_open) == (None, None, None)
    assert not nothing.oldest


def test_page_says_what_to_do_where_nothing_is_yet(
    officer: User, make_user: Callable[..., User]
) -> None:
    html = as_user(officer).get(HOME).content.decode()
    assert 'id="welcome"' in html
    assert 'id="press-first"' in html
    assert (
        "you have none that shows anything"
        in as_user(make_user("nobody")).get(HOME).content.decode()
    )


def test_page_costs_the_same_number_of_queries_however_much_there_is(
    officer: User, manager: User
) -> None:
    client = as_user(manager)
    numbers = []
    for many in (2, 12):
        for _ in range(many):
            casework.waiting_for_manager(officer)
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            html = client.get(HOME).content.decode()
        numbers.append(len(captured))
        assert 'id="oldest"' in html

    # Session, user, permissions and delegations; badge and tile; the open tasks, the oldest and
    # which of them are mine; incidents; three counts by day and the median; sums, funnel, and two
    # or three for each of four weeks; is it new; four for the seals.
    assert numbers[0] == numbers[1] <= 39
    with CaptureQueriesContext(connection) as captured:
        client.get(HOME)
    assert len(captured) < numbers[0]


def test_everybody_sees_the_last_verified_seal_and_what_is_not_sealed(
    auditor: User, make_user: Callable[..., User]
) -> None:
    nobody = as_user(make_user("nobody"))
    html = nobody.get(HOME).content.decode()
    assert "Nothing has been verified yet." in html
    assert "No seal has been made yet." in html
    sealing.seals_make()
    seals_verify()
    entry_record(action=Action.VIEWED, message="Looked.")
    cache.clear()
    html = as_user(auditor).get(HOME).content.decode()
    assert "Last verified: seal 1, " in html
    assert "The last seal is 1, made " in html
    assert re.search(r"At most \d+ rows? (is|are) not sealed yet.", html)
    with casework.triggers_lifted():
        QuerySet.update(AuditEntry.objects.all(), message="x")
    seals_verify()
    cache.clear()
    html = nobody.get(HOME).content.decode()
    assert "Not as it was sealed" in html
    assert "was changed after seal 1 closed it" in html


def test_what_is_wrong_with_the_system_is_said_to_operations_at_the_cost_of_one_query(
    make_user: Callable[..., User], manager: User
) -> None:
    operations = as_user(make_user("operations", Role.OPERATIONS))
    assert "No sweep has come to its end yet" in operations.get(HOME).content.decode()
    now = timezone.now()
    row = SweepRun.objects.create(
        minute=now,
        ended_at=now,
        seconds=0.2,
        outbox_pending=3,
        outbox_oldest_seconds=20,
        incidents_open=0,
        tasks_overdue=0,
    )
    assert 'id="system-notice"' not in operations.get(HOME).content.decode()
    SweepRun.objects.filter(pk=row.pk).update(
        ended_at=now - timedelta(minutes=9),
        outbox_oldest_seconds=3600,
        engine_error="The engine cannot be reached.",
    )

    with CaptureQueriesContext(connection) as captured:
        html = operations.get(HOME).content.decode()

    assert sum("workflows_sweeprun" in query["sql"] for query in captured) == 1
    notice = html[html.index('id="system-notice"') :]
    assert "No sweep has come to its end for 9 min" in notice
    assert "a message had waited for 1 h." in notice
    assert "The last sweep could not ask the engine." in notice
    assert 'href="/admin/workflows/sweeprun/"' in notice
    with CaptureQueriesContext(connection) as captured:
        html = as_user(manager).get(HOME).content.decode()
    assert 'id="system-notice"' not in html
    assert not any("workflows_sweeprun" in query["sql"] for query in captured)


def test_figures_are_kept_for_a_minute_and_what_waits_on_me_is_not(
    officer: User, manager: User
) -> None:
    client = as_user(manager)
    task = casework.waiting_for_manager(officer).review_tasks.get()
    assert client.get(HOME).context["dashboard"].waiting_on_me == 1
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)

    shown = client.get(HOME).context["dashboard"]

    assert shown.waiting_on_me == 0
    assert shown.open_tasks.open == 1


@pytest.mark.both_databases
def test_figures_over_thirty_days_read_indexes_alone(officer: User) -> None:
    for _ in range(30):
        casework.submit(officer)
    with CaptureQueriesContext(connection) as captured:
        flow_of(now=timezone.now())
        office_figures(now=timezone.now(), days=DAYS)

    if connection.vendor == "sqlite":
        for query in captured.captured_queries:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = "\n".join(str(row[3]) for row in cursor.fetchall())
            assert "application_by_" in plan, plan
            assert "SCAN applications_loanapplication\n" not in plan, plan


def test_bars_are_as_high_as_their_values_and_zero_has_none() -> None:
    bars = grouped_bars({"funded": [0, 3, 5], "declined": [1, 0, 0]})

    assert bars.top == 5
    heights = {bar.series: [] for bar in bars.bars}  # type: dict[str, list[float]]
    for bar in bars.bars:
        heights[bar.series].append(bar.height)
        assert bar.y + bar.height == 120
    assert heights == {"funded": [72.0, 120.0], "declined": [24.0]}


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 5), (11, 20), (99, 100), (101, 200)]
)
def test_scale_ends_at_a_round_number(value: int, top: int) -> None:
    assert round_up(value) == top


def test_shares_are_of_the_largest() -> None:
    assert shares([1, 4, 0]) == [25.0, 100.0, 0.0]
    assert shares([0, 0]) == [0.0, 0.0]


# --- The badge and the way around ------------------------------------------------------------


def test_badge_is_on_every_page_of_who_decides_and_on_no_other(
    officer: User, manager: User, auditor: User
) -> None:
    casework.waiting_for_manager(officer)

    html = as_user(manager).get("/admin/applications/loanapplication/").content.decode()
    assert 'data-waiting="1"' in html
    assert "1 task waits on you" in html
    assert "open-tasks-badge" not in as_user(auditor).get(HOME).content.decode()


def test_open_tasks_is_told_as_json_and_304_while_it_stays_the_same(
    officer: User, manager: User
) -> None:
    client = as_user(manager)
    task = casework.waiting_for_manager(officer).review_tasks.get()

    answer = client.get("/admin/open-tasks/")

    assert answer.json() == {"waiting": 1, "shown": "1", "sentence": "1 task waits on you"}
    assert "no-store" in answer["Cache-Control"]
    again = {"If-None-Match": answer["ETag"]}
    assert client.get("/admin/open-tasks/", headers=again).status_code == 304
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert client.get("/admin/open-tasks/", headers=again).json()["waiting"] == 0


def test_open_tasks_is_for_staff_and_read_only(manager: User, client: Client) -> None:
    assert client.get("/admin/open-tasks/").status_code == 302
    assert as_user(manager).post("/admin/open-tasks/").status_code == 405


def test_what_people_come_for_stands_first(make_user: Callable[..., User], officer: User) -> None:
    def groups(user: User) -> dict[str, list[Any]]:
        apps = as_user(user).get(HOME).context["app_list"]
        return {app["name"]: [str(model["name"]) for model in app["models"]] for app in apps}

    senior = groups(make_user("boss", Role.SENIOR_MANAGER))
    assert next(iter(senior)) == "Desk"
    assert senior["Desk"] == ["My approvals", "Loan applications", "Incidents", "Proposals"]
    assert "Review tasks" in senior["Reviews"]
    auditor = groups(make_user("auditor", Role.AUDITOR))
    assert auditor["Desk"] == ["Loan applications", "Incidents", "Proposals"]  # decides nothing
    everything = [name for names in groups(officer).values() for name in names]
    assert "Users" not in everything
    assert len(everything) == len(set(everything))
    assert groups(make_user("nobody")) == {"Reviews": ["Delegations"]}  # one's own
