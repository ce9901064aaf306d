"""Ask the engine several questions at once, in threads that touch no database.

The answers come in the order of what is asked about, each before the next row is worked on, so
that a place in the order says what is done.
"""

import contextvars
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any

from django.db import models

from core.once import once
from workflows.errors import EngineError, EngineUnavailable
from workflows.reconcile.findings import CHUNK, Comparison, Pace, Place

logger = logging.getLogger(__name__)

AT_ONCE = 8  # questions of one process under way
# Seconds for what is under way, after the end of a pass or after the asking was given up.
GRACE = 2.0

type Question[T] = Callable[[], T]


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "reconcile")


def chunks[M: models.Model](
    comparison: Comparison, rows: models.QuerySet[M], after: Place
) -> Iterator[list[M]]:
    """Yield the rows behind a primary key, ``CHUNK`` with each query, while there is time."""
    rows = rows.order_by("pk")
    last = after if isinstance(after, int) else 0
    while True:
        chunk = list(rows.filter(pk__gt=last)[:CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < CHUNK:
            return
        if comparison.is_over:
            comparison.is_cut = True
            return
        last = chunk[-1].pk


def in_time[I](comparison: Comparison, items: Iterable[I]) -> Iterator[I]:
    """Yield the items while there is time; the first one always has its turn."""
    for number, item in enumerate(items):
        if number and comparison.is_over:
            comparison.is_cut = True
            return
        yield item


def answered[I, T](
    comparison: Comparison,
    items: Iterable[I],
    *,
    place: Callable[[I], Place],
    question: Callable[[I], Question[T] | None],
) -> Iterator[tuple[I, T | None]]:
    """Yield each item with the answer to its question; ``None`` for one without a question.

    Asks nothing more when the time of the pass is over; the first item always has its turn.
    An item whose question the engine refused is left out and noted in ``comparison``. Raises
    ``EngineUnavailable`` when an answer does not come.
    """
    with closing(_asked(comparison, items, question)) as asked:
        for item, future in asked:
            try:
                answer = None if future is None else _wait(comparison, future)
            except EngineUnavailable:
                comparison.failed_at = place(item)
                raise
            except EngineError as error:
                logger.warning("The engine refused a question", extra={"why": str(error)})
                comparison.refused = comparison.refused or error
                comparison.refused_at = place(item)
                continue
            comparison.refused_at = None
            yield item, answer


def _asked[I, T](
    comparison: Comparison, items: Iterable[I], question: Callable[[I], Question[T] | None]
) -> Generator[tuple[I, "Future[T] | None"]]:
    """Yield the items in their order, while those behind them are asked about."""
    waiting = iter(items)
    under_way: deque[tuple[I, Future[T] | None]] = deque()
    is_first = is_left = True
    try:
        while True:
            if under_way and (_is_done(under_way[0][1]) or len(under_way) == AT_ONCE):
                yield under_way.popleft()
            elif is_left and (is_first or not comparison.is_over):
                item = next(waiting, None)
                if item is None:
                    is_left = False
                    continue
                ask = question(item)
                under_way.append((item, None if ask is None else _begin(comparison, ask)))
                is_first = False
            elif under_way:
                yield under_way.popleft()
            else:
                comparison.is_cut = comparison.is_cut or is_left
                return
    finally:
        left = [future for _, future in under_way if future is not None and not future.cancel()]
        wait(left, min(GRACE, _seconds_left(comparison)))


def _is_done(future: "Future[Any] | None") -> bool:
    return future is None or future.done()


def _begin[T](comparison: Comparison, ask: Question[T]) -> "Future[T]":
    comparison.pace()
    return _pool().submit(partial(contextvars.copy_context().run, ask))


def read[T](comparison: Comparison, ask: Question[T]) -> T:
    """Ask one question, as for a page of a list, and wait for its answer."""
    return _wait(comparison, _begin(comparison, ask))


def later_pages(pace: Pace) -> Callable[[], None]:
    """Return what keeps the pace before each page but the first: that is a question's own."""
    pages = count()

    def before_page() -> None:
        if next(pages):
            pace()

    return before_page


def pk_of(row: models.Model) -> int:
    """Return the place of a row."""
    return int(row.pk)


def _wait[T](comparison: Comparison, future: "Future[T]") -> T:
    if comparison.ends_at is None:
        return future.result()
    try:
        return future.result(_seconds_left(comparison))
    except TimeoutError as error:
        raise EngineUnavailable("no answer in the time of one pass") from error


def _seconds_left(comparison: Comparison) -> float:
    """Return the seconds until a pass has to be over, with the grace."""
    if comparison.ends_at is None:
        return math.inf
    return max(0.0, comparison.ends_at + GRACE - time.monotonic())
