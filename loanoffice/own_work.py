"""Read what one person has in hand, by what their role is there for.

A loan officer's applications, what somebody may decide, what is stuck, policies, partners and
the record.
Reads only. A person's own work is read each time, by an index, in one to three statements.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Q, Sum
from django.utils import timezone

from applications.choices import IN_WORK, Status
from applications.models import Disbursement, LoanApplication
from audit.models import Action, AuditEntry
from audit.times import day_begins
from lending.models import LendingPolicy
from loanoffice.amounts import Amounts, amounts_of
from partners.models import PartnerKey
from partners.services.keys import expiring
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import asked_again, given_by, to_answer
from reviews.services import decisions
from webhooks.models import WebhookEndpoint
from workflows.models import Incident, OutboxMessage

MOST_WAITING = 100
# What an auditor looks through: the label of a figure, and its filter of the audit log.
WATCHED = (
    (Action.REVEALED, "Reveals"),
    (Action.DOWNLOADED, "Documents opened"),
    (Action.EXPORTED, "Exports"),
    (Action.OPERATED, "Acts of operations"),
    (Action.CONFIRMED, "Proposals confirmed"),
    (Action.SIGN_IN_FAILED, "Failed sign-ins"),
)
WATCHED_DAYS = 7


@dataclass(frozen=True)
class OwnApplications:
    """The applications that a person entered: drafts, those in work, those decided today."""

    drafts: int
    in_work: int
    needing_attention: int  # of those in work
    decided_today: int
    amounts: Amounts  # of those in work
    asked_again: int  # of those in work, since an approval was voided
    sent_back: int  # whoever entered them: with a question that this person is asked to answer


@dataclass(frozen=True)
class OwnDecisions:
    """The tasks that a person may decide now, and what they decided today."""

    waiting: int  # ``MOST_WAITING`` stands for that many or more
    amounts: Amounts
    first: ReviewTask | None  # the one due first
    decided_today: int

    @property
    def is_all(self) -> bool:
        """Tell whether the figures are of everything that waits."""
        return self.waiting < MOST_WAITING


@dataclass(frozen=True)
class Stuck:
    """The work that waits for Operations: open incidents by kind, payouts, messages."""

    incidents: Sequence[tuple[str, str, int]]  # kind, its label, how many are open
    payouts: int  # of unknown outcome
    payout_amounts: Amounts
    messages_pending: int
    messages_given_up: int


@dataclass(frozen=True)
class PolicyWork:
    """The policy version in force, and the versions that are drafts."""

    in_force: LendingPolicy | None
    drafts: int


@dataclass(frozen=True)
class PartnerWork:
    """Keys and endpoints of partners that somebody has to look after."""

    keys_expiring: int
    endpoints_disabled: int


@dataclass(frozen=True)
class RecordWork:
    """The number of entries of each action to watch in the record of the past days."""

    days: int
    counts: Sequence[tuple[str, str, int]]  # action, its label, how many entries


def own_applications(*, user: User, now: datetime) -> OwnApplications | None:
    """Count the applications that ``user`` entered, in three queries; ``None`` for who enters none.

    The first reads an index alone, the second the rows in work, the third the open questions.
    """
    if not user.has_perm("applications.submit_loanapplication"):
        return None
    own = LoanApplication.objects.filter(created_by=user)
    counted = own.aggregate(
        drafts=Count("created_at", filter=Q(status=Status.DRAFT)),
        in_work=Count("created_at", filter=Q(status__in=IN_WORK)),
        needing_attention=Count("created_at", filter=Q(status=Status.NEEDS_ATTENTION)),
        decided_today=Count("created_at", filter=Q(decided_at__gte=_today(now))),
    )
    by_currency = (
        own.filter(status__in=IN_WORK)
        .values_list("currency")
        .annotate(amount=Sum("loan_amount"), again=Count("pk", filter=Q(asked_again())))
        .order_by()
    )
    rows = list(by_currency)
    return OwnApplications(
        **counted,
        amounts=amounts_of((currency, amount) for currency, amount, _ in rows),
        asked_again=sum(again for _, _, again in rows),
        sent_back=LoanApplication.objects.filter(to_answer(user)).count(),
    )


def own_decisions(*, user: User, now: datetime) -> OwnDecisions | None:
    """Read what ``user`` may decide, in two queries; ``None`` for one who decides nothing."""
    if not decisions.may_decide_some(user=user, kinds=TaskKind):
        return None
    tasks = decisions.tasks_decidable(user=user, now=now).select_related("application")
    waiting = list(tasks.order_by("due_at", "pk")[:MOST_WAITING])
    asked = [task.application for task in waiting]
    given = ReviewDecision.objects.filter(given_by(user, since=_today(now)))
    return OwnDecisions(
        waiting=len(waiting),
        amounts=amounts_of((each.currency, each.loan_amount) for each in asked),
        first=waiting[0] if waiting else None,
        decided_today=given.count(),
    )


def incidents_unresolved() -> Mapping[tuple[str, str], int]:
    """Count the unresolved incidents by status and kind."""
    unresolved = (Incident.Status.OPEN, Incident.Status.ACKNOWLEDGED)
    rows = Incident.objects.filter(status__in=unresolved).order_by()
    counted = rows.values_list("status", "kind").annotate(many=Count("*"))
    return {(status, kind): many for status, kind, many in counted}


def stuck(*, user: User, incidents: Mapping[tuple[str, str], int]) -> Stuck | None:
    """Read what is stuck for who works on incidents, in two queries; ``None`` for others."""
    if not user.has_perm("workflows.change_incident"):
        return None
    # Few rows, in the order of their index: a sum would read every row of the table on SQLite.
    unknown = Disbursement.objects.filter(status=Disbursement.Status.UNKNOWN)
    payouts = list(unknown.order_by("-requested_at", "-id").values_list("currency", "amount"))
    waiting = (OutboxMessage.Status.PENDING, OutboxMessage.Status.DEAD)
    messages: Counter[str] = Counter(
        dict(
            OutboxMessage.objects.filter(status__in=waiting)
            .order_by()
            .values_list("status")
            .annotate(many=Count("pk"))
        )
    )
    return Stuck(
        incidents=[
            (kind.value, kind.label, incidents[Incident.Status.OPEN, kind])
            for kind in Incident.Kind
            if (Incident.Status.OPEN, kind) in incidents
        ],
        payouts=len(payouts),
        payout_amounts=amounts_of(payouts),
        messages_pending=messages[OutboxMessage.Status.PENDING],
        messages_given_up=messages[OutboxMessage.Status.DEAD],
    )


def policy_work(*, user: User) -> PolicyWork | None:
    """Read the policies for who may publish one, in two queries; ``None`` for others."""
    if not user.has_perm("lending.publish_lendingpolicy"):
        return None
    published = LendingPolicy.objects.filter(published_at__isnull=False)
    return PolicyWork(
        in_force=published.order_by("-version").first(),
        drafts=LendingPolicy.objects.filter(published_at__isnull=True).count(),
    )


def partner_work(*, user: User, now: datetime) -> PartnerWork | None:
    """Count keys that expire soon and disabled endpoints, in two queries; ``None`` for others."""
    if not user.has_perm("partners.change_partnerkey"):
        return None
    disabled = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.DISABLED)
    return PartnerWork(
        keys_expiring=PartnerKey.objects.filter(expiring(now=now)).count(),
        endpoints_disabled=disabled.count(),
    )


def record_work(*, user: User, now: datetime) -> RecordWork | None:
    """Count what auditors watch, in one query of an index; ``None`` for who sees no audit log."""
    if not user.has_perm("audit.view_auditentry"):
        return None
    watched = [action for action, _ in WATCHED]
    since = now - timedelta(days=WATCHED_DAYS)
    counted: Counter[str] = Counter(
        dict(
            AuditEntry.objects.filter(action__in=watched, at__gte=since)
            .order_by()
            .values_list("action")
            .annotate(many=Count("*"))
        )
    )
    counts = [(action.value, label, counted[action]) for action, label in WATCHED]
    return RecordWork(days=WATCHED_DAYS, counts=counts)


def _today(now: datetime) -> datetime:
    return day_begins(timezone.localdate(now))
