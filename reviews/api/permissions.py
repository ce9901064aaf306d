"""Access rules of the API for deciding a review task."""

from django.contrib.auth.models import User

from partners.api.permissions import Access
from reviews.kinds import REVIEW_KINDS, STAFF_KINDS
from reviews.services.decisions import may_decide_some


def _was_delegated(user: User) -> bool:
    return may_decide_some(user=user, kinds=STAFF_KINDS)


DECIDE = Access(
    staff=tuple(REVIEW_KINDS[kind].permission for kind in STAFF_KINDS), or_else=_was_delegated
)
