"""Queue outgoing messages and deliver them with retries.

``put`` writes a row in the caller's transaction. On commit it is sent at once; when that
fails, or the process dies first, ``send_due`` (the sweep) sends it later. Rows are
claimed under a lease, so that several senders can work side by side, and nothing is
sent inside a transaction. What is sent may be sent twice: receivers take that.

A ``Handler`` delivers one kind: ``handlers`` has those of the engine and of e-mails, and
an app above registers its own. What goes outside runs in a few threads that touch no database;
what is read before and written after stays with the sender's own connection.
"""

import contextvars
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Any

from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from audit.masking import mask_mailboxes
from core.database import insert_many_once
from core.once import once
from workflows import engine
from workflows.db_threads import is_owner, outcome_of, run_outside
from workflows.errors import AlreadyStarted, EndpointGone, EngineUnavailable, WebhookError
from workflows.models import OutboxMessage
from workflows.outbox.backoff import backoff
from workflows.outbox.failures import note_failure
from workflows.outbox.message_context import in_context, work_on_message
from workflows.outbox.traced import traced

logger = logging.getLogger(__name__)

PARALLEL = 8  # requests of one process under way at once
BATCH = 16  # messages claimed at once
BESIDE = 16  # webhooks of one process under way at once
FOR_ONE = 4  # of them to one recipient
# Seconds until other messages are looked for again while webhooks are under way.
LOOK_AGAIN = 0.5
# Seconds in which one pass begins webhooks. The longest that one takes is 15 s more: ``sweep`` has
# the sum.
LONGEST_PASS = 8.0
# Longer than the slowest batch: BATCH / PARALLEL rounds of one call's longest wait, 18 s.
LEASE = timedelta(seconds=45)
TRIES = 20  # about an hour
KEPT_FAILURES = 40  # of one message, each with its time; a message may be sent again by hand
KEPT_OF_ERROR = 300  # characters
# A person waits for these; the sweep is quick enough for the others.
AT_ONCE = frozenset(
    {
        OutboxMessage.Kind.START_EXECUTION,
        OutboxMessage.Kind.ANSWER_CALLBACK,
        OutboxMessage.Kind.STOP_EXECUTION,
        OutboxMessage.Kind.PAUSE_EXECUTION,
        OutboxMessage.Kind.RESUME_EXECUTION,
    }
)
# Trying again would get the same answer: a person has to look.
HOPELESS = (AlreadyStarted, EndpointGone)

type Send = Callable[[], Any]


@dataclass(frozen=True)
class Handler:
    """The functions that send one kind of message.

    ``prepare`` runs on the sender's connection and returns what goes outside: a function
    that touches no database, for it may run in a thread of the pool. ``settle`` runs on the
    sender's connection again, in the transaction that marks the message as sent; it takes
    the future of what went outside and raises what keeps the message from being sent.
    ``failed`` is called with that, in the transaction that puts the message off or, at the end
    of its ``tries``, gives it up; ``delay`` says for how long. ``sent`` is called once, in the
    transaction that marks it as sent.
    """

    prepare: Callable[[OutboxMessage], Send]
    settle: Callable[[OutboxMessage, "Future[Any]"], None]
    failed: Callable[[OutboxMessage, Exception, bool], None] = note_failure
    tries: int = TRIES
    delay: Callable[[int], timedelta] = backoff
    sent: Callable[[OutboxMessage], None] = lambda _: None


HANDLERS: dict[OutboxMessage.Kind, Handler] = {}
_held: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("held", default=None)


def put(*, kind: OutboxMessage.Kind, key: str, payload: dict[str, Any], **links: Any) -> None:
    """Write a message to be delivered; a ``key`` that was written before stays as it was."""
    put_many([OutboxMessage(kind=kind, key=key, payload=payload, **links)])


def put_many(messages: Iterable[OutboxMessage]) -> None:
    """Write messages as ``put`` does, in as few statements as the database allows."""
    rows = list(messages)
    insert_many_once(rows, unique="key")
    for message in rows:
        if message.kind in AT_ONCE:
            is_new = message.pk is not None
            send = partial(_send_new, message) if is_new else partial(send_now, message.key)
            transaction.on_commit(partial(_committed, message.key, send), robust=True)


@contextmanager
def held_back() -> Iterator[list[str]]:
    """Hold back what is committed meanwhile, to send it together or by the sweep.

    Gives the list of its keys, which grows with each commit.
    """
    keys: list[str] = []
    token = _held.set(keys)
    try:
        yield keys
    finally:
        _held.reset(token)


def _committed(key: str, send: Callable[[], object]) -> None:
    held = _held.get()
    if held is None:
        send()
    else:
        held.append(key)


