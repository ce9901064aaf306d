"""The System page: each line by itself, and the page with an engine and without one."""

import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from audit.selectors import SealStatus
from tests.applications.admin.conftest import Login
from tests.workflows import trouble
from tests.workflows.lambda_stub import LambdaStub
from workflows import system_status as status_module
from workflows.admin.system import PIECES, hours_of, pieces_of
from workflows.admin.system_lines import GOOD, LOOK, WRONG, Line, lines_of
from workflows.backlog import Backlog
from workflows.deploy_check.check import Version
from workflows.models import OutboxMessage, PeriodicRun, SweepRun
from workflows.probes import Answer
from workflows.system_status import IncidentsOfKind, Swept, SystemStatus, VersionsInUse

PAGE = "/admin/workflows/sweeprun/"
LISTED = "/2025-12-01/functions/loan-approval/durable-executions"
NOW = timezone.now()
MINUTE = timedelta(minutes=1)
SEALED = SealStatus(
    sealed=7, sealed_at=NOW - MINUTE, verified=6, verified_at=NOW - MINUTE, finding="", unsealed=2
)
OUTSIDE = {
    "engine": Answer(value="3", seconds=0.012),
    "storage": Answer(value=0.2, seconds=1.3),
    "versions": Answer(value=VersionsInUse((), is_cut=False, newest="3")),
}


def swept(ago: timedelta, **figures: int) -> Swept:
    empty = {"outbox_pending": 0, "outbox_oldest_seconds": 0, "incidents_open": 0}
    return Swept(minute=NOW - ago, **{"tasks_overdue": 0, **empty, **figures})


def lines(
    *,
    ended: timedelta | None = MINUTE,
    engine_error: str = "",
    day: int = 1440,
    missed: int = 0,
    backlog: Backlog = Backlog(0, 0, 0, 0),  # noqa: B008 - frozen
    incidents: tuple[IncidentsOfKind, ...] = (),
    seal: SealStatus = SEALED,
    outside: Mapping[str, Answer] = OUTSIDE,
) -> dict[str, Line]:
    last = None
    if ended is not None:
        last = SweepRun(
            minute=NOW - ended,
            ended_at=NOW - ended,
            seconds=0.4,
            engine_error=engine_error,
            outbox_oldest_seconds=0,
        )
    status = SystemStatus(
        last=last,
        day=[swept(MINUTE * back) for back in range(day - 1, missed - 1, -1)] if last else [],
        backlog=backlog,
        incidents=incidents,
        jobs=[],
        seal=seal,
        database_seconds=0.0004,
    )
    return {line.key: line for line in lines_of(status, outside, now=NOW)}


def incident(opened: int, *, ago: timedelta) -> IncidentsOfKind:
    return IncidentsOfKind("stopped", "Stopped", opened, 1 - opened, NOW - ago)


def seal(**changes: Any) -> SealStatus:
    return SEALED._replace(**changes)


def down(name: str) -> dict[str, Answer]:
    return {**OUTSIDE, name: Answer(error="No answer within 3 s.")}


def test_healthy_office_has_no_line_that_is_wrong() -> None:
    found = lines()

    assert {line.state for line in found.values()} == {GOOD}
    assert {key: line.sentence for key, line in found.items()} == {
        "sweep": "Last ended 1 min ago, after 0.4 s. Sweeps ended in 1,440 of the last 1,440 "
        "minutes.",
        "outbox": "No message waits.",
        "incidents": "None is open.",
        "tasks": "None is overdue.",
        "engine": "Answered after 12 ms.",
        "storage": "Answered after 200 ms.",
        "database": "Answered after 1 ms.",
        "versions": "A start would run on 3. No execution is unfinished.",
        "seal": "Seal 7, made 1 min ago. 2 rows at most not sealed yet.",
        "verification": "No difference up to seal 6, 1 min ago.",
    }


@pytest.mark.parametrize(
    ("key", "given", "state", "said"),
    [
        ("sweep", {"ended": None}, WRONG, "No sweep has come"),
        ("sweep", {"ended": 6 * MINUTE}, WRONG, "Last ended 6 min ago"),
        ("sweep", {"day": 1000, "missed": 150}, LOOK, "in 850 of the last 1,000 minutes"),
        ("sweep", {"day": 5}, GOOD, "in 5 of the last 5 minutes"),
        ("outbox", {"backlog": Backlog(1, 30, 0, 0)}, GOOD, "1 message waits, the oldest for 30 s"),
        ("outbox", {"backlog": Backlog(1200, 601, 0, 0)}, WRONG, "1,200 messages wait"),
        ("incidents", {"incidents": (incident(1, ago=MINUTE),)}, LOOK, "1 open, 0 ack"),
        ("incidents", {"incidents": (incident(1, ago=1500 * MINUTE),)}, WRONG, "1 day 1 h ago"),
        ("incidents", {"incidents": (incident(0, ago=1500 * MINUTE),)}, GOOD, "0 open, 1 ack"),
        ("tasks", {"backlog": Backlog(0, 0, 0, 2)}, GOOD, "2 are overdue."),
        ("engine", {"outside": down("engine")}, WRONG, "would take no start now. No answer"),
        ("engine", {"engine_error": "Throttled"}, LOOK, "The last sweep: Throttled"),
        ("storage", {"outside": down("storage")}, WRONG, "No answer within 3 s."),
        ("versions", {"outside": down("versions")}, LOOK, "not known. No answer within 3 s."),
        ("seal", {"seal": seal(sealed_at=NOW - 61 * MINUTE)}, WRONG, "1 h 1 min ago"),
        ("seal", {"seal": seal(sealed_at=NOW - 61 * MINUTE, unsealed=0)}, GOOD, "0 rows"),
        ("seal", {"seal": seal(sealed_at=None)}, LOOK, "None yet. 2 rows"),
        ("verification", {"seal": seal(finding="Row 3 was changed.")}, WRONG, "Row 3 was changed"),
        ("verification", {"seal": seal(verified_at=None)}, LOOK, "Nothing has been verified"),
        ("verification", {"seal": seal(verified_at=NOW - 2881 * MINUTE)}, LOOK, "2 days"),
    ],
)
def test_line_says_what_is_wrong(key: str, given: dict[str, Any], state: str, said: str) -> None:
    line = lines(**given)[key]

    assert line.state == state
    assert said in line.sentence


