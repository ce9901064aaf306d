"""Case 18: clocks that change and time zones that differ do not matter."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.errors import DecisionExpired
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.hard_cases.clock import Clock
from tests.partners.api.calls import BASE, Caller, path
from workflows.callbacks import pending

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
# In Toronto the hour from 1 to 2 comes twice on this night, at 05:00 and at 06:00 UTC.
CLOCKS_GO_BACK = datetime(2026, 11, 1, 6, tzinfo=UTC)
# And the hour from 2 to 3 does not come at all on this one.
CLOCKS_GO_FORWARD = datetime(2026, 3, 8, 7, tzinfo=UTC)
ZONES = ("America/Toronto", "UTC", "Pacific/Auckland", "Asia/Kathmandu", "Pacific/Kiritimati")


def stored_text(column: str) -> str:
    """A time of the only task as the database itself keeps it, to the second."""
    shown = (
        f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        if connection.vendor == "postgresql"
        else f"substr(CAST({column} AS TEXT), 1, 19)"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {shown} FROM reviews_reviewtask")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", [CLOCKS_GO_BACK, CLOCKS_GO_FORWARD], ids=["back", "forward"])
def test_due_times_are_so_many_hours_later_whatever_the_clocks_on_the_wall_do(
    officer: User, manager: User, clock: Clock, zone: str, change: datetime
) -> None:
    opened = clock.now = change - timedelta(hours=12)
    with timezone.override(zone):
        task = casework.waiting_for_manager(officer).review_tasks.get()

    assert task.due_at - opened == timedelta(days=1)
    assert task.expires_at - opened == timedelta(days=7)
    assert stored_text("due_at") == f"{opened + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    assert stored_text("expires_at") == f"{opened + timedelta(days=7):%Y-%m-%d %H:%M:%S}"


def test_the_hour_that_comes_twice_is_two_hours(officer: User, manager: User, clock: Clock) -> None:
    with timezone.override("America/Toronto"):
        # It expires when the clocks on the wall say 1:30 for the second time.
        expires = CLOCKS_GO_BACK + timedelta(minutes=30)
        clock.now = expires - timedelta(days=7)
        task = casework.waiting_for_manager(officer).review_tasks.get()
        assert task.expires_at == expires

        clock.now = expires - timedelta(hours=1)  # 1:30 for the first time
        assert pending.task_time_out(task_id=task.pk) is False
        decisions.decision_check(
            application=task.application, task=task, user=manager, now=clock.now
        )

        clock.now = expires
        with pytest.raises(DecisionExpired):
            decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
        assert pending.task_time_out(task_id=task.pk) is True


def test_what_was_stored_means_the_same_in_another_time_zone(
    login: Login, waiting: LoanApplication, manager: User, settings: Any
) -> None:
    client = login(manager)
    task = waiting.review_tasks.get()
    shown = set()
    answers = set()
    for zone in ZONES:
        settings.TIME_ZONE = zone
        timezone.deactivate()
        assert ReviewTask.objects.get().due_at == task.due_at
        answers.add(client.get(path(waiting.reference)).content)
        html = client.get(page("change", waiting)).content.decode()
        local = timezone.localtime(task.expires_at)
        assert f'datetime="{local.isoformat()}"' in html
        shown.add(local.isoformat())

    assert len(shown) == len(ZONES), "the office shows local times, with their offsets"
    assert len(answers) == 1, "the API answers the same whatever the server's zone"
    until = json.loads(answers.pop())["waiting_on"]["until"]
    assert until == task.expires_at.isoformat().replace("+00:00", "Z")


def test_times_in_a_query_are_read_with_their_offset_and_else_as_utc(
    api: Caller, clock: Clock, settings: Any
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    clock.now = CLOCKS_GO_BACK
    reference = api.submit(loan_amount=str(Decimal("1.00"))).json()["reference"]

    def found(after: str) -> list[str]:
        results = api.get(BASE, {"submitted_after": after}).json()["results"]
        return [case["reference"] for case in results]

    assert found("2026-11-01T05:59:59Z") == [reference]
    assert found("2026-11-01T01:59:59-04:00") == [reference]  # 1:59:59 for the first time
    assert found("2026-11-01T05:59:59") == [reference]
    assert found("2026-11-01T06:00:01Z") == []
    assert found("2026-11-01T01:00:01-05:00") == []  # 1:00:01 for the second time
