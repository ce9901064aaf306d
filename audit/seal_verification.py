"""Compare the sealed tables with their seals, and the seals with their copies outside.

The seals are read twice: first as a chain, beside the copies, so that seals which were rewritten
are known as such; then each is compared with the rows that it closed. The first difference ends
the run. Where a seal was rewritten, its copy says which row is not what it was.
"""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import FieldError
from django.utils import timezone

from audit import seal_copies
from audit.models import Seal, SealVerification
from audit.seal_copies import Copies, digest_of
from audit.sealed_tables import MARK, REGISTERED, SealedTable, digest, marks_by_key, texts
from audit.sealing import Document, given_up, sealed_keys, sealed_up_to
from audit.times import moment

SEALS_AT_ONCE = 20
# A seal that has no copy after this time is a finding: the sweep copies it within a minute.
COPIED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Unsealed:
    """The number of rows of one table that no seal covers yet."""

    label: str
    rows: int


@dataclass
class Verified:
    """The result of a run. ``finding`` is one sentence, empty when nothing differs."""

    seal: int = 0
    seals: int = 0
    rows: int = 0
    finding: str = ""
    where: str = ""  # of the copies, empty without
    copies: int = 0
    given_up: list[str] = field(default_factory=list)  # sentences about restored databases
    unsealed: list[Unsealed] = field(default_factory=list)


class _Difference(Exception):
    """The first difference; its text is the finding."""


def seals_verify(*, on_progress: Callable[[int], None] = lambda _: None) -> Verified:
    """Verify everything that is sealed, and store what was found.

    ``on_progress`` gets the number of rows after each seal. Raises ``CopiesUnreachable``.
    """
    found = Verified()
    copies = seal_copies.configured()
    try:
        _verify_chain(found, copies)
        for seal, document in _seals():
            _verify_rows(found, seal, document)
            found.seal = seal.number
            on_progress(found.rows)
    except _Difference as difference:
        found.finding = str(difference)
    newest = Seal.objects.order_by("number").last()
    found.unsealed = _unsealed(json.loads(newest.document) if newest else {"tables": {}})
    SealVerification.objects.create(seal=found.seal, rows=found.rows, finding=found.finding)
    return found


def _seals() -> Iterator[tuple[Seal, Document]]:
    """Yield every seal with its document, a few read at once."""
    last = -1
    while rows := list(Seal.objects.filter(number__gt=last).order_by("number")[:SEALS_AT_ONCE]):
        yield from ((seal, json.loads(seal.document)) for seal in rows)
        last = rows[-1].number


# --- The chain and its copies -------------------------------------------------------------


def _verify_chain(found: Verified, copies: Copies | None) -> None:
    """Each seal is what its hash says, follows the one before, and is the one that was copied."""
    copied: dict[int, set[str]] = defaultdict(set)
    if copies is not None:
        found.where = copies.where
        for number, name in copies.listed():
            copied[number].add(name)
            found.copies += 1
    lost = _given_up(found)
    previous = ""
    before: Document = {"tables": {}}
    for number, (seal, document) in enumerate(_seals(), start=1):
        others = copied.pop(seal.number, set()) - lost
        if seal.number != number:
            raise _Difference(f"Seal {number} was removed: seal {seal.number} comes next.")
        if copies is not None and seal.hash not in others:
            _compare_with_copy(seal, others, copies)
        if digest_of(seal.document) != seal.hash or document["number"] != seal.number:
            raise _Difference(f"Seal {seal.number} was changed: it has not the hash that it had.")
        if document["previous"] != previous:
            raise _Difference(f"Seal {seal.number} does not follow seal {number - 1} as it is now.")
        _verify_no_gap(seal, document, before)
        if others - {seal.hash}:
            raise _Difference(f"There is another seal {seal.number} in {found.where}. {_PUT_BACK}")
        previous, before = seal.hash, document
    ahead = sorted(each for each, names in copied.items() if names - lost)
    if ahead:
        raise _Difference(
            f"Seal {ahead[0]} is in {found.where} and not in the database. {_PUT_BACK}"
        )