def test_runbook_says_what_to_do_for_each_line() -> None:
    runbook = Path(settings.BASE_DIR, "docs", "runbook.md").read_text()
    section = runbook[runbook.index("## The System page") : runbook.index("## Alarms")]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)

    assert rows[2:] == [line.label for line in lines().values()]


def test_versions_name_how_many_executions_sleep_on_each() -> None:
    used = VersionsInUse((Version("3", 12, NOW), Version("7", 1, None)), is_cut=True, newest="7")
    outside = {**OUTSIDE, "versions": Answer(value=used), "engine": Answer(value="")}

    said = lines(outside=outside)["versions"].sentence

    assert said.startswith("The last start was on 7. 13 unfinished executions at least: 12 on 3")
    assert said.endswith("; 1 on 7.")


def test_day_is_cut_into_pieces_with_the_most_of_each() -> None:
    day = [
        swept(timedelta(hours=24, seconds=-1), outbox_pending=9),
        swept(timedelta(minutes=14), outbox_pending=3, outbox_oldest_seconds=40),
        swept(timedelta(minutes=12), outbox_pending=5, outbox_oldest_seconds=20),
        swept(timedelta(seconds=1), incidents_open=2),
    ]
    pieces = pieces_of(day, now=NOW)

    assert len(pieces) == PIECES
    assert [piece.sweeps for piece in pieces if piece.sweeps] == [1, 2, 1]
    assert (pieces[0].outbox_pending, pieces[-1].incidents_open) == (9, 2)
    assert (pieces[-2].outbox_pending, pieces[-2].outbox_oldest_seconds) == (5, 40)
    newest, *_, oldest = hours_of(pieces)
    assert (newest.sweeps, newest.outbox_pending, newest.oldest) == (3, 5, "40 s")
    assert oldest.outbox_pending == 9


def an_hour_of_sweeps(now: datetime) -> None:
    SweepRun.objects.bulk_create(
        SweepRun(
            minute=(now - MINUTE * back).replace(second=0, microsecond=0),
            ended_at=now - MINUTE * back,
            seconds=0.3,
            outbox_pending=back,
            outbox_oldest_seconds=back,
            incidents_open=0,
            tasks_overdue=0,
        )
        for back in range(60)
    )


@pytest.mark.django_db
def test_page_shows_the_day_the_incidents_and_the_jobs_in_few_queries(
    login: Login, make_user: Any, officer: User, aws: LambdaStub
) -> None:
    kind = trouble.stuck(officer).kind
    an_hour_of_sweeps(timezone.now())
    PeriodicRun.objects.create(name="seal", result={"rows": 2, "error": "Access denied"})
    listed = {
        "DurableExecutionArn": "a",
        "DurableExecutionName": "LOAN-1",
        "Status": "RUNNING",
        "FunctionArn": "arn:aws:lambda:ca-central-1:123456789012:function:loan-approval:4",
        "StartTimestamp": 1_790_000_000.0,
    }
    aws.known[LISTED] = {"DurableExecutions": [listed]}
    client = login(make_user("operations", Role.OPERATIONS))

    with CaptureQueriesContext(connection) as captured:
        html = client.get(PAGE).content.decode()

    assert len(captured) <= 18  # thirteen for the page; session, user, permissions, the badge
    assert "1 unfinished execution: 1 on 4, the oldest since" in html
    assert html.count('class="bar bar-outbox_pending"') in {6, 7}
    assert html.count('class="bar bar-silent"') >= 2 * (PIECES - 7)
    assert "At most 59 waited at once." in html
    assert f"?kind__exact={kind}" in html
    assert "Access denied" in html
    assert "style=" not in html[html.index('id="content-main"') :]


@pytest.mark.django_db
def test_engine_and_storage_that_never_answer_do_not_hold_up_the_page(
    login: Login, auditor: User, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.answering.clear()
    monkeypatch.setattr(status_module, "ANSWERED_WITHIN", 0.05)
    monkeypatch.setattr(
        "django.core.files.storage.filesystem.FileSystemStorage.exists",
        lambda *_: aws.answering.wait(60),
    )
    OutboxMessage.objects.create(
        kind="email", key="old", created_at=timezone.now() - timedelta(hours=1)
    )

    html = login(auditor).get(PAGE).content.decode()
    aws.answering.set()
    for thread in threading.enumerate():
        if thread.name.startswith("probe-"):
            thread.join(30)

    assert html.count("No answer within 0.05 s.") >= 2
    assert "1 message waits, the oldest for 1 h." in html
    assert "No sweep has come to its end yet." in html


@pytest.mark.django_db
def test_page_is_for_operations_and_auditors(
    login: Login, make_user: Any, officer: User, aws: LambdaStub
) -> None:
    aws.known[LISTED] = {"DurableExecutions": []}
    for role in (Role.OPERATIONS, Role.AUDITOR, Role.MANAGER):
        client = login(make_user(f"one_{role.key}", role))
        may = role != Role.MANAGER
        assert (f'href="{PAGE}"' in client.get("/admin/").content.decode()) is may
        assert client.get(PAGE).status_code == (200 if may else 403)
    assert client.post(PAGE).status_code == 403
