"""Kills happen when their moment has come, to the children of this run, and exactly once."""

import sys
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from devtools.chaos import fault_injector as fault_injector_module
from devtools.chaos.acknowledgements import Acknowledgements
from devtools.chaos.fault_injector import FaultInjector
from devtools.chaos.plan import Moment, PlannedKill
from devtools.supervisor import Process
from tests import casework
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def victim() -> Iterator[Process]:
    process = Process("The victim", [sys.executable, "-c", "import time; time.sleep(60)"])
    process.start()
    yield process
    process.stop()


def kill_at(moment: Moment, count: int) -> PlannedKill:
    return PlannedKill("The victim", moment, count, pause=0.0)


def running(
    acknowledgements: Acknowledgements, victim: Process, *kills: PlannedKill
) -> FaultInjector:
    fault_injector = FaultInjector(
        kills=kills, processes={victim.name: victim}, acknowledgements=acknowledgements
    )
    fault_injector.start()
    return fault_injector


def death_of(victim: Process) -> int | None:
    assert victim.popen is not None
    return victim.popen.poll()


def test_kill_waits_for_its_submission(victim: Process) -> None:
    acknowledgements = Acknowledgements(())
    fault_injector = running(acknowledgements, victim, kill_at(Moment.SUBMITTING, 2))
    acknowledgements.count("submissions begun")
    assert not fault_injector.done
    assert death_of(victim) is None
    acknowledgements.count("submissions begun")
    eventually(lambda: fault_injector.done)
    eventually(lambda: death_of(victim) == -9)
    assert fault_injector.killed == {"The victim": 1}
    assert fault_injector.late == 0


def test_kill_waits_for_its_review_and_its_payout(victim: Process, officer: User) -> None:
    fault_injector = running(
        Acknowledgements(()), victim, kill_at(Moment.DISBURSING, 1), kill_at(Moment.WAITING, 1)
    )
    casework.waiting_for_manager(officer)
    eventually(lambda: death_of(victim) == -9)
    assert fault_injector.left == [kill_at(Moment.DISBURSING, 1)]
    victim.start()
    casework.disbursing(officer)
    eventually(lambda: fault_injector.done)
    assert fault_injector.killed == {"The victim": 2}


def test_process_that_is_down_is_killed_when_it_is_back(victim: Process) -> None:
    assert victim.kill()
    eventually(lambda: death_of(victim) == -9)
    acknowledgements = Acknowledgements(())
    acknowledgements.count("decisions begun")
    fault_injector = running(acknowledgements, victim, kill_at(Moment.DELIVERING, 1))
    eventually(lambda: not fault_injector.left)
    assert not fault_injector.done
    victim.start()
    eventually(lambda: fault_injector.done)
    assert fault_injector.killed == {"The victim": 1}


def test_kill_whose_moment_does_not_come_is_done_late(
    victim: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_injector_module, "IDLE", 0.1)
    fault_injector = running(Acknowledgements(()), victim, kill_at(Moment.DISBURSING, 5))
    eventually(lambda: fault_injector.done)
    assert (fault_injector.killed, fault_injector.late) == ({"The victim": 1}, 1)


def test_stop_ends_the_wait(victim: Process) -> None:
    fault_injector = running(Acknowledgements(()), victim, kill_at(Moment.DISBURSING, 5))
    fault_injector.stop()
    assert fault_injector.done
    assert fault_injector.killed == {}
    assert death_of(victim) is None