def send_together(keys: Sequence[str], *, seconds: float) -> int:
    """Send what was held back, side by side; returns how many left.

    What is not begun in this time, or while the engine cannot be reached, the sweep sends.
    """
    deadline = time.monotonic() + seconds
    sent = 0
    for batch in batched(keys, PARALLEL):
        if time.monotonic() >= deadline or engine.is_circuit_open():
            break
        sent += _deliver(_claim(OutboxMessage.objects.filter(key__in=batch), limit=PARALLEL))
    return sent


def put_again(messages: "models.QuerySet[OutboxMessage]") -> int:
    """Make given-up messages due once more, with all their tries; returns how many."""
    return messages.filter(status=OutboxMessage.Status.DEAD).update(
        status=OutboxMessage.Status.PENDING,
        attempts=0,
        due_at=timezone.now(),
        leased_until=None,
    )


def send_now(key: str) -> bool:
    """Send one message if it is due; true when it left.

    Left to the sweep while the engine cannot be reached.
    """
    if engine.is_circuit_open():
        return False
    return _deliver(_claim(OutboxMessage.objects.filter(key=key), limit=1)) == 1


def _send_new(message: OutboxMessage) -> None:
    """Send what this process has just written: as ``send_now``, without reading it again."""
    if engine.is_circuit_open():
        return
    mine = _due(OutboxMessage.objects.filter(pk=message.pk, attempts=0))
    if mine.update(leased_until=timezone.now() + LEASE, attempts=1):
        message.attempts = 1
        _deliver([message])


def send_due(*, limit: int | None = None, seconds: float = math.inf) -> int:
    """Send what is due, ``limit`` messages at most, begun in ``seconds``; returns how many left.

    A message that cannot be sent is put off and stands in nobody's way. What applications need
    goes first, in batches, whatever webhooks are under way beside it.
    """
    sent = looked_at = 0
    beside, ends_at = _Beside(), time.monotonic() + seconds
    urgent = OutboxMessage.objects.exclude(kind=OutboxMessage.Kind.WEBHOOK)
    while True:
        size = BATCH if limit is None else min(BATCH, limit - looked_at)
        size = size if time.monotonic() < ends_at else 0
        # A look that takes no lock: mostly there is nothing. And others may have what is due.
        claimed = _claim(urgent, limit=size) if size > 0 and _due(urgent).exists() else []
        if claimed:
            looked_at += len(claimed)
            sent += _deliver(claimed) + beside.settle(wait_for=0)
            continue
        looked_at += beside.begin(most=size)
        if not beside.under_way:
            return sent
        sent += beside.settle(wait_for=LOOK_AGAIN)


class _Beside:
    """Webhooks of one pass, under way beside everything else.

    Their receivers are strangers, so nobody waits for a slow one but those who wait for the
    same: each has a few places at most, and one that did not answer in time gets nothing more
    in this pass.
    """

    def __init__(self) -> None:
        self.under_way: dict[Future[Any], OutboxMessage] = {}
        self.resting: set[str] = set()
        self.ends_at = time.monotonic() + LONGEST_PASS

    def begin(self, *, most: int) -> int:
        """Send what is due as far as there is room; returns how many were looked at."""
        looked_at = 0
        while time.monotonic() < self.ends_at:
            room = min(most - looked_at, BESIDE - len(self.under_way))
            chosen = self._choose(room) if room > 0 else []
            rows = OutboxMessage.objects.filter(pk__in=chosen)
            claimed = _claim(rows, limit=room) if chosen else []
            if not claimed:
                break
            looked_at += len(claimed)
            for message in claimed:
                self._send(message)
        return looked_at

    def settle(self, *, wait_for: float) -> int:
        """Note what ended, the first of it within so many seconds; returns how many left."""
        sent = 0
        for future in wait(self.under_way, wait_for, FIRST_COMPLETED).done:
            message = self.under_way.pop(future)
            if message.recipient and _is_unanswered(future.exception()):
                self.resting.add(message.recipient)
            sent += _settle(message, future)
        return sent

    def _choose(self, room: int) -> list[int]:
        """The messages that are due longest, of each recipient as many as it has places for."""
        taken = Counter(message.recipient for message in self.under_way.values())
        full = {who for who, number in taken.items() if number >= FOR_ONE} - {""}
        due = _due(OutboxMessage.objects.filter(kind=OutboxMessage.Kind.WEBHOOK))
        chosen = []
        for pk, who in (
            due.exclude(recipient__in=full | self.resting)
            .order_by("due_at", "id")
            .values_list("pk", "recipient")[:room]
        ):
            if not who or taken[who] < FOR_ONE:
                chosen.append(pk)
                taken[who] += 1
        return chosen

    def _send(self, message: OutboxMessage) -> None:
        with work_on_message(message):
            send = _prepare(message)
            if send is not None:
                self.under_way[_pool_beside().submit(in_context(send))] = message


