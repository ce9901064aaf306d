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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Any, NamedTuple, Protocol

from django.db import DatabaseError, models, transaction
from django.utils import timezone

from audit.masking import mask_mailboxes
from core.database import insert_many_once
from core.once import once
from workflows import engine
from workflows.db_threads import is_owner, outcome_of, run_outside
from workflows.errors import AlreadyStarted, EndpointGone, EngineUnavailable, WebhookError
from workflows.models import OutboxMessage
from workflows.outbox.backoff import backoff
from workflows.outbox.claims import LEASE, claim, due
from workflows.outbox.failures import note_failure
from workflows.outbox.message_context import in_context, work_on_message
from workflows.outbox.traced import traced
from workflows.outbox.webhook_pass import WebhookPass

logger = logging.getLogger(__name__)

PARALLEL = 8  # requests of one process under way at once
BATCH = 16  # messages claimed at once
# Seconds until other messages are looked for again while webhooks are under way.
LOOK_AGAIN = 0.5
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


class Failed(Protocol):
    """The function that notes a try that failed; ``final`` when it was the last."""

    def __call__(self, message: OutboxMessage, error: Exception, /, *, final: bool) -> None: ...


class Handler(NamedTuple):
    """The functions that send one kind of message.

    ``prepare`` runs on the sender's connection and returns what goes outside: a function
    that touches no database, for it may run in a thread of the pool. ``settle`` runs on the
    sender's connection again, in the transaction that marks the message as sent; it takes
    the future of what went outside and raises what keeps the message from being sent.
    ``prepare_all`` and ``settle_all`` do the same for many messages of the kind in few statements;
    the latter takes what each returned, and sets neither the letter nor the note of a message.
    ``failed`` is called with that, in the transaction that puts the message off or, at the end
    of its ``tries``, gives it up; ``delay`` says for how long. ``sent`` is called once, in the
    transaction that marks it as sent.
    """

    prepare: Callable[[OutboxMessage], Send]
    settle: Callable[[OutboxMessage, "Future[Any]"], None]
    prepare_all: Callable[[Sequence[OutboxMessage]], list[Send]] | None = None
    settle_all: Callable[[Sequence[tuple[OutboxMessage, Any]]], None] | None = None
    failed: Failed = note_failure
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
        sent += _deliver(claim(OutboxMessage.objects.filter(key__in=batch), limit=PARALLEL))
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
    return _deliver(claim(OutboxMessage.objects.filter(key=key), limit=1)) == 1


def _send_new(message: OutboxMessage) -> None:
    """Send what this process has just written: as ``send_now``, without reading it again."""
    if engine.is_circuit_open():
        return
    mine = due(OutboxMessage.objects.filter(pk=message.pk, attempts=0))
    if mine.update(leased_until=timezone.now() + LEASE, attempts=1):
        message.attempts = 1
        _deliver([message])


def send_due(*, limit: int | None = None, seconds: float = math.inf) -> int:
    """Send what is due, ``limit`` messages at most, begun in ``seconds``; returns how many left.

    A message that cannot be sent is put off and stands in nobody's way. What applications need
    goes first, in batches, whatever webhooks are under way beside it.
    """
    sent = looked_at = 0
    beside, ends_at = WebhookPass(_prepare_all, _settle_all), time.monotonic() + seconds
    urgent = OutboxMessage.objects.exclude(kind=OutboxMessage.Kind.WEBHOOK)
    while True:
        size = BATCH if limit is None else min(BATCH, limit - looked_at)
        size = size if time.monotonic() < ends_at else 0
        # A look that takes no lock: mostly there is nothing. And others may have what is due.
        claimed = claim(urgent, limit=size) if size > 0 and due(urgent).exists() else []
        if claimed:
            looked_at += len(claimed)
            sent += _deliver(claimed) + beside.settle(wait_for=0)
            continue
        looked_at += beside.begin(most=size)
        if not beside.under_way:
            return sent
        sent += beside.settle(wait_for=LOOK_AGAIN)


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PARALLEL, "outbox")


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


def _prepare_all(messages: Sequence[OutboxMessage]) -> list[tuple[OutboxMessage, Send]]:
    """Prepare messages of one kind as ``_prepare`` does, in the context of each."""
    prepare_all = _route(messages[0]).prepare_all
    try:
        sends = prepare_all(messages) if prepare_all else None
    except Exception:
        logger.exception("Not prepared together; each is alone")
        sends = None
    found = []
    for place, message in enumerate(messages):
        with work_on_message(message):
            send = _prepare(message) if sends is None else traced(message, sends[place])
            if send is not None:
                found.append((message, in_context(send)))
    return found


def _route(message: OutboxMessage) -> Handler:
    return HANDLERS[OutboxMessage.Kind(message.kind)]


def _settle(message: OutboxMessage, future: "Future[Any]") -> bool:
    with work_on_message(message):
        return _settled(message, future)


def _settle_all(ended: Sequence[tuple[OutboxMessage, "Future[Any]"]]) -> int:
    """Settle messages of one kind: those that went well together, the others one by one."""
    well = [(message, future.result()) for message, future in ended if not future.exception()]
    settle_all = _route(well[0][0]).settle_all if len(well) > 1 else None
    if settle_all is not None:
        try:
            with transaction.atomic():
                settle_all(well)
                OutboxMessage.objects.filter(pk__in=[message.pk for message, _ in well]).exclude(
                    status=OutboxMessage.Status.SENT
                ).update(**_as_sent())
        except Exception:
            logger.exception("Not noted together; each is noted alone")
        else:
            for message, _ in well:
                with work_on_message(message):
                    _log_sent(message)
            ended = [(message, future) for message, future in ended if future.exception()]
            return len(well) + sum(_settle(*one) for one in ended)
    return sum(_settle(*one) for one in ended)


def _settled(message: OutboxMessage, future: "Future[Any]") -> bool:
    try:
        with transaction.atomic():
            _route(message).settle(message, future)
            _sent(message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is written on the row
        _put_off(message, error)
        return False
    _log_sent(message)
    return True


def _log_sent(message: OutboxMessage) -> None:
    logger.info("Sent", extra={"kind": message.kind, "key": message.key})


def _as_sent() -> dict[str, Any]:
    """The columns of a message that left, as of now."""
    return {
        "status": OutboxMessage.Status.SENT,
        "sent_at": timezone.now(),
        "leased_until": None,
        "last_error": "",
    }


def _sent(message: OutboxMessage) -> None:
    unsent = OutboxMessage.objects.filter(pk=message.pk).exclude(status=OutboxMessage.Status.SENT)
    changed = unsent.update(**_as_sent(), letter=message.letter, note=message.note)
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
                route.failed(message, error, final=final)
    except DatabaseError:  # the others in this batch still have their turn
        logger.exception("Not noted; it is due again when its lease ends")
