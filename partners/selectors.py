"""Read who made partner keys, and which keys somebody made.

Whoever proposed, issued or confirmed a key made it, and so did whoever rotated it: the replacement
is on their name.
"""

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db.models import Prefetch, Q, QuerySet

from partners.models import PartnerKey


def keys_made_by(*, people: Collection[int]) -> QuerySet[PartnerKey]:
    """Return the keys that any of these people made. The same rule as ``key_makers``."""
    on_their_name = Q(issued_by__in=people) | Q(proposed_by__in=people)
    return PartnerKey.objects.filter(
        on_their_name | Q(rotated_to__issued_by__in=people) | Q(rotated_to__proposed_by__in=people)
    )


def key_makers(key: PartnerKey) -> list[User]:
    """Return the people who made a key, loaded as ``with_makers`` does.

    The same rule as ``keys_made_by``.
    """
    on_whose_name = [
        person
        for row in (key, *key.rotated_to.all())
        for person in (row.proposed_by, row.issued_by)
    ]
    return [person for person in dict.fromkeys(on_whose_name) if person is not None]


def with_makers() -> QuerySet[PartnerKey]:
    """Return keys to be prefetched, with what ``key_makers`` reads: two queries for many."""
    people = ("issued_by", "proposed_by")
    replacements = PartnerKey.objects.select_related(*people)
    return PartnerKey.objects.select_related(*people).prefetch_related(
        Prefetch("rotated_to", queryset=replacements)
    )
