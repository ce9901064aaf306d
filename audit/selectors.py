"""Read the audit log: for its page, its export, and to avoid repeated entries; and its seals."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from audit.commit_horizon import highest_keys
from audit.models import Action, AuditEntry, Seal, SealVerification
from audit.sealed_tables import REGISTERED

LOOKS_LIKE_REFERENCE = re.compile(r"LOAN-[A-Z0-9]{8}", re.IGNORECASE)


# Functions that return the references of what a name may mean, such as an applicant's.
REFERENCES_BY_NAME: list[Callable[[str], Iterable[str]]] = []


def entries_found(term: str) -> QuerySet[AuditEntry]:
    """Find the entries of one application, request, person or applicant; all are index lookups.

    A reference is recognised by its form; anything else is a request's id if there is one
    like that, then the name of a person or partner who did something, and otherwise the beginning
    of an applicant's name (``REFERENCES_BY_NAME``), whose newest applications are looked at.
    """
    rows = AuditEntry.objects.all()
    term = term.strip()
    if LOOKS_LIKE_REFERENCE.fullmatch(term):
        return rows.filter(reference=term.upper())
    for exact in (rows.filter(request_id=term), rows.filter(who=term)):
        if exact.exists():
            return exact
    named = {reference for find in REFERENCES_BY_NAME for reference in find(term)}
    return rows.filter(reference__in=sorted(named))


def was_recorded(
    *, actor: User, action: Action, message: str, reference: str, within: timedelta
) -> bool:
    """Return true when this person has the same entry already, a moment ago."""
    return AuditEntry.objects.filter(
        reference=reference,
        at__gte=timezone.now() - within,
        actor=actor,
        action=action,
        message=message,
    ).exists()


class SealStatus(NamedTuple):
    """The last seal and the last verified one, by number and time.

    ``verified`` is of the last verification that found no difference; ``finding`` is what a later
    one found. ``unsealed`` is at most the number of rows that no seal covers yet: it counts keys,
    of which some may never have become a row.
    """

    sealed: int
    sealed_at: datetime | None
    verified: int
    verified_at: datetime | None
    finding: str
    unsealed: int


def seal_status() -> SealStatus:
    """Read the last seal and the last verification; four queries, one more after a finding."""
    seal = Seal.objects.order_by("number").last()
    newest = SealVerification.objects.first()
    good = newest
    if newest is not None and newest.finding:
        good = SealVerification.objects.filter(finding="").first()
    tables = json.loads(seal.document)["tables"] if seal else {}
    by_range = [table.model for table in REGISTERED.values() if not table.closed_by]
    unsealed = sum(
        top - (tables.get(name, {}).get("to") or 0) for name, top in highest_keys(by_range).items()
    )
    for name, table in REGISTERED.items():
        if table.closed_by:
            unsealed += table.closed().count() - len(tables.get(name, {}).get("keys", ()))
    return SealStatus(
        sealed=seal.number if seal else 0,
        sealed_at=seal.at if seal else None,
        verified=good.seal if good else 0,
        verified_at=good.at if good else None,
        finding=newest.finding if newest else "",
        unsealed=max(unsealed, 0),
    )
