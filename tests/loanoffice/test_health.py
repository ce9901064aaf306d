"""Readiness: asked of database and engine once in a few seconds, by one probe at a time."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from loanoffice import health
from workflows import engine
from workflows.errors import EngineUnavailable

pytestmark = pytest.mark.django_db
READY = "/health/ready/"


class Engine:
    """An engine that counts the pings, and answers as a test says."""

    def __init__(self) -> None:
        self.pings = 0
        self.fails = False
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def ping(self) -> None:
        self.pings += 1
        self.asked.set()
        assert self.may_answer.wait(30)
        if self.fails:
            raise EngineUnavailable("no answer")

    def probe(self) -> dict[str, str]:
        """Ask the engine alone: for threads, which have no connection of a test's."""
        self.ping()
        return {"engine": "ok"}


@pytest.fixture
def pinged(monkeypatch: pytest.MonkeyPatch) -> Engine:
    stand_in = Engine()
    monkeypatch.setattr(engine, "ping", stand_in.ping)
    return stand_in


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The clock of the memory; a test adds to it."""
    now = [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: now[0])
    health.READINESS.forget()
    yield now
    health.READINESS.forget()


def ask() -> tuple[int, Any]:
    answer = Client().get(READY)
    return answer.status_code, answer.json()


def test_answer_is_remembered_for_a_few_seconds(pinged: Engine, seconds: list[float]) -> None:
    assert [ask() for _ in range(20)] == [
        (200, {"status": "ok", "database": "ok", "engine": "ok"})
    ] * 20
    assert pinged.pings == 1

    seconds[0] += health.REMEMBERED
    ask()

    assert pinged.pings == 2


def test_failure_is_remembered_no_longer_than_a_success(
    pinged: Engine, seconds: list[float]
) -> None:
    pinged.fails = True
    assert ask() == (503, {"status": "unavailable", "database": "ok", "engine": "unreachable"})
    pinged.fails = False
    assert ask()[0] == 503

    seconds[0] += health.REMEMBERED

    assert ask()[0] == 200


def test_while_one_probe_is_under_way_others_get_the_answer_before(
    pinged: Engine, seconds: list[float]
) -> None:
    ask()
    seconds[0] += health.REMEMBERED
    pinged.asked.clear()
    pinged.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(health.READINESS.answer, pinged.probe)
        assert pinged.asked.wait(30)

        assert [ask()[0] for _ in range(5)] == [200] * 5
        pinged.may_answer.set()
        slow.result()

    assert pinged.pings == 2


def test_first_askers_wait_for_the_first_probe(pinged: Engine, seconds: list[float]) -> None:
    pinged.may_answer.clear()
    with ThreadPoolExecutor(5) as pool:
        askers = [pool.submit(health.READINESS.answer, pinged.probe) for _ in range(5)]
        assert pinged.asked.wait(30)
        pinged.may_answer.set()
        assert [asker.result() for asker in askers] == [{"engine": "ok"}] * 5

    assert pinged.pings == 1


def test_probe_that_breaks_leaves_the_next_one_free(seconds: list[float]) -> None:
    def breaks() -> dict[str, str]:
        raise DatabaseError

    with pytest.raises(DatabaseError):
        health.READINESS.answer(breaks)

    assert health.READINESS.answer(lambda: {"engine": "ok"}) == {"engine": "ok"}
