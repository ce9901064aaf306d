"""The sweep reconciles in passes that are bounded in time; the next goes on where one stopped."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication
from tests import casework
from tests.sizes import size
from tests.workflows.lambda_stub import LambdaStub
from workflows import sweep
from workflows.models import Execution, OutboxMessage, PendingCallback, PeriodicRun
from workflows.reconcile import compare, findings, questions
from workflows.reconcile.compare import reconcile, reconcile_for
from workflows.reconcile.findings import Pace
from workflows.reconcile.rounds import Round

pytestmark = pytest.mark.django_db

LIST = "/2025-12-01/functions/loan-approval/durable-executions"
LOST = size(short=40, long=300)
RATE = compare.CALLS_PER_SECOND_OF_SWEEP


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.moves = True
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.moves:
            self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    found = Clock()
    for module in (findings, questions, compare, sweep):
        monkeypatch.setattr(module, "time", found)
    monkeypatch.setattr(questions, "GRACE", 30.0)  # this machine may be slow
    return found


@pytest.fixture
def application(officer: User, aws: LambdaStub) -> LoanApplication:
    """Nothing of it is in the engine yet, nor on its way."""
    found = casework.waiting_for_manager(officer)
    OutboxMessage.objects.update(status="sent")
    aws.known[LIST] = {"DurableExecutions": []}
    return found


def executions(application: LoanApplication, count: int) -> list[Execution]:
    """Executions that run for the record; of attempts that the application does not depend on."""
    first = application.executions.get()
    Execution.objects.filter(pk=first.pk).update(ended_at=timezone.now(), status="FAILED")
    LoanApplication.objects.filter(pk=application.pk).update(status="withdrawn")
    return Execution.objects.bulk_create(
        Execution(
            application=application,
            attempt=number,
            name=f"{application.reference}-{number}",
            arn=f"arn:lost:{number}",
            status="RUNNING",
            queued_at=timezone.now() - timedelta(hours=1),
        )
        for number in range(2, count + 2)
    )


def asked(aws: LambdaStub) -> list[str]:
    """The ARNs that were asked about."""
    return [unquote(path.rpartition("/")[2]) for path in aws.reads if "arn%3Alost" in path]


def go_on(going_on: Round | None = None, *, seconds: float = 0.0) -> tuple[list[str], Any, str]:
    """One pass: the names that it found, the round to go on with as it is stored, an error."""
    stored = None if going_on is None else Round.from_stored(going_on.stored())
    report, left, error = reconcile_for(
        seconds=seconds, going_on=stored, store=lambda _: None, calls_per_second=1000
    )
    return [finding.name for finding in report.findings], left, error


@pytest.mark.long
def test_many_lost_executions_are_found_in_passes_between_which_messages_leave(
    application: LoanApplication, aws: LambdaStub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = executions(application, LOST)
    seconds = LOST / RATE / 4
    monkeypatch.setattr(sweep, "RECONCILE_FOR", seconds)
    run = PeriodicRun.objects.filter(name="reconcile")
    found: list[int] = []
    while not found or not run.get().result["complete"]:
        OutboxMessage.objects.create(
            kind="start_execution", key=f"start/{len(found)}", execution=lost[0], payload={}
        )
        calls, began = len(aws.calls), clock.now

        found.append(sweep.sweep()["reconciled"])

        assert aws.calls[calls].endswith("/invocations")  # it sends first
        assert not OutboxMessage.objects.filter(status="pending").exists()
        assert clock.now - began <= seconds + 2 / RATE
        assert len(aws.calls) - calls <= seconds * RATE + 3
    assert 4 <= len(found) <= 6
    assert sum(found) == LOST
    assert sorted(asked(aws)) == sorted(str(row.arn) for row in lost)  # each once
    assert not Execution.objects.filter(ended_at__isnull=True).exists()
    assert run.get().place == {}

    executions_read = len(aws.reads)
    assert sweep.sweep()["reconciled"] == 0
    assert len(aws.reads) == executions_read  # the round is complete: not due


def listed(application: LoanApplication, *numbers: int, status: str) -> list[dict[str, Any]]:
    return [
        {
            "DurableExecutionArn": f"arn:lost:{number}",
            "DurableExecutionName": f"{application.reference}-{number}",
            "FunctionArn": "arn:aws:lambda:ca-central-1:1:function:loan-approval:1",
            "Status": status,
            "StartTimestamp": 1_790_000_000.0,
        }
        for number in numbers
    ]


def test_rows_are_read_in_bulk(
    application: LoanApplication, aws: LambdaStub, officer: User
) -> None:
    """The number of statements is the same for twice as many of each kind."""
    cases = casework.many_waiting_for_manager(officer, 4)
    OutboxMessage.objects.update(status="sent")
    rows = iter(executions(application, 16))

    def more() -> tuple[int, dict[str, int]]:
        for status, arn in (("RUNNING", True), ("QUEUED", False)) * 2:
            row = next(rows)
            Execution.objects.filter(pk=row.pk).update(
                ended_at=None, status=status, arn=row.arn if arn else None
            )
        for _ in range(2):
            row = next(rows)
            Execution.objects.filter(pk=row.pk).update(ended_at=None)
            paused.extend(listed(application, row.attempt, status="PAUSED"))
            paused.extend(listed(cases[0], row.attempt, status="RUNNING"))
            PendingCallback.objects.create(
                execution=row,
                name="asked",
                callback_id=row.name,
                status="answered",
                answer={},
                answered_at=timezone.now() - timedelta(hours=1),
                expires_at=timezone.now(),
            )
        for _ in range(2):
            Execution.objects.filter(application=cases.pop()).update(
                ended_at=timezone.now(), status="SUCCEEDED"
            )
        with CaptureQueriesContext(connection) as captured:
            report = reconcile(dry_run=True, calls_per_second=1e9)
        return len(captured), Counter(finding.what for finding in report.findings)

    Execution.objects.filter(application=application).update(ended_at=timezone.now())
    Execution.objects.filter(application__in=cases).update(queued_at=timezone.now())
    paused: list[dict[str, Any]] = []
    aws.known[LIST] = {"DurableExecutions": paused}
    few, found = more()
    many, found_then = more()

    expected = {
        "lost by the engine",
        "start did not arrive",
        "pause differs",
        "not on record",
        "ended in the middle",
    }
    assert expected <= set(found)
    assert all(found_then[what] > found[what] for what in expected - {"lost by the engine"})
    assert many == few


def test_list_of_the_engine_goes_on_behind_the_last_name_and_begins_anew_without_its_marker(
    application: LoanApplication, aws: LambdaStub
) -> None:
    Execution.objects.update(ended_at=timezone.now(), status="FAILED")
    LoanApplication.objects.update(status="withdrawn")
    del aws.known[LIST]
    first = {
        "DurableExecutions": listed(application, 11, 12, status="RUNNING"),
        "NextMarker": "second",
    }
    last = {"DurableExecutions": listed(application, 13, status="RUNNING")}
    aws.pages += [first, first, last]
    found = [go_on()]
    found.append(go_on(found[0][1]))
    found.append(go_on(found[1][1]))
    names = [[name.rpartition("-")[2] for name in names] for names, _, _ in found]
    assert names == [["11"], ["12"], ["13"]]
    assert [("Marker=second" in path) for path in aws.reads] == [False, False, True]

    aws.pages += [(400, "InvalidParameterValueException"), first]
    assert go_on(found[1][1])[0] == [f"{application.reference}-11"]


def test_row_that_the_engine_cannot_tell_about_lets_the_others_have_their_turn(
    application: LoanApplication, aws: LambdaStub
) -> None:
    rows = executions(application, 3)
    aws.known[f"/2025-12-01/durable-executions/{rows[0].arn.replace(':', '%3A')}"] = (
        500,
        "ServiceException",
    )
    found: list[list[str]] = []
    errors: list[bool] = []
    going_on = None
    for _ in range(compare.TRIES + 1):
        names, going_on, error = go_on(going_on, seconds=60)
        found.append(names)
        errors.append(bool(error))
    assert found == [[], [], [], [row.name for row in rows[1:]]]
    assert errors == [True, True, True, False]
    assert going_on is None
    assert Execution.objects.get(ended_at__isnull=True) == rows[0]


def test_question_that_the_engine_refuses_is_told_at_the_end(
    application: LoanApplication, aws: LambdaStub
) -> None:
    rows = executions(application, 3)
    aws.known[f"/2025-12-01/durable-executions/{rows[0].arn.replace(':', '%3A')}"] = (
        400,
        "InvalidParameterValueException",
    )
    with pytest.raises(CommandError, match="InvalidParameterValueException"):
        call_command("reconcile", "--rate=1000")
    assert Execution.objects.get(ended_at__isnull=True) == rows[0]

    assert sweep.sweep()["reconciled"] == 0
    result = PeriodicRun.objects.get(name="reconcile").result
    assert (result["complete"], "InvalidParameterValue" in result["error"]) == (True, True)


def test_refused_questions_are_in_nobodys_way(
    application: LoanApplication, aws: LambdaStub
) -> None:
    rows = executions(application, 3)
    for row in rows[:2]:
        path = f"/2025-12-01/durable-executions/{str(row.arn).replace(':', '%3A')}"
        aws.known[path] = (400, "InvalidParameterValueException")
    found, going_on = [], None
    for _ in range(4):  # the list, then one row in each pass
        names, going_on, _ = go_on(going_on)
        found += names
    assert found == [rows[2].name]


def test_engine_that_does_not_answer_ends_the_pass_which_keeps_its_place(
    application: LoanApplication, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = executions(application, 3)
    monkeypatch.setattr(questions, "GRACE", 0.05)
    names, going_on, _ = go_on(seconds=0)
    assert names == []
    assert going_on is not None
    aws.answering.clear()

    names, going_on, error = go_on(going_on)

    assert (names, "no answer" in error) == ([], True)
    aws.answering.set()
    monkeypatch.setattr(questions, "GRACE", 30.0)
    assert go_on(going_on, seconds=60) == ([row.name for row in rows], None, "")


def test_round_is_due_at_once_until_it_is_complete_and_later_after_an_error(
    application: LoanApplication, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    executions(application, 3)
    monkeypatch.setattr(sweep, "RECONCILE_FOR", 0.0)
    run = PeriodicRun.objects.filter(name="reconcile")

    def is_made() -> bool:
        reads = len(aws.reads)
        sweep.sweep()
        return len(aws.reads) > reads

    assert [is_made() for _ in range(3)] == [True] * 3
    assert run.get().result["complete"] is False
    place = run.get().place

    run.update(finished_at=run.get().started_at - timedelta(seconds=1))  # under way elsewhere
    assert not is_made()
    run.update(started_at=timezone.now() - sweep.AGAIN)  # and dead
    aws.known = {}
    aws.pages += [(503, "ServiceException")] * 9
    assert is_made()
    assert "error" in run.get().result
    assert run.get().place["after"] == place["after"]
    assert not is_made()  # not at once
    run.update(started_at=timezone.now() - sweep.AGAIN)
    assert is_made()
    aws.pages.clear()
    aws.known[LIST] = {"DurableExecutions": []}
    monkeypatch.setattr(sweep, "RECONCILE_FOR", 60.0)
    run.update(started_at=timezone.now() - sweep.AGAIN)
    assert is_made()
    assert run.get().result["complete"] is True
    assert not is_made()
    assert not Execution.objects.filter(ended_at__isnull=True).exists()


def test_pace_counts_the_calls_of_all_threads(clock: Clock) -> None:
    clock.moves = False
    pace = Pace(10.0)
    calls = [questions._pool().submit(pace) for _ in range(50)]
    assert [call.result() for call in calls] == [None] * 50
    assert sorted(clock.slept) == pytest.approx([number / 10 for number in range(1, 50)])


def test_stored_round_is_the_same_and_small() -> None:
    seen = {*range(1, 10_000), 20_000, *range(30_000, 40_000)}
    kept = Round(timezone.now(), "callbacks", ["marker", "name"], seen, 2)
    assert Round.from_stored(kept.stored()) == kept
    assert kept.stored()["seen"] == [[1, 9_999], [20_000, 20_000], [30_000, 39_999]]
    assert Round.from_stored(Round(kept.began).stored()) == Round(kept.began)
