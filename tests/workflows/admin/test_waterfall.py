"""The waterfall of an execution: rows in order, bars that do not overlap, long waits folded."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from workflows.admin.waterfall import (
    HEAD,
    MOST_ROWS,
    NARROWEST,
    ROW,
    Waterfall,
    waterfall,
)

BEGAN = datetime(2026, 11, 30, 9, tzinfo=UTC)
DAY = 86_400.0
BUREAUS = ("equifax", "transunion", "experian")


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def event(
    kind: str, seconds: float, key: str = "e", name: str = "", parent: str = "", **details: Any
) -> dict[str, Any]:
    return {
        "EventId": 1,
        "EventType": kind,
        "EventTimestamp": at(seconds),
        "Id": key,
        "Name": name or key,
        "ParentId": parent or None,
        f"{kind}Details": details,
    }


def step(key: str, start: float, end: float, parent: str = "") -> list[dict[str, Any]]:
    return [
        event("StepStarted", start, key, parent=parent),
        event("StepSucceeded", end, key, parent=parent, RetryDetails={"CurrentAttempt": 1}),
    ]


def retry(attempt: int, delay: int) -> dict[str, int]:
    return {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}


def a_loan(waited: float = 3 * DAY) -> list[dict[str, Any]]:
    """A loan that three bureaus were asked about, one three times, and a manager approved."""
    return [
        event("ExecutionStarted", 0),
        *step("validate", 0.1, 1.1),
        event("ContextStarted", 1.2, "credit_check"),
        *(event("StepStarted", 1.2, bureau, parent="credit_check") for bureau in BUREAUS),
        event("StepFailed", 2.2, "experian", parent="credit_check", RetryDetails=retry(1, 1)),
        event("StepSucceeded", 3.2, "equifax", parent="credit_check"),
        event("StepSucceeded", 3.2, "transunion", parent="credit_check"),
        # The engine may leave out that the second try began.
        event("StepFailed", 4.2, "experian", parent="credit_check", RetryDetails=retry(2, 2)),
        event("StepStarted", 6.2, "experian", parent="credit_check"),
        event("StepSucceeded", 7.2, "experian", parent="credit_check"),
        event("ContextSucceeded", 7.2, "credit_check"),
        event("CallbackStarted", 7.3, "manager_approval"),
        *step("open_manager_approval", 7.3, 7.3),
        event("InvocationCompleted", 7.4, StartTimestamp=at(0), EndTimestamp=at(7.4)),
        event("CallbackSucceeded", 7.4 + waited, "manager_approval"),
        *step("disbursing", 7.5 + waited, 9.5 + waited),
        event(
            "InvocationCompleted",
            9.6 + waited,
            StartTimestamp=at(7.45 + waited),
            EndTimestamp=at(9.6 + waited),
        ),
        event("ExecutionSucceeded", 9.6 + waited),
    ]


def drawn(events: Sequence[dict[str, Any]], *, now: float = 30 * DAY) -> Waterfall:
    found = waterfall(events, now=at(now))
    assert found is not None
    return found


def kinds(found: Waterfall) -> dict[str, list[str]]:
    return {row.name: [bar.kind for bar in row.bars] for row in found.rows}


def words(found: Waterfall) -> dict[str, str]:
    return {row.name: row.words for row in found.rows}


def check_geometry(found: Waterfall) -> None:
    """Bars are inside the drawing and their row, in order, and none overlaps another."""
    assert found.height == HEAD + ROW * len(found.rows)
    for number, row in enumerate(found.rows):
        assert row.y == HEAD + ROW * number
        assert row.bars
        for bar in row.bars:
            assert bar.width >= NARROWEST - 0.02
            assert bar.x >= 0
            assert bar.x + bar.width <= row.words_x <= found.width
            assert row.y <= bar.y
            assert bar.y + bar.height <= row.y + ROW
        for bar, following in pairwise(row.bars):
            assert bar.x + bar.width <= following.x + 0.02
    for fold, next_fold in pairwise(found.folds):
        assert fold.x + fold.width <= next_fold.x + 0.02
    for block in found.blocks:
        assert block.x + block.width <= found.width
        assert block.y + block.height <= found.height
    for tick, next_tick in pairwise(found.ticks):
        assert tick.x < next_tick.x


def test_each_operation_has_a_row_in_the_order_of_its_start_under_its_block() -> None:
    found = drawn(a_loan())

    assert [(row.name, row.depth) for row in found.rows] == [
        ("Execution", 0),
        ("Invocations", 0),
        ("validate", 0),
        ("credit_check", 0),
        *((bureau, 1) for bureau in BUREAUS),
        ("manager_approval", 0),
        ("open_manager_approval", 0),
        ("disbursing", 0),
    ]
    check_geometry(found)
    (block,) = found.blocks
    inside = found.rows[3:7]
    assert block.x == min(bar.x for row in inside for bar in row.bars)
    assert inside[0].y <= block.y
    assert block.y + block.height <= inside[-1].y + ROW


def test_tries_and_the_waits_between_them_are_bars_of_one_row() -> None:
    found = drawn(a_loan())

    assert words(found)["Invocations"] == "2 in 9.55 s"
    assert kinds(found)["experian"] == ["failed", "retry", "failed", "retry", "done"]
    assert words(found)["experian"] == "3 tries, 6 s"
    first, between, second, *_ = found.rows[6].bars
    assert [bar.words for bar in (first, between, second)] == [
        "Failed or timed out: 1 s",
        "Until the next try: 1 s",
        "Failed or timed out: 1 s",
    ]
    assert between.x == pytest.approx(first.x + first.width)
    assert between.height < first.height


@pytest.mark.parametrize("waited", [DAY / 24, 3 * DAY, 59 * DAY])
def test_long_wait_is_folded_and_steps_keep_their_width(waited: float) -> None:
    found, short = drawn(a_loan(waited)), drawn(a_loan(waited=1.0))

    (fold,) = found.folds
    assert short.folds == []
    assert fold.width < 120
    assert fold.words in found.summary
    steps = {row.name: row.bars[0].width for row in found.rows}
    assert steps["disbursing"] == pytest.approx(2 * steps["validate"], rel=0.1)
    assert steps["validate"] > 30
    wait = next(row for row in found.rows if row.name == "manager_approval").bars[0]
    assert wait.kind == "waited"
    assert wait.x <= fold.x
    assert fold.x + fold.width <= wait.x + wait.width + 0.02


def test_step_that_hung_for_hours_is_folded_too() -> None:
    found = drawn(
        [*step("quick", 0, 2), *step("hung", 2, 2 + 5 * 3600), *step("last", 18_010, 18_012)]
    )

    assert [fold.words for fold in found.folds] == ["5 h", "8 s"]
    assert found.rows[0].bars[0].width > 100


def test_what_is_open_reaches_to_now_while_the_execution_runs() -> None:
    events = a_loan()[:-5]
    running = [*events, event("StepStarted", 8.0, "other")]
    found = drawn(running, now=2 * DAY)

    assert kinds(found)["manager_approval"] == ["waiting"]
    assert words(found)["manager_approval"] == "waits, 1 day 23 h so far"
    assert kinds(found)["other"] == ["running"]
    assert words(found)["Execution"] == "runs, 2 days so far"
    assert "2 not ended" in found.summary
    check_geometry(found)


@pytest.mark.parametrize(
    ("end", "said"),
    [("Stopped", "stopped"), ("TimedOut", "timed out"), ("Failed", "failed")],
)
def test_what_is_open_when_the_execution_ends_did_not_end(end: str, said: str) -> None:
    woken = event(
        "InvocationCompleted", 151, StartTimestamp=at(150), EndTimestamp=at(151)
    )  # by somebody who answered another callback
    found = drawn([*a_loan()[:-5], woken, event(f"Execution{end}", 300)])

    assert words(found)["Execution"] == f"{said} after 5 min"
    assert kinds(found)["manager_approval"] == ["open"]
    assert words(found)["manager_approval"].startswith("did not end")
    assert [fold.words for fold in found.folds] == ["2 min 23 s", "2 min 29 s"]
    check_geometry(found)


def test_waits_that_failed_or_were_not_answered_in_time_say_so() -> None:
    found = drawn(
        [
            event("CallbackStarted", 0, "late"),
            event("WaitStarted", 0, "wait"),
            event("WaitCancelled", 20, "wait"),
            event("CallbackTimedOut", 300, "late"),
            event("StepStarted", 300, "again"),
            event("StepFailed", 301, "again", RetryDetails=retry(1, 60)),
        ],
        now=310,
    )

    assert words(found) == {
        "late": "timed out after 5 min",
        "wait": "cancelled after 20 s",
        "again": "try 1 failed, waits for the next",
    }
    assert kinds(found)["late"] == ["failed"]
    assert [fold.words for fold in found.folds] == ["20 s", "4 min 40 s", "9 s"]
    check_geometry(found)


def test_pause_is_a_bar_of_the_execution() -> None:
    begun = [event("ExecutionStarted", 0), *step("a", 1, 2), event("ExecutionPaused", 5)]
    resumed = [*begun, event("ExecutionResumed", 9), event("ExecutionSucceeded", 12)]

    assert kinds(drawn(begun, now=7))["Execution"] == ["block", "paused"]
    assert words(drawn(begun, now=7))["Execution"] == "is paused, 7 s so far"
    assert kinds(drawn(resumed))["Execution"] == ["block", "paused", "block"]


def test_history_without_an_operation_has_no_drawing() -> None:
    assert waterfall([], now=BEGAN) is None
    assert waterfall([event("SomethingNewHappened", 1)], now=BEGAN) is None
    assert waterfall([event("ExecutionPaused", 1)], now=BEGAN) is None


def test_hundreds_of_operations_are_bounded_and_the_rest_is_counted() -> None:
    events = [each for number in range(450) for each in step(f"s{number}", number, number + 0.4)]
    found = drawn([event("ExecutionStarted", 0), *events])

    assert len(found.rows) == MOST_ROWS
    assert found.hidden == 451 - MOST_ROWS
    assert "450 operations" in found.summary
    check_geometry(found)


def strange_history(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Events in no sensible order: lost starts and ends, clocks that differ, odd parents."""
    keys = [f"k{number}" for number in range(chance.randint(1, 9))]
    clock = 0.0
    for _ in range(chance.randint(1, 60)):
        clock += chance.choice([0, 0, 0.001, 0.5, 3, 90, DAY])
        kind = chance.choice(["Execution", "Context", "Step", "Callback", "Wait", "ChainedInvoke"])
        what = chance.choice(["Started", "Started", "Succeeded", "Failed", "TimedOut", "Paused"])
        details = {"RetryDetails": retry(2, 30)} if chance.random() < 0.3 else {}
        seconds = clock - chance.choice([0, 0, 0, 0.2, 5])
        parent = chance.choice(["", *keys])
        yield event(f"{kind}{what}", seconds, chance.choice(keys), parent=parent, **details)


def test_any_history_is_drawn_without_overlap() -> None:
    chance = random.Random(16)
    sizes = []
    for _ in range(150):
        found = waterfall(list(strange_history(chance)), now=at(DAY))
        if found is not None:
            check_geometry(found)
            sizes.append(len(found.rows))
    assert max(sizes) > 6
