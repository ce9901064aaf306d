"""Read the audit log: for its page, its export, and to avoid repeated entries."""

import re
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from audit.models import Action, AuditEntry

LOOKS_LIKE_REFERENCE = re.compile(r"LOAN-[A-Z0-9]{8}", re.IGNORECASE)


def entries_found(term: str) -> QuerySet[AuditEntry]:
    """Find the entries of one application, request, or person: each is one index lookup.

    A reference is recognised by its form; anything else is a request's id if there is one
    like that, and a person's or partner's name otherwise.
    """
    rows = AuditEntry.objects.all()
    term = term.strip()
    if LOOKS_LIKE_REFERENCE.fullmatch(term):
        return rows.filter(reference=term.upper())
    of_request = rows.filter(request_id=term)
    return of_request if of_request.exists() else rows.filter(who=term)


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
