"""Find the lending policy in force, publish a new version, and read its rules as values."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from accounts.roles import APPROVERS, Role
from audit.models import Action
from audit.services import Changes, entry_record
from core.errors import NotPermitted
from core.locking import locked
from lending.choices import Tier
from lending.errors import InvalidPolicy, NoPolicy, PolicyPublished
from lending.models import LendingPolicy
from lending.policy_problems import (
    Problems,
    by_field,
    ceiling_key,
    ceiling_problems,
    own_problems,
    tier_key,
    tier_problems,
)
from lending.underwriting import PolicyRules, TierRule

if TYPE_CHECKING:
    from accounts.proposal_kinds import Confirmed


class PersonWait(NamedTuple):
    """A wait for a person: the policy field of its length."""

    field: str
    to_end_of_day: bool  # it lasts until the end of its last day


# The waits for people. Set by ``reviews.apps``: that app is a layer above this one, so it cannot be
# imported here.
PERSON_WAITS: list[PersonWait] = []
# What the end of a day adds to a wait at most: a day on which the clocks go back.
LONGEST_DAY = timedelta(hours=25)


def policy_in_force() -> LendingPolicy | None:
    """Return what was published last, whatever its number. The one place that says so."""
    return _published().first()


@cache
def policy_published(pk: int) -> LendingPolicy:
    """Return a published version with its tiers and ceilings; each process reads it once.

    The database refuses to change what is published. Others read it too: never set a field.
    """
    return LendingPolicy.objects.prefetch_related("tiers", "authorities").get(pk=pk)


def policy_current() -> LendingPolicy:
    """Return the version in force, as ``policy_published``. Raises ``NoPolicy`` without one."""
    pk = _published().values_list("pk", flat=True).first()
    if pk is None:
        raise NoPolicy
    return policy_published(pk)


def policy_for(*, currency: str) -> LendingPolicy:
    """Return the version that judges what was applied for in ``currency``.

    It is the one in force. An application in any other currency is refused when it is made; one
    that came in just before a policy in another currency was published is judged by the last
    version in its own. Raises ``NoPolicy``.
    """
    current = policy_current()
    if current.currency == currency:
        return current
    return _published().filter(currency=currency).first() or current


def policy_rules(policy: LendingPolicy) -> PolicyRules:
    """Read a policy as the values that ``underwriting`` needs; two queries at most."""
    tiers = tuple(
        TierRule(
            tier=Tier(row.tier),
            minimum_score=row.minimum_score,
            requires_clean_record=row.requires_clean_record,
            annual_rate=row.annual_rate,
            largest_amount=row.largest_amount,
        )
        for row in policy.tiers.all()
    )
    return PolicyRules(
        version=policy.version,
        approval_threshold=policy.approval_threshold,
        smallest_instalment=policy.smallest_instalment,
        maximum_debt_to_income=policy.maximum_debt_to_income,
        tiers=tiers,
    )


def policy_ceilings(policy: LendingPolicy) -> dict[Role, Decimal | None]:
    """Return the ceiling of each role, the lowest rank first; ``None`` means no limit."""
    found = {row.role: row.ceiling for row in policy.authorities.all()}
    return {role: found[role.key] for role in APPROVERS if role.key in found}


def approver_of(ceilings: Mapping[Role, Decimal | None], amount: Decimal) -> Role:
    """Return the lowest-ranked role whose ceiling covers an amount; the highest if none does."""
    covering = (role for role, ceiling in ceilings.items() if ceiling is None or amount <= ceiling)
    return next(covering, APPROVERS[-1])


def longest_wait(policy: LendingPolicy) -> timedelta:
    """Return the longest total wait of an execution under this policy.

    Every kind of review counts, also one that the policy does not ask for: the applicant is asked
    about an offer whose terms differ from an earlier one's.
    """
    fraud = (
        max(policy.fraud_check_timeout, settings.LOANOFFICE_FRAUD_VENDOR_LONGEST)
        * policy.fraud_check_attempts
    )
    grace: timedelta = settings.LOANOFFICE_DELIVERY_GRACE
    waits = (
        getattr(policy, wait.field) + grace + (LONGEST_DAY if wait.to_end_of_day else timedelta(0))
        for wait in PERSON_WAITS
    )
    return sum(waits, fraud)


def publish_check(*, policy: LendingPolicy) -> None:
    """Raise the reason why a version cannot be published.

    ``PolicyPublished``, or ``InvalidPolicy`` with all that ``policy_problems`` finds.
    """
    if policy.published_at is not None:
        raise PolicyPublished(version=policy.version)
    if problems := policy_problems(policy):
        raise InvalidPolicy(problems)


def policy_problems(policy: LendingPolicy) -> Problems:
    """Return what is wrong with a version, by field: bounds first, then the whole."""
    tiers, authorities = list(policy.tiers.all()), list(policy.authorities.all())
    problems = _out_of_bounds(policy)
    for tier in tiers:
        found = _out_of_bounds(tier)
        problems |= {tier_key(tier.tier, name): said for name, said in found.items()}
    for row in authorities:
        problems |= {ceiling_key(row.role): said for said in _out_of_bounds(row).values()}
    if problems:  # the rest compares values that make sense
        return problems
    return by_field(
        [
            *policy_own_problems(policy),
            *tier_problems(policy, tiers),
            *ceiling_problems(policy, authorities),
        ]
    )


def policy_own_problems(policy: LendingPolicy) -> Iterator[tuple[str, str]]:
    """Find the problems among a policy's own fields, which are within their bounds."""
    yield from own_problems(policy)
    needed, limit = longest_wait(policy), settings.LOAN_APPROVAL_EXECUTION_TIMEOUT
    if needed >= limit:
        yield (
            "approval_expires",
            f"An application may wait for {needed.days} days in all, but an execution ends "
            f"after {limit.days}. Shorten the waits.",
        )


