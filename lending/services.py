"""Find the lending policy in force, publish a new version, and read its rules as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.proposal_kinds import Confirmed
from accounts.roles import APPROVERS, Role
from audit.models import Action
from audit.services import Changes, entry_record
from core.errors import NotPermitted
from lending.choices import Tier
from lending.errors import InvalidPolicy, NoPolicy, PolicyPublished
from lending.models import LendingPolicy
from lending.underwriting import PolicyRules, TierRule


@dataclass(frozen=True)
class PersonWait:
    """A wait for a person: the policy field of its length, and of the switch that enables it."""

    field: str
    required_by: str = ""


# Set by ``reviews.apps``: that app is a layer above this one, so it cannot be imported here.
PERSON_WAITS: list[PersonWait] = []


def policy_current() -> LendingPolicy:
    """Return the newest published version. Raises ``NoPolicy`` when there is none."""
    policy = _in_force()
    if policy is None:
        raise NoPolicy
    return policy


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
    """Return the longest total wait of an execution under this policy."""
    fraud = (
        max(policy.fraud_check_timeout, settings.LOANOFFICE_FRAUD_VENDOR_LONGEST)
        * policy.fraud_check_attempts
    )
    grace: timedelta = settings.LOANOFFICE_DELIVERY_GRACE
    waits = (
        getattr(policy, wait.field) + grace
        for wait in PERSON_WAITS
        if not wait.required_by or getattr(policy, wait.required_by)
    )
    return sum(waits, fraud)


def publish_check(*, policy: LendingPolicy) -> None:
    """Raise the reason why a version cannot be published.

    ``PolicyPublished``, or ``InvalidPolicy`` when a tier or a ceiling is missing, a ceiling is
    below that of a lower role, the smallest loan is above the largest one of a tier that lends,
    or an execution could wait longer than its execution lives.
    """
    if policy.published_at is not None:
        raise PolicyPublished(version=policy.version)
    missing = set(Tier.values) - set(policy.tiers.values_list("tier", flat=True))
    if missing:
        raise InvalidPolicy(
            {"tiers": [f"A policy needs every tier; missing: {', '.join(sorted(missing))}."]}
        )
    _check_ceilings(policy)
    _check_smallest(policy)
    needed, limit = longest_wait(policy), settings.LOAN_APPROVAL_EXECUTION_TIMEOUT
    if needed >= limit:
        raise InvalidPolicy(
            {
                "approval_expires": [
                    f"An application may wait for {needed.days} days in all, but an execution ends "
                    f"after {limit.days}. Shorten the waits."
                ]
            }
        )


@transaction.atomic
def policy_publish(*, policy: LendingPolicy, confirmed: Confirmed) -> LendingPolicy:
    """Publish a drafted version for applications that are validated from now on.

    Only a confirmed proposal does this (``lending.proposals``): it needs two people with the
    right. Raises ``NotPermitted``, and what ``publish_check`` raises.
    """
    people = (confirmed.proposer, confirmed.confirmer)
    if confirmed.alone or not all(
        person is not None and person.has_perm("lending.publish_lendingpolicy") for person in people
    ):
        raise NotPermitted("Two policy owners publish a lending policy: one alone cannot.")
    policy = LendingPolicy.objects.select_for_update().get(pk=policy.pk)
    publish_check(policy=policy)
    before = _in_force()
    policy.published_at = timezone.now()
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
    before = _in_force()
    return {
        "published_at": policy.published_at,
        "new": _by_field(policy),
        "in_force": None if before is None else _by_field(before),
    }


def _check_ceilings(policy: LendingPolicy) -> None:
    """Raise ``InvalidPolicy`` unless each role's ceiling is at least that of the rank below."""
    ceilings, highest = policy_ceilings(policy), APPROVERS[-1]
    problem = ""
    if missing := [role.value for role in APPROVERS if role not in ceilings]:
        problem = f"A policy needs the ceiling of every role; missing: {', '.join(missing)}."
    elif ceilings[highest] is not None:
        problem = f"{highest} decides what is above all ceilings, so it has none itself."
    else:
        for lower, higher in pairwise(APPROVERS):
            low, high = ceilings[lower], ceilings[higher]
            if high is not None and (low is None or high < low):
                problem = f"The ceiling of {higher} is below that of {lower}."
    if problem:
        raise InvalidPolicy({"authorities": [problem]})


def _check_smallest(policy: LendingPolicy) -> None:
    """Raise ``InvalidPolicy`` unless every tier that lends can lend the smallest loan."""
    errors: dict[str, list[str]] = {}
    smallest, instalment = policy.smallest_loan, policy.smallest_instalment
    if smallest <= 0:
        errors["smallest_loan"] = ["The smallest loan has to be above zero."]
    if instalment <= 0:
        errors["smallest_instalment"] = ["The smallest instalment has to be above zero."]
    elif instalment > smallest:
        errors["smallest_instalment"] = ["The smallest instalment is above the smallest loan."]
    for tier in policy.tiers.all():
        if 0 < tier.largest_amount < smallest:
            errors.setdefault("smallest_loan", []).append(
                f"The smallest loan is above the largest one of {tier.get_tier_display()}, "
                f"{tier.largest_amount:,.2f} {policy.currency}."
            )
    if errors:
        raise InvalidPolicy(errors)


def policy_changes(policy: LendingPolicy) -> Changes:
    """Return the changes that publishing ``policy`` makes, by field; all of it the first time."""
    return _differences(_in_force(), policy)


def _in_force() -> LendingPolicy | None:
    return LendingPolicy.objects.filter(published_at__isnull=False).order_by("-version").first()


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
    fields |= {f"{role.key}_ceiling": limit for role, limit in policy_ceilings(policy).items()}
    names = ("minimum_score", "requires_clean_record", "annual_rate", "largest_amount")
    for tier in policy.tiers.all():
        fields |= {f"{tier.tier}: {name}": getattr(tier, name) for name in names}
    return fields
