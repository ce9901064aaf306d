"""What a caller needs to decide a review task."""

from django.contrib.auth.models import User

from partners.api.permissions import Access
from reviews.choices import TaskKind
from reviews.services.authority import PERMISSIONS
from reviews.services.decisions import may_decide_some

DECIDED_HERE = (TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW)


def _was_delegated(user: User) -> bool:
    return may_decide_some(user=user, kinds=DECIDED_HERE)


DECIDE = Access(staff=tuple(PERMISSIONS[kind] for kind in DECIDED_HERE), or_else=_was_delegated)
