"""Find who worked on an application: who entered it, added a document or answered a question.

Read from the timeline, which is append-only: every contribution ever made counts, also that of
somebody who was deactivated since. Whoever made the partner key of a request, or rotated it,
contributed what the request brought.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, prefetch_related_objects

from applications.models import ApplicationEvent, LoanApplication
from partners.selectors import key_makers, keys_made_by, with_makers

# The kinds of timeline entries that are contributions, and what their actor did, in a sentence.
CONTRIBUTIONS = {
    "created": "created",
    "edited": "edited",
    "submitted": "submitted",
    "document_added": "added a document to",
    "question_answered": "answered a question about",
}


LOADED = "loaded_contributions"  # where ``with_contributions`` puts them
BY_KEY = "issued the partner key that brought"


class Contribution(NamedTuple):
    """Act of a person, as in "You edited LOAN-..."."""

    person: User
    did: str


def contributed(*, people: Iterable[int]) -> Q:
    """Return a filter of rows with an ``application`` that any of these people worked on.

    The same rule as ``contributions_of``, for many rows at once. Reads the keys that the people
    made, few or none: with a subquery for them PostgreSQL reads the whole timeline.
    """
    people = list(people)
    by = Q(actor__in=people)
    if keys := list(keys_made_by(people=people).values_list("pk", flat=True)):
        by |= Q(partner_key__in=keys)
    return Q(Exists(_entries().filter(by, application=OuterRef("application"))))


def contributions_of(application: LoanApplication) -> list[Contribution]:
    """Return the contributions to an application, each once, in the order in which they came.

    Without a query for applications that ``with_contributions`` loaded.
    """
    entries: list[ApplicationEvent] | None = getattr(application, LOADED, None)
    if entries is None:
        entries = list(_loaded_entries().filter(application=application))
    found, keys = [], {}
    for entry in entries:
        if entry.actor is not None:
            found.append(Contribution(entry.actor, CONTRIBUTIONS[entry.kind]))
        if entry.partner_key is not None:
            keys[entry.partner_key_id] = entry.partner_key
    found += [Contribution(person, BY_KEY) for key in keys.values() for person in key_makers(key)]
    return list(dict.fromkeys(found))


def contributions_load(
    application: LoanApplication, *, keys: Collection[str]
) -> list[ApplicationEvent]:
    """Load what ``contributions_of`` reads; returns the entries with these keys, by the same query.

    The application is locked, so that nobody contributes meanwhile.
    """
    wanted = Q(kind__in=CONTRIBUTIONS) | Q(key__in=keys)
    entries = list(_loaded(ApplicationEvent.objects.filter(wanted, application=application)))
    setattr(application, LOADED, [entry for entry in entries if entry.kind in CONTRIBUTIONS])
    return [entry for entry in entries if entry.key in keys]


def with_contributions(applications: QuerySet[LoanApplication]) -> QuerySet[LoanApplication]:
    """Load what ``contributions_of`` reads: at most three queries, however many there are."""
    return applications.prefetch_related(_contributions())


def contributions_load_many(applications: Collection[LoanApplication]) -> None:
    """Load what ``contributions_of`` reads for locked applications; at most three queries.

    While they are locked, nobody contributes.
    """
    prefetch_related_objects(list(applications), _contributions())


def _contributions() -> "Prefetch[str, QuerySet[ApplicationEvent], str]":
    return Prefetch("events", queryset=_loaded_entries(), to_attr=LOADED)


def _loaded_entries() -> QuerySet[ApplicationEvent]:
    return _loaded(_entries())


def _loaded(entries: QuerySet[ApplicationEvent]) -> QuerySet[ApplicationEvent]:
    keys = Prefetch("partner_key", queryset=with_makers())
    return entries.select_related("actor").prefetch_related(keys).order_by("pk")


def _entries() -> QuerySet[ApplicationEvent]:
    return ApplicationEvent.objects.filter(kind__in=CONTRIBUTIONS)
