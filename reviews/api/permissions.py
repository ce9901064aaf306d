"""What a caller needs to decide a review task."""

from partners.api.permissions import Access
from reviews.choices import TaskKind
from reviews.services.authority import PERMISSIONS

DECIDED_HERE = (TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW)
DECIDE = Access(staff=tuple(PERMISSIONS[kind] for kind in DECIDED_HERE), decides=DECIDED_HERE)
