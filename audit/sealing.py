"""Close what was added to the sealed tables with a hash over it and over the seal before.

The sweep does this; nothing of it is on the path of a write. Several runs at once make one seal,
as its number is unique. A seal is copied outside after it is committed; a copy that fails is made
by a later run.
"""

import base64
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from audit import commit_horizon, seal_copies
from audit.models import Action, Seal, SealingState
from audit.sealed_tables import REGISTERED, SealedTable, digest, texts
from audit.services import entry_record

logger = logging.getLogger(__name__)

ROWS = 10_000  # of one table in one seal, at most
COPIES_AT_ONCE = 500
ONLY_ROW = 1  # the primary key of ``SealingState``

type Document = dict[str, Any]


@dataclass(frozen=True)
class Sealed:
    """The result of one run: the number of the last seal, the seals and the rows that are new.

    ``waiting`` is the number of transactions that have to end before more can be closed.
    """

    number: int
    seals: int
    rows: int
    waiting: int


def seals_make(*, seconds: float | None = None, rows_at_once: int = ROWS) -> Sealed:
    """Close what is complete; go on for ``seconds``, or until nothing is left."""
    began = time.monotonic()
    seals = rows = 0
    bounds, waiting = _bounds()
    while bounds is not None:
        seal = _seal_next(bounds, rows_at_once)
        if seal is None:
            break
        seals += 1
        rows += _rows(seal)
        if seconds is not None and time.monotonic() - began >= seconds:
            break
    newest = seal_last()
    return Sealed(newest.number if newest else 0, seals, rows, waiting)


def seal_last() -> Seal | None:
    return Seal.objects.order_by("number").last()


def seal_after_restore(*, reason: str) -> tuple[Seal, int]:
    """Record that the database was put back, with a seal that gives up the copies of lost seals.

    Returns the seal and how many copies it gives up. ``audit_verify`` names them from then on.
    Raises ``CopiesUnreachable``.
    """
    copies = seal_copies.configured()
    known = set(Seal.objects.values_list("hash", flat=True))
    for document in Seal.objects.values_list("document", flat=True):
        known |= set(given_up(json.loads(document)))
    lost = [] if copies is None else sorted(d for _, d in copies.listed() if d not in known)
    entry_record(
        action=Action.OPERATED,
        message=f"The database was put back: {len(lost)} seals are given up.",
        details={"reason": reason, "seals": lost},
    )
    seal = None
    while seal is None:  # another run may take the number
        newest = seal_last()
        tables = _standing(json.loads(newest.document)["tables"]) if newest else {}
        seal = _write(_document(tables, {"reason": reason, "seals": lost}), newest)
    return seal, len(lost)


def seals_copy(*, seconds: float | None = None) -> int:
    """Copy the seals that have no copy yet; go on for ``seconds``, or to the end of a batch.

    Returns how many. Raises ``CopiesUnreachable``.
    """
    began = time.monotonic()
    copies = seal_copies.configured()
    if copies is None:
        return 0
    state = _state()
    missing = Seal.objects.filter(number__gt=state.copied).order_by("number")
    seals = list(missing[:COPIES_AT_ONCE])
    copied = 0
    for seal in seals:
        if copied and seconds is not None and time.monotonic() - began >= seconds:
            break
        copies.write(seal.number, seal.hash, seal.document)
        SealingState.objects.filter(pk=ONLY_ROW, copied__lt=seal.number).update(copied=seal.number)
        copied += 1
    return copied


def given_up(document: Document) -> list[str]:
    """Return the hashes of the seals that this one gives up."""
    return list(document.get("given_up", {}).get("seals", ()))


def sealed_up_to(document: Document, name: str) -> int | None:
    """Return the highest sealed key of a table; ``None`` while no row of it is sealed."""
    found: int | None = document["tables"].get(name, {}).get("to")
    return found


