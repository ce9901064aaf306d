"""Kills happen when their moment has come, to the children of this run, and exactly once."""

import sys
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from devtools.chaos import fault_injector as killer_module
from devtools.chaos.acknowledgements import Told
from devtools.chaos.fault_injector import Killer
from devtools.chaos.plan import Moment, PlannedKill
from devtools.supervisor import Process
from tests import casework
from tests.waiting import eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]


@pytest.fixture
def victim() -> Iterator[Process]:
    process = Process("The victim", [sys.executable, "-c", "import time; time.sleep(60)"])
    process.start()
    yield process
    process.stop()


def kill_at(moment: Moment, count: int) -> PlannedKill:
    return PlannedKill("The victim", moment, count, pause=0.0)


def running(told: Told, victim: Process, *kills: PlannedKill) -> Killer:
    killer = Killer(kills=kills, processes={victim.name: victim}, told=told)
    killer.start()
    return killer


def death_of(victim: Process) -> int | None:
    assert victim.popen is not None
    return victim.popen.poll()


def test_kill_waits_for_its_submission(victim: Process) -> None:
    told = Told(())
    killer = running(told, victim, kill_at(Moment.SUBMITTING, 2))
    told.count("submissions begun")
    assert not killer.done
    assert death_of(victim) is None
    told.count("submissions begun")
    eventually(lambda: killer.done)
    eventually(lambda: death_of(victim) == -9)
    assert killer.killed == {"The victim": 1}
    assert killer.late == 0


def test_kill_waits_for_its_review_and_its_payout(victim: Process, officer: User) -> None:
    killer = running(Told(()), victim, kill_at(Moment.DISBURSING, 1), kill_at(Moment.WAITING, 1))
    casework.waiting_for_manager(officer)
    eventually(lambda: death_of(victim) == -9)
    assert killer.left == [kill_at(Moment.DISBURSING, 1)]
    victim.start()
    casework.disbursing(officer)
    eventually(lambda: killer.done)
    assert killer.killed == {"The victim": 2}


def test_process_that_is_down_is_killed_when_it_is_back(victim: Process) -> None:
    assert victim.kill()
    eventually(lambda: death_of(victim) == -9)
    told = Told(())
    told.count("decisions begun")
    killer = running(told, victim, kill_at(Moment.DELIVERING, 1))
    eventually(lambda: not killer.left)
    assert not killer.done
    victim.start()
    eventually(lambda: killer.done)
    assert killer.killed == {"The victim": 1}


def test_kill_whose_moment_does_not_come_is_done_late(
    victim: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killer_module, "IDLE", 0.1)
    killer = running(Told(()), victim, kill_at(Moment.DISBURSING, 5))
    eventually(lambda: killer.done)
    assert (killer.killed, killer.late) == ({"The victim": 1}, 1)


def test_stop_ends_the_wait(victim: Process) -> None:
    killer = running(Told(()), victim, kill_at(Moment.DISBURSING, 5))
    killer.stop()
    assert killer.done
    assert killer.killed == {}
    assert death_of(victim) is None
