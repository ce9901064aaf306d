"""Read what one person has in hand: a loan officer's applications, a policy owner's drafts.

Reads only. A person's own work is read each time, by an index.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.utils import timezone

from applications.choices import IN_WORK, Status
from applications.models import LoanApplication
from audit.times import day_begins
from lending.models import LendingPolicy


@dataclass(frozen=True)
class OwnApplications:
    """The applications that a person entered: drafts, those in work, those decided today."""

    drafts: int
    in_work: int
    needing_attention: int  # of those in work
    decided_today: int


@dataclass(frozen=True)
class PolicyWork:
    """The policy version in force, and the versions that are drafts."""

    in_force: LendingPolicy | None
    drafts: int


def own_applications(*, user: User, now: datetime) -> OwnApplications | None:
    """Count the applications that ``user`` entered, in one query; ``None`` for who enters none."""
    if not user.has_perm("applications.submit_loanapplication"):
        return None
    today = day_begins(timezone.localdate(now))
    counted = LoanApplication.objects.filter(created_by=user).aggregate(
        drafts=Count("created_at", filter=Q(status=Status.DRAFT)),
        in_work=Count("created_at", filter=Q(status__in=IN_WORK)),
        needing_attention=Count("created_at", filter=Q(status=Status.NEEDS_ATTENTION)),
        decided_today=Count("created_at", filter=Q(decided_at__gte=today)),
    )
    return OwnApplications(**counted)


def policy_work(*, user: User) -> PolicyWork | None:
    """Read the policies for who may publish one, in two queries; ``None`` for others."""
    if not user.has_perm("lending.publish_lendingpolicy"):
        return None
    published = LendingPolicy.objects.filter(published_at__isnull=False)
    return PolicyWork(
        in_force=published.order_by("-version").first(),
        drafts=LendingPolicy.objects.filter(published_at__isnull=True).count(),
    )
