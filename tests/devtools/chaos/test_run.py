"""The findings that a run adds to those of the invariants."""

from collections import Counter

from devtools.chaos.findings import Fault, Finding
from devtools.chaos.run import unplanned_events
from devtools.processes import ENGINE, SWEEP


def test_deaths_by_our_own_kills_are_no_finding() -> None:
    deaths = [(ENGINE, -9), (SWEEP, -9), (ENGINE, -9)]
    killed = Counter({ENGINE: 2, SWEEP: 1})
    assert list(unplanned_events(deaths=deaths, killed=killed, planned=3)) == []


def test_kill_whose_death_was_not_seen_any_more_is_no_finding() -> None:
    assert list(unplanned_events(deaths=[], killed=Counter({ENGINE: 1}), planned=1)) == []


def test_process_that_ended_by_itself_is_wrong() -> None:
    deaths = [(SWEEP, 1), (ENGINE, -9), (ENGINE, -9), (ENGINE, -11)]
    assert list(unplanned_events(deaths=deaths, killed=Counter({ENGINE: 1}), planned=1)) == [
        Finding(Fault.WRONG, ENGINE, "ended by itself (signal SIGKILL)"),
        Finding(Fault.WRONG, ENGINE, "ended by itself (signal SIGSEGV)"),
        Finding(Fault.WRONG, SWEEP, "ended by itself (exit code 1)"),
    ]


def test_run_with_fewer_kills_than_planned_proves_less() -> None:
    assert list(unplanned_events(deaths=[], killed=Counter({ENGINE: 3}), planned=4)) == [
        Finding(Fault.STUCK, "The run", "only 3 of 4 kills were done")
    ]
