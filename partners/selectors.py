"""Read who made partner keys, and which keys somebody made.

Whoever proposed, issued or confirmed a key made it, and so did whoever rotated it: the replacement
is on their name.
"""

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from partners.models import PartnerKey


def keys_made_by(*, people: Collection[int]) -> QuerySet[PartnerKey]:
    """Return the keys that any of these people made. The same rule as ``key_makers``."""
    on_their_name = Q(issued_by__in=people) | Q(proposed_by__in=people)
    rotated = PartnerKey.objects.filter(on_their_name, replaces__isnull=False)
    return PartnerKey.objects.filter(on_their_name | Q(pk__in=rotated.values("replaces")))


def key_makers(*, keys: Collection[int]) -> QuerySet[User]:
    """Return the people who made any of these keys. The same rule as ``keys_made_by``."""
    rows = PartnerKey.objects.filter(Q(pk__in=keys) | Q(replaces__in=keys))
    return User.objects.filter(
        Q(pk__in=rows.values("issued_by")) | Q(pk__in=rows.values("proposed_by"))
    ).order_by("pk")