def _verify_no_gap(seal: Seal, document: Document, before: Document) -> None:
    """Each range begins where the one before ended, so that no row is between two seals."""
    for name, said in sorted(document["tables"].items()):
        if "to" in said:
            follows = said["after"] == sealed_up_to(before, name)
        else:
            follows = said["keys"] == [*sealed_keys(before, name), *said["added"]]
        if not follows:
            raise _Difference(f"Seal {seal.number} leaves out rows of {name}.")


_PUT_BACK = (
    "Somebody removed or rewrote what came after the seal before, or the database was put back "
    "to an earlier time (then record it: audit_seal --after-restore)."
)


def _given_up(found: Verified) -> set[str]:
    """The hashes of the seals that restores of the database lost, as later seals record."""
    lost: set[str] = set()
    for seal, document in _seals():
        if "given_up" in document:
            names = given_up(document)
            lost.update(names)
            found.given_up.append(
                f"Seal {seal.number} records a restore of the database, which lost {len(names)} "
                f"seals: {document['given_up'].get('reason', '')}"
            )
    return lost


def _compare_with_copy(seal: Seal, others: set[str], copies: Copies) -> None:
    """The seal in the database is not the one that was copied, or was never copied."""
    for name in sorted(others):
        kept = copies.read(seal.number, name)
        if kept is None:
            continue
        try:
            _verify_rows(Verified(), seal, json.loads(kept))
        except _Difference as difference:
            raise _Difference(
                f"Seal {seal.number} was rewritten. By its copy in {copies.where}: {difference}"
            ) from None
        raise _Difference(f"Seal {seal.number} is not the one in {copies.where}. {_PUT_BACK}")
    if timezone.now() - seal.at > COPIED_WITHIN:
        raise _Difference(f"Seal {seal.number} has no copy in {copies.where}.")


# --- The rows --------------------------------------------------------------------------


def _verify_rows(found: Verified, seal: Seal, document: Document) -> None:
    """The rows that a seal closed are there as they were, and no others."""
    for name, said in sorted(document["tables"].items()):
        table = REGISTERED.get(name)
        if table is None:
            raise _Difference(f"Seal {seal.number} covers {name}, which is not sealed any more.")
        if not said["rows"] and said.get("after") == said.get("to"):
            continue
        try:
            _verify_table(table, seal, said)
        except FieldError as error:
            raise _Difference(
                f"Seal {seal.number} covers a column of {name} that there is not any more: {error}"
            ) from error
        found.rows += said["rows"]


def _verify_table(table: SealedTable, seal: Seal, said: Document) -> None:
    if table.closed_by:
        rows = table.closed().filter(pk__in=said["added"])
    else:
        rows = table.between(said["after"], said["to"])
    read = list(texts(table, rows, columns=said["columns"], parts=said["parts"]))
    now = digest(read)
    if (now.rows, now.hash) == (said["rows"], said["hash"]):
        return
    raise _Difference(_first_difference(table, seal, said, dict(read)))


def _first_difference(
    table: SealedTable, seal: Seal, said: dict[str, Any], now: dict[int, bytes]
) -> str:
    """Name the first row, by key, that is not what the seal says."""
    then = marks_by_key(base64.b64decode(said["marks"]))
    closed = f"after seal {seal.number} closed it ({moment(seal.at)})"
    for key in sorted(then.keys() | now.keys()):
        row = f"{table.label} {key} ({table.name})"
        if key not in now:
            return f"{row} was removed {closed}."
        if key not in then:
            return f"{row} was added behind: {closed.replace('closed it', 'closed its range')}."
        if hashlib.sha256(now[key]).digest()[:MARK] != then[key]:
            return f"{row} was changed {closed}."
    return f"Rows of {table.name} are not those that seal {seal.number} closed."


def _unsealed(document: Document) -> list[Unsealed]:
    """Count what no seal covers yet."""
    found = []
    for name, table in sorted(REGISTERED.items()):
        rows = table.closed()
        if table.closed_by:
            rows = rows.exclude(pk__in=sealed_keys(document, name))
        elif (sealed := sealed_up_to(document, name)) is not None:
            rows = rows.filter(pk__gt=sealed)
        if count := rows.count():
            found.append(Unsealed(str(table.model._meta.verbose_name_plural), count))
    return found