def sealed_keys(document: Document, name: str) -> list[int]:
    """Return the sealed keys of a table whose rows are sealed when they are closed."""
    return list(document["tables"].get(name, {}).get("keys", ()))


def _state() -> SealingState:
    return SealingState.objects.get_or_create(pk=ONLY_ROW)[0]


def _bounds() -> tuple[dict[str, int] | None, int]:
    """Return the highest keys that can be closed now, and how many transactions are waited for.

    Bounds whose writers still run are kept: others that begin meanwhile do not matter.
    """
    ranges = [table.model for table in REGISTERED.values() if not table.closed_by]
    names = [model._meta.db_table for model in ranges]
    state = _state()
    running = commit_horizon.writers(names).intersection(state.writers)
    if running:
        return None, len(running)
    complete: dict[str, int] = state.bounds
    bounds = commit_horizon.highest_keys(ranges)
    writing = commit_horizon.writers(names)  # after the keys: whoever drew one holds its lock
    SealingState.objects.filter(pk=ONLY_ROW).update(bounds=bounds, writers=sorted(writing))
    return (complete if writing else bounds), len(writing)


def _seal_next(bounds: dict[str, int], rows_at_once: int) -> Seal | None:
    """Make one seal; ``None`` when there is nothing to close, or another run was first."""
    newest = seal_last()
    before: Document = json.loads(newest.document) if newest else {"tables": {}}
    tables = {
        name: _close(table, before, bounds.get(name, 0), rows_at_once)
        for name, table in sorted(REGISTERED.items())
    }
    if not any(part["rows"] for part in tables.values()):
        return None
    return _write(_document(tables), newest)


def _close(table: SealedTable, before: Document, bound: int, rows_at_once: int) -> Document:
    """Return what a seal says of one table: the range or the keys, and the hash over the rows."""
    columns = list(table.columns())
    parts = {each.name: list(each.columns()) for each in table.parts}
    said: Document = {"columns": columns, "parts": parts}
    if table.closed_by:
        keys = sealed_keys(before, table.name)
        added = list(
            table.closed().exclude(pk__in=keys).values_list("pk", flat=True)[:rows_at_once]
        )
        rows = table.closed().filter(pk__in=added)
        said |= {"keys": [*keys, *added], "added": added}
    else:
        after = sealed_up_to(before, table.name)
        beyond = table.between(after, bound).values_list("pk", flat=True)
        closable = list(beyond[:rows_at_once])
        rows = table.closed().none()
        if closable:
            rows = table.between(after, closable[-1])
        said |= {"after": after, "to": closable[-1] if closable else after}
    made = digest(texts(table, rows, columns=columns, parts=parts))
    marks = base64.b64encode(made.marks).decode()
    return said | {"rows": made.rows, "hash": made.hash, "marks": marks}


def _document(tables: Document, restored: Document | None = None) -> Document:
    return {"tables": tables} | ({} if restored is None else {"given_up": restored})


def _write(document: Document, newest: Seal | None) -> Seal | None:
    """Store a seal after ``newest``; ``None`` when its number is taken by now."""
    number = newest.number + 1 if newest else 1
    at = timezone.now()
    text = json.dumps(
        {
            "number": number,
            "at": _utc(at),
            "previous": newest.hash if newest else "",
            **document,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    seal = Seal(number=number, at=at, document=text, hash=seal_copies.digest_of(text))
    Seal.objects.bulk_create([seal], ignore_conflicts=True)
    return Seal.objects.filter(number=number, hash=seal.hash).first()


def _standing(tables: Document) -> Document:
    """Return what a seal says of the tables that closes nothing: where they stand."""
    nothing = {"added": [], "rows": 0, "hash": digest(()).hash, "marks": ""}
    return {
        name: {**said, **nothing, "after": said.get("to")} if "to" in said else {**said, **nothing}
        for name, said in tables.items()
    }


def _rows(seal: Seal) -> int:
    return sum(part["rows"] for part in json.loads(seal.document)["tables"].values())


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