def _out_of_bounds(row: models.Model) -> Problems:
    """Return what the validators of a row's fields say of their values."""
    try:
        row.clean_fields(exclude={"published_by", "policy"})
    except ValidationError as invalid:
        return {name: list(texts) for name, texts in invalid.message_dict.items()}
    return {}


@transaction.atomic
def policy_publish(*, policy: LendingPolicy, confirmed: "Confirmed") -> LendingPolicy:
    """Publish a drafted version for applications that are validated from now on.

    Only a confirmed proposal does this (``lending.proposals``): it needs two people with the
    right. Raises ``NotPermitted``, and what ``publish_check`` raises.
    """
    people = (confirmed.proposer, confirmed.confirmer)
    if confirmed.alone or not all(
        person is not None and person.has_perm("lending.publish_lendingpolicy") for person in people
    ):
        raise NotPermitted("Two policy owners publish a lending policy: one alone cannot.")
    # All versions: of two publications the second knows of the first.
    policy = {row.pk: row for row in locked(LendingPolicy.objects.all())}[policy.pk]
    publish_check(policy=policy)
    before, now = policy_in_force(), timezone.now()
    if before is not None and before.published_at is not None:
        # Also where the clock of this server is behind: what is published last is in force.
        now = max(now, before.published_at + timedelta(microseconds=1))
    policy.published_at = now
    policy.published_by = confirmed.confirmer
    policy.save(update_fields=["published_at", "published_by"])
    entry_record(
        action=Action.PUBLISHED,
        message=f"{policy} is in force.",
        actor=confirmed.confirmer,
        target=policy,
        changes=_differences(before, policy),
        details=confirmed.details,
    )
    return policy


def publication_state(policy: LendingPolicy) -> dict[str, object]:
    """Return the values that publishing a version rests on: all of it, and of that in force."""
    before = policy_in_force()
    return {
        "published_at": policy.published_at,
        "new": _by_field(policy),
        "in_force": None if before is None else _by_field(before),
    }


def policy_changes(policy: LendingPolicy) -> Changes:
    """Return the changes that publishing ``policy`` makes, by field; all of it the first time."""
    return _differences(policy_in_force(), policy)


def _published() -> models.QuerySet[LendingPolicy]:
    """Return the published versions, the last one first."""
    published = LendingPolicy.objects.filter(published_at__isnull=False)
    return published.order_by("-published_at", "-version")


def _differences(before: LendingPolicy | None, after: LendingPolicy) -> Changes:
    """Return the policy values that differ, by field; all of them without ``before``."""
    old = _by_field(before) if before is not None else {}
    new = _by_field(after)
    return {
        name: (old.get(name), new.get(name))
        for name in [*new, *sorted(old.keys() - new.keys())]
        if old.get(name) != new.get(name)
    }


def _by_field(policy: LendingPolicy) -> dict[str, object]:
    left_out = {"id", "created_at", "published_at", "published_by"}
    fields: dict[str, object] = {
        column.name: getattr(policy, column.name)
        for column in LendingPolicy._meta.concrete_fields
        if column.name not in left_out
    }
    fields |= {ceiling_key(role.key): limit for role, limit in policy_ceilings(policy).items()}
    names = ("minimum_score", "requires_clean_record", "annual_rate", "largest_amount")
    for tier in policy.tiers.all():
        fields |= {tier_key(tier.tier, name): getattr(tier, name) for name in names}
    return fields
