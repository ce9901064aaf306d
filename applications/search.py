"""Find applications by what people know of them: for the search in the header of every page.

A reference with or without its prefix, the beginning of a name or of a surname, a partner's own
name of the application; for who may see contact details also a phone number or an e-mail address.
Each way is a lookup in one index, however many applications there are.
"""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import QuerySet

from applications.models import LoanApplication
from applications.references import MAY_BE_REFERENCE, PREFIX, reference_of
from applications.search_contacts import email_key, is_phone, phone_key
from applications.search_names import normalize
from core.database import beginning

SHORTEST = 2  # characters; a single one finds too much to be of use
MOST_BY_NAME = 20  # applications of whose names the audit log shows the entries
NEWEST_FIRST = ("-created_at", "-id")


class Found(NamedTuple):
    """Applications in the order of how well they fit; ``more`` when others fit, too."""

    applications: list[LoanApplication]
    more: bool


def is_contact(term: str) -> bool:
    """Tell whether a term is a phone number or an e-mail address, which not everybody may see."""
    return "@" in term or is_phone(term.strip())


def applications_found(term: str, *, most: int, with_contact: bool = False) -> Found:
    """Find at most so many applications; nothing for a term of less than two characters.

    ``with_contact`` also looks among phone numbers and e-mail addresses: the caller has checked
    that the person may, and records it (``access_log.contact_searched``).
    """
    term = " ".join(term.split())
    if len(term) < SHORTEST:
        return Found([], more=False)
    found: dict[int, LoanApplication] = {}
    for rows in _ways(term, with_contact=with_contact):
        for row in rows.select_related("partner")[: most + 1]:
            found.setdefault(row.pk, row)
        if len(found) > most:
            break
    fitting = list(found.values())
    return Found(fitting[:most], more=len(fitting) > most)


def references_by_name(name: str) -> list[str]:
    """Return the references of the applicants whose name or surname begins so; twenty at most."""
    if is_contact(name):
        return []
    found = applications_found(name, most=MOST_BY_NAME).applications
    return [application.reference for application in found]


def _ways(term: str, *, with_contact: bool) -> Iterator[QuerySet[LoanApplication]]:
    """Yield the rows of each way in which the term may be meant, the surest first."""
    rows = LoanApplication.objects.all()
    if MAY_BE_REFERENCE.fullmatch(term):
        yield rows.filter(reference=reference_of(term))
    yield rows.filter(external_id=term).order_by("external_id", *NEWEST_FIRST)
    if is_contact(term) and with_contact:
        yield _by_contact(rows, term)
    if is_contact(term) or term.upper().startswith(PREFIX):
        return
    name = normalize(term.replace(",", " "))
    if not name:  # a single accent, for example
        return
    for field in ("applicant_search", "surname_search"):
        yield rows.filter(**beginning(field, name)).order_by(field, *NEWEST_FIRST)


def _by_contact(rows: QuerySet[LoanApplication], term: str) -> QuerySet[LoanApplication]:
    if "@" in term:
        return rows.filter(email_search=email_key(term)).order_by("email_search", *NEWEST_FIRST)
    lookup = beginning("phone_search", phone_key(term))
    return rows.filter(**lookup).order_by("phone_search", *NEWEST_FIRST)
