"""Answer POSTs that may be repeated: each is one transaction, and its key stores the answer."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from core.errors import DomainError
from core.locking import StillLocked, claimed, locked_if_free
from partners.errors import IdempotencyKeyInFlight, IdempotencyKeyReused
from partners.models import IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_WAIT = timedelta(seconds=10)  # for another POST with the same key


@dataclass(frozen=True)
class Call:
    """One POST. Without a ``key`` nothing is stored of it. ``caller`` is the owner of the key."""

    caller: str
    key: str
    method: str
    path: str
    body: bytes

    @property
    def fingerprint(self) -> str:
        """Hash the parts that make two requests the same POST: SHA-256 in hex."""
        return hashlib.sha256(f"{self.method} {self.path}\n".encode() + self.body).hexdigest()


@dataclass(frozen=True)
class Answer:
    """The answer to a POST: ``body`` to the byte, and the endpoint's own headers."""

    status: int
    body: str
    headers: dict[str, str]
    replayed: bool = False


def call_answer(*, call: Call, work: Callable[[], Answer]) -> Answer:
    """Do the work of a POST in one transaction, or repeat the stored answer.

    The key's row, the work and the answer are committed together, so a crash in the middle
    leaves nothing, and the key can be tried again. A second POST with the key waits until the
    first has ended. Only answers below 400 are stored: a refused POST changed nothing that
    counts, and its obstacle may be gone when the caller tries again under the key.

    Raises ``IdempotencyKeyReused``, ``IdempotencyKeyInFlight``, and what ``work`` raises. A
    domain error ends the transaction as it would end without one around it: what services
    committed stays, as a decision that came too late. Anything else is rolled back.
    """
    if not call.key:
        with transaction.atomic(durable=True):
            outcome = _attempt(work)
        return _given(outcome)
    now = timezone.now()
    try:
        with claimed(lambda: _claim(call, now), longest_wait=LONGEST_WAIT) as row:
            if row.response_status is not None:
                return _replay(row, row.response_status, call)
            outcome = _attempt(work)
            if isinstance(outcome, Answer) and outcome.status < 400:
                _keep(row, outcome)
            else:
                row.delete()
    except StillLocked as error:
        raise IdempotencyKeyInFlight from error
    return _given(outcome)


def idempotency_keys_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` expired keys; return how many. For the sweep."""
    old = IdempotencyKey.objects.filter(created_at__lte=now - KEPT)
    if not old.exists():  # a read without a lock: mostly there is nothing to delete
        return 0
    with transaction.atomic():
        found = list(locked_if_free(old).values_list("pk", flat=True)[:limit])
        IdempotencyKey.objects.filter(pk__in=found).delete()
    return len(found)


def _claim(call: Call, now: datetime) -> IdempotencyKey:
    """The row of the call's key; one without an answer is this call's own.

    Where another transaction has written or deleted that row, the insert waits for its end.
    """
    rows = IdempotencyKey.objects.filter(caller=call.caller, key=call.key)
    while True:  # again when the row was too old, or the sweep deleted it between two reads
        IdempotencyKey.objects.bulk_create(
            [
                IdempotencyKey(
                    caller=call.caller,
                    key=call.key,
                    method=call.method,
                    path=call.path,
                    fingerprint=call.fingerprint,
                    created_at=now,
                )
            ],
            ignore_conflicts=True,
        )
        row = rows.first()
        if row is not None and row.created_at > now - KEPT:
            return row
        rows.filter(created_at__lte=now - KEPT).delete()


def _replay(row: IdempotencyKey, status: int, call: Call) -> Answer:
    if row.fingerprint != call.fingerprint:
        raise IdempotencyKeyReused(method=row.method, path=row.path)
    return Answer(status, row.response_body, row.response_headers, replayed=True)


def _keep(row: IdempotencyKey, answer: Answer) -> None:
    row.response_status = answer.status
    row.response_body = answer.body
    row.response_headers = answer.headers
    row.save(update_fields=["response_status", "response_body", "response_headers"])


def _attempt(work: Callable[[], Answer]) -> Answer | DomainError:
    """The answer or the refusal, not raised, so that the transaction around is committed."""
    try:
        return work()
    except DomainError as refusal:
        return refusal


def _given(outcome: Answer | DomainError) -> Answer:
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
