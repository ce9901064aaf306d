"""A POST under a key: done once, in one transaction, kept for a day, and its caller's own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from lending.errors import NoPolicy
from partners.errors import IdempotencyKeyInFlight, IdempotencyKeyReused
from partners.models import IdempotencyKey, Partner
from partners.services import idempotency
from partners.services.idempotency import KEPT, Answer, Call, call_answer, idempotency_keys_forget

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]

CALL = Call(caller="partner/7", key="k-1", method="POST", path="/a/", body=b'{"name": "x"}')
CREATED = Answer(
    201, '{"name":"Zoë 🦊"}', {"Location": "/a/1/", "Content-Type": "application/json"}
)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one write lock and no row locks"
)


class Work:
    """Stand-in for the work of a POST: creates a partner each time, in a transaction."""

    def __init__(self, answer: Answer = CREATED, error: Exception | None = None) -> None:
        self.answer, self.error, self.done = answer, error, 0
        self.left: list[str] = []

    def __call__(self) -> Answer:
        self.done += 1
        with transaction.atomic():
            name = f"Partner {Partner.objects.count() + 1}"
            Partner.objects.create(name=name)
            transaction.on_commit(lambda: self.left.append(name), robust=True)
        if self.error is not None:
            raise self.error
        return self.answer


class Refused(Work):
    """A service that is refused after it wrote: its own transaction takes that back."""

    @transaction.atomic
    def __call__(self) -> Answer:
        super().__call__()
        raise NoPolicy


def kept() -> int:
    return IdempotencyKey.objects.count()


def age(by: timedelta) -> None:
    """Let every key be this old."""
    IdempotencyKey.objects.update(created_at=timezone.now() - by)


def test_work_is_done_once_and_the_answer_repeated() -> None:
    work = Work()

    first = call_answer(call=CALL, work=work)
    second = call_answer(call=CALL, work=work)

    assert first == CREATED
    assert second == replace(CREATED, replayed=True)
    assert (work.done, Partner.objects.count(), kept()) == (1, 1, 1)
    assert work.left == ["Partner 1"]
    row = IdempotencyKey.objects.get()
    assert (row.caller, row.key, row.method, row.path) == ("partner/7", "k-1", "POST", "/a/")
    assert (row.response_status, row.response_body) == (201, CREATED.body)


@pytest.mark.parametrize("change", [{"method": "PUT"}, {"path": "/b/"}, {"body": b"{}"}])
def test_key_that_stands_for_something_else_is_refused_and_nothing_is_done(
    change: dict[str, object],
) -> None:
    call_answer(call=CALL, work=Work())
    work = Work()

    with pytest.raises(IdempotencyKeyReused, match="POST /a/"):
        call_answer(call=replace(CALL, **change), work=work)
    assert (work.done, Partner.objects.count(), kept()) == (0, 1, 1)
    assert call_answer(call=CALL, work=work).replayed


def test_same_key_of_another_caller_is_another_key() -> None:
    theirs = Answer(200, "theirs", {})
    call_answer(call=CALL, work=Work())

    answer = call_answer(call=replace(CALL, caller="staff/7"), work=Work(theirs))

    assert answer == theirs
    assert (Partner.objects.count(), kept()) == (2, 2)


def test_call_without_a_key_is_done_each_time_and_not_kept() -> None:
    work = Work()

    answers = [call_answer(call=replace(CALL, key=""), work=work) for _ in range(2)]

    assert answers == [CREATED, CREATED]
    assert (work.done, Partner.objects.count(), kept()) == (2, 2, 0)


# --- What is not kept -----------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k-1", ""])
def test_refused_service_leaves_nothing_and_the_key_may_be_tried_again(key: str) -> None:
    call, refused = replace(CALL, key=key), Refused()

    with pytest.raises(NoPolicy):
        call_answer(call=call, work=refused)
    assert (Partner.objects.count(), kept(), refused.left) == (0, 0, [])
    assert call_answer(call=call, work=Work()) == CREATED


@pytest.mark.parametrize("key", ["k-1", ""])
def test_what_a_service_committed_before_it_was_refused_stays(key: str) -> None:
    call, work = replace(CALL, key=key), Work(error=NoPolicy())

    with pytest.raises(NoPolicy):
        call_answer(call=call, work=work)
    assert (Partner.objects.count(), kept(), work.left) == (1, 0, ["Partner 1"])
    work.error = None
    assert call_answer(call=call, work=work) == CREATED
    assert work.done == 2


@pytest.mark.parametrize("key", ["k-1", ""])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_anything_else_takes_back_even_what_a_service_committed(
    key: str, error: type[Exception]
) -> None:
    call, work = replace(CALL, key=key), Work(error=error())

    with pytest.raises(error):
        call_answer(call=call, work=work)
    assert (Partner.objects.count(), kept(), work.left) == (0, 0, [])


def test_answer_of_400_and_above_is_given_and_not_kept() -> None:
    work = Work(Answer(409, "{}", {}))

    assert [call_answer(call=CALL, work=work).status for _ in range(2)] == [409, 409]
    assert (work.done, kept()) == (2, 0)


@pytest.mark.parametrize("key", ["k-1", ""])
def test_call_inside_of_a_transaction_is_a_mistake(key: str) -> None:
    work = Work()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        call_answer(call=replace(CALL, key=key), work=work)
    assert work.done == 0


# --- Age ------------------------------------------------------------------------------------


def test_key_counts_for_24_hours() -> None:
    work = Work()
    call_answer(call=CALL, work=work)

    age(KEPT - timedelta(minutes=1))
    assert call_answer(call=CALL, work=work).replayed
    age(KEPT)
    assert not call_answer(call=CALL, work=work).replayed
    assert (work.done, kept()) == (2, 1)
    assert call_answer(call=CALL, work=work).replayed


def test_old_key_may_stand_for_something_else() -> None:
    call_answer(call=CALL, work=Work())
    age(KEPT)
    other, answer = replace(CALL, path="/b/", body=b"{}"), Answer(200, "other", {})

    assert call_answer(call=other, work=Work(answer)) == answer
    assert call_answer(call=other, work=Work()) == replace(answer, replayed=True)
    assert IdempotencyKey.objects.get().path == "/b/"


def test_old_keys_are_forgotten_a_few_at_a_time_the_oldest_first() -> None:
    for n in range(5):
        call_answer(call=replace(CALL, key=f"old-{n}"), work=Work())
    age(KEPT)
    call_answer(call=replace(CALL, key="new"), work=Work())
    now = timezone.now()

    assert idempotency_keys_forget(now=now, limit=3) == 3
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["old-3", "old-4", "new"]
    assert idempotency_keys_forget(now=now, limit=3) == 2
    assert idempotency_keys_forget(now=now, limit=3) == 0
    assert IdempotencyKey.objects.get().key == "new"


# --- Side by side ---------------------------------------------------------------------------


@contextmanager
def elsewhere(body: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """``body(pause)`` on a thread and connection of its own; inside, it stands at ``pause``."""
    there, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        there.set()
        assert go_on.wait(30)

    def run() -> None:
        try:
            body(pause)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            assert there.wait(30)
            yield
        finally:
            go_on.set()
            running.result(timeout=30)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for somebody else's key is short."""
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", timedelta(milliseconds=200))
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 200")


