"""Writers of SQLite wait in turn, in the order in which they came."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from core.sqlite.base import DatabaseWrapper
from core.sqlite.queue import WriteQueue, queue_of
from tests.waiting import eventually


@pytest.fixture
def connect(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[..., DatabaseWrapper]]:
    """Make connections to a database of the test's own, as the settings say."""
    made: list[DatabaseWrapper] = []

    def connection(timeout: float = 20) -> DatabaseWrapper:
        name = str(tmp_path / "queue.sqlite3")
        options = {"transaction_mode": "IMMEDIATE", "timeout": timeout}
        given = {"NAME": name, "OPTIONS": {**options, "check_same_thread": False}}
        defaults = {"TIME_ZONE": None, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
        made.append(DatabaseWrapper({**given, **defaults, "AUTOCOMMIT": True, "TEST": {}}))
        made[-1].inc_thread_sharing()
        return made[-1]

    with django_db_blocker.unblock():
        with connection().cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("CREATE TABLE written (number INTEGER)")
        yield connection
        for each in made:
            each.close()


def write(wrapper: DatabaseWrapper, number: int) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("INSERT INTO written VALUES (%s)", [number])


def written(wrapper: DatabaseWrapper) -> list[int]:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT number FROM written ORDER BY rowid")
        return [number for (number,) in cursor.fetchall()]


def begin(wrapper: DatabaseWrapper) -> None:
    wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def end(wrapper: DatabaseWrapper) -> None:
    wrapper.commit()
    wrapper.set_autocommit(True)


def waiting(wrapper: DatabaseWrapper) -> int:
    return len(queue_of(wrapper.settings_dict["NAME"])._waiting)


def test_transactions_and_single_writes_come_in_the_order_in_which_they_were_asked_for(
    connect: Callable[..., DatabaseWrapper],
) -> None:
    holder = connect()
    begin(holder)

    def in_transaction(number: int) -> None:
        mine = connect()
        begin(mine)
        write(mine, number)
        end(mine)

    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            body = in_transaction if number % 2 else lambda number: write(connect(), number)
            pool.submit(body, number)
            eventually(lambda number=number: waiting(holder) == number + 1, what="it waits")
        assert written(connect()) == []  # a read waits for nobody
        end(holder)
    assert written(holder) == list(range(8))


def test_write_waits_for_another_process(connect: Callable[..., DatabaseWrapper]) -> None:
    mine = connect()
    tried = threading.Event()
    with closing(sqlite3.connect(mine.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # by a connection that knows of no queue

        def body() -> None:
            tried.set()
            begin(mine)
            write(mine, 1)
            end(mine)

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(body)
            tried.wait()
            assert not done.done()
            other.execute("COMMIT")
            done.result()
    assert written(mine) == [1]


@pytest.mark.parametrize("by", ["another thread", "another process"])
def test_lock_that_is_not_free_in_time_is_said_to_be_locked_and_holds_nobody_up(
    connect: Callable[..., DatabaseWrapper], by: str
) -> None:
    mine, holder = connect(timeout=0.01), connect()
    with closing(sqlite3.connect(mine.settings_dict["NAME"], isolation_level=None)) as other:
        if by == "another thread":
            begin(holder)
        else:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="is locked"):
            begin(mine)
        with pytest.raises(OperationalError, match="is locked"):
            write(mine, 1)
        if by == "another thread":
            end(holder)
        else:
            other.execute("COMMIT")
        write(mine, 2)
    assert written(mine) == [2]


@pytest.mark.parametrize("how", ["commit", "rollback", "close", "error"])
def test_turn_ends_with_the_transaction_however_it_ends(
    connect: Callable[..., DatabaseWrapper], how: str
) -> None:
    mine, other = connect(), connect(timeout=0.01)
    if how == "error":
        with pytest.raises(OperationalError, match="no such table"), mine.cursor() as cursor:
            cursor.execute("INSERT INTO missing VALUES (1)")
    else:
        begin(mine)
        getattr(mine, how)()
    write(other, 1)
    assert written(other) == [1]


def test_turn_that_comes_too_late_is_the_next_ones() -> None:
    queue = WriteQueue()
    assert queue.enter(timeout=0)
    assert not queue.enter(timeout=0)
    queue.leave()
    assert queue.enter(timeout=0)