def _is_unanswered(error: BaseException | None) -> bool:
    """Return whether the attempt ended without an answer in its time."""
    return (
        isinstance(error, WebhookError)
        and not isinstance(error, EndpointGone)
        and not error.result.status_code
    )


def _due(rows: "models.QuerySet[OutboxMessage]") -> "models.QuerySet[OutboxMessage]":
    now = timezone.now()
    free = models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=now)
    return rows.filter(free, status=OutboxMessage.Status.PENDING, due_at__lte=now)


def _claim(rows: "models.QuerySet[OutboxMessage]", *, limit: int) -> list[OutboxMessage]:
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        claimed = list(
            _due(rows)
            .select_for_update(skip_locked=skip, of=("self",), no_key=True)
            .select_related("execution", "callback", "application")
            .order_by("due_at", "id")[:limit]
        )
        OutboxMessage.objects.filter(pk__in=[message.pk for message in claimed]).update(
            leased_until=timezone.now() + LEASE, attempts=models.F("attempts") + 1
        )
    for message in claimed:
        message.attempts += 1
    return claimed


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PARALLEL, "outbox")


@once
def _pool_beside() -> ThreadPoolExecutor:
    """Separate pool, so that a slow webhook receiver takes no thread that applications need."""
    return ThreadPoolExecutor(BESIDE, "webhooks")


def _deliver(messages: Sequence[OutboxMessage]) -> int:
    """Send claimed messages side by side; returns how many left.

    What an owner of a connection sends, the thread sends that it works for, a moment later.
    """
    under_way: dict[Future[Any], OutboxMessage] = {}
    for message in messages:
        with work_on_message(message):
            send = _prepare(message)
            if send is None:
                continue
            send = in_context(send)
        if is_owner():
            run_outside(send, then=partial(_settle, message))
            continue
        future = outcome_of(send) if len(messages) == 1 else _pool().submit(send)
        under_way[future] = message
    return sum(_settle(under_way[future], future) for future in as_completed(under_way))


def _prepare(message: OutboxMessage) -> Send | None:
    """Return what goes outside; ``None`` when the message was put off."""
    try:
        return traced(message, _route(message).prepare(message))
    except Exception as error:  # noqa: BLE001 - whatever went wrong is written on the row
        _put_off(message, error)
        return None


def _route(message: OutboxMessage) -> Handler:
    return HANDLERS[OutboxMessage.Kind(message.kind)]


def _settle(message: OutboxMessage, future: "Future[Any]") -> bool:
    with work_on_message(message):
        return _settled(message, future)


def _settled(message: OutboxMessage, future: "Future[Any]") -> bool:
    try:
        with transaction.atomic():
            _route(message).settle(message, future)
            _sent(message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is written on the row
        _put_off(message, error)
        return False
    logger.info("Sent", extra={"kind": message.kind, "key": message.key})
    return True


def _sent(message: OutboxMessage) -> None:
    unsent = OutboxMessage.objects.filter(pk=message.pk).exclude(status=OutboxMessage.Status.SENT)
    changed = unsent.update(
        status=OutboxMessage.Status.SENT,
        sent_at=timezone.now(),
        leased_until=None,
        last_error="",
        letter=message.letter,
        note=message.note,
    )
    if changed:
        _route(message).sent(message)


def _put_off(message: OutboxMessage, error: Exception) -> None:
    """Note a failure; never on a row that another sender claimed or settled meanwhile."""
    route = _route(message)
    final = message.attempts >= route.tries or isinstance(error, HOPELESS)
    logger.warning(
        "Not sent",
        extra={"kind": message.kind, "key": message.key, "tries": message.attempts},
        exc_info=error if not isinstance(error, EngineUnavailable | WebhookError) else None,
    )
    now, said = timezone.now(), mask_mailboxes(f"{type(error).__name__}: {error}")[:2000]
    failure = {"at": now.isoformat(), "error": said[:KEPT_OF_ERROR]}
    mine = OutboxMessage.objects.filter(
        pk=message.pk, status=OutboxMessage.Status.PENDING, attempts=message.attempts
    )
    try:
        with transaction.atomic():
            noted = mine.update(
                status=OutboxMessage.Status.DEAD if final else OutboxMessage.Status.PENDING,
                due_at=now + route.delay(message.attempts),
                leased_until=None,
                last_error=said,
                failures=[*message.failures, failure][-KEPT_FAILURES:],
            )
            if noted:
                route.failed(message, error, final)
    except DatabaseError:  # the others in this batch still have their turn
        logger.exception("Not noted; it is due again when its lease ends")