@pytest.mark.parametrize("old", [False, True])
def test_key_that_is_still_in_flight_is_refused_and_replayed_later(
    impatient: None, *, old: bool
) -> None:
    work = Work()
    if old:
        call_answer(call=CALL, work=Work(Answer(200, "of yesterday", {})))
        age(KEPT)
    before = Partner.objects.count()

    def slowly(pause: Callable[[], None]) -> None:
        def wait() -> Answer:
            pause()
            return Work()()

        assert call_answer(call=CALL, work=wait) == CREATED

    with elsewhere(slowly):
        with pytest.raises(IdempotencyKeyInFlight):
            call_answer(call=CALL, work=work)
        assert Partner.objects.count() == before
    assert call_answer(call=CALL, work=work) == replace(CREATED, replayed=True)
    assert (work.done, Partner.objects.count()) == (0, before + 1)


@on_postgresql
def test_only_the_wait_for_the_key_is_bounded(impatient: None) -> None:
    found: list[str] = []

    def look() -> Answer:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            found.extend(cursor.fetchone())
        return CREATED

    call_answer(call=CALL, work=look)

    assert found == ["0"]


@on_postgresql
def test_old_key_that_is_just_used_again_is_not_forgotten() -> None:
    for key in ("used again", "left alone"):
        call_answer(call=replace(CALL, key=key), work=Work())
    age(KEPT)

    def again(pause: Callable[[], None]) -> None:
        def wait() -> Answer:
            pause()
            return CREATED

        call_answer(call=replace(CALL, key="used again"), work=wait)

    with elsewhere(again):
        assert idempotency_keys_forget(now=timezone.now(), limit=10) == 1
    assert IdempotencyKey.objects.get().key == "used again"
    assert call_answer(call=replace(CALL, key="used again"), work=Work()).replayed
