"""Find what is wrong with a policy as a whole: amounts, tiers and ceilings against each other.

The bounds of each field by itself are its validators in ``models``. Problems are sentences by
field, under the names that the audit log uses: ``smallest_loan``, ``prime: annual_rate``,
``manager_ceiling``; what is missing is under ``tiers`` and ``authorities``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from accounts.roles import APPROVERS
from lending.choices import Tier
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from lending.underwriting import LOWEST_SCORE

type Problems = dict[str, list[str]]


def tier_key(tier: str, field: str) -> str:
    return f"{tier}: {field}"


def ceiling_key(role: str) -> str:
    return f"{role}_ceiling"


def by_field(found: Iterable[tuple[str, str]]) -> Problems:
    """Gather sentences by the key of their field."""
    problems: defaultdict[str, list[str]] = defaultdict(list)
    for key, sentence in found:
        problems[key].append(sentence)
    return dict(problems)


def own_problems(policy: LendingPolicy) -> Iterator[tuple[str, str]]:
    """Find the problems among the policy's own fields."""
    if policy.second_approval_threshold < policy.approval_threshold:
        yield (
            "second_approval_threshold",
            "The second approval threshold is below the approval threshold, "
            f"{policy.approval_threshold:,.2f}.",
        )
    if policy.smallest_instalment > policy.smallest_loan:
        yield "smallest_instalment", "The smallest instalment is above the smallest loan."
    if policy.approval_expires < policy.approval_due:
        yield "approval_expires", "A decision expires before it is due."


def tier_problems(policy: LendingPolicy, rows: Iterable[PolicyTier]) -> Iterator[tuple[str, str]]:
    """Find the problems of the tiers: missing ones, their order, and what they lend."""
    by_tier = {row.tier: row for row in rows}
    missing = [tier.label for tier in Tier if tier.value not in by_tier]
    if missing:
        yield "tiers", f"A policy needs every tier; missing: {', '.join(missing)}."
        return
    ordered = [by_tier[tier.value] for tier in Tier]
    for better, worse in pairwise(ordered):
        yield from _order_problems(better, worse)
    yield from _last_tier_problems(ordered[-1])
    yield from _amount_problems(policy, ordered)


def _order_problems(better: PolicyTier, worse: PolicyTier) -> Iterator[tuple[str, str]]:
    """Find what is out of order between two tiers that follow each other."""
    upper, lower = better.get_tier_display(), worse.get_tier_display()
    if worse.minimum_score >= better.minimum_score:
        yield (
            tier_key(worse.tier, "minimum_score"),
            f"The lowest score of {lower}, {worse.minimum_score}, is not below the one of "
            f"{upper}, {better.minimum_score}.",
        )
    if better.minimum_score <= LOWEST_SCORE and not better.requires_clean_record:
        yield (
            tier_key(better.tier, "minimum_score"),
            f"No score is below {LOWEST_SCORE}, so no tier after {upper} would ever apply.",
        )
    if worse.annual_rate < better.annual_rate:
        yield (
            tier_key(worse.tier, "annual_rate"),
            f"The rate of {lower}, {worse.annual_rate} %, is below the one of {upper}, "
            f"{better.annual_rate} %.",
        )
    if worse.largest_amount > better.largest_amount:
        yield (
            tier_key(worse.tier, "largest_amount"),
            f"The largest amount of {lower}, {worse.largest_amount:,.2f}, is above the one of "
            f"{upper}, {better.largest_amount:,.2f}.",
        )
    if worse.requires_clean_record and not better.requires_clean_record:
        yield (
            tier_key(worse.tier, "requires_clean_record"),
            f"{lower} asks for a clean record, and {upper} does not.",
        )


def _last_tier_problems(last: PolicyTier) -> Iterator[tuple[str, str]]:
    """Find who would be in no tier: underwriting puts them into the last one all the same."""
    name = last.get_tier_display()
    if last.minimum_score > LOWEST_SCORE:
        yield (
            tier_key(last.tier, "minimum_score"),
            f"{name} is the last tier and takes every score: from {LOWEST_SCORE} or less.",
        )
    if last.requires_clean_record:
        yield (
            tier_key(last.tier, "requires_clean_record"),
            f"{name} is the last tier and takes every record.",
        )


def _amount_problems(
    policy: LendingPolicy, ordered: Sequence[PolicyTier]
) -> Iterator[tuple[str, str]]:
    if not any(row.largest_amount for row in ordered):
        yield (
            tier_key(ordered[0].tier, "largest_amount"),
            "No tier lends anything, so everybody would be declined.",
        )
    for row in ordered:
        if 0 < row.largest_amount < policy.smallest_loan:
            yield (
                tier_key(row.tier, "largest_amount"),
                f"The smallest loan is above the largest one of {row.get_tier_display()}, "
                f"{row.largest_amount:,.2f} {policy.currency}.",
            )


def ceiling_problems(
    policy: LendingPolicy, rows: Iterable[PolicyAuthority]
) -> Iterator[tuple[str, str]]:
    """Find the problems of the ceilings: missing ones, their order, and who decides nothing."""
    found: dict[str, Decimal | None] = {row.role: row.ceiling for row in rows}
    missing = [role.value for role in APPROVERS if role.key not in found]
    if missing:
        yield (
            "authorities",
            f"A policy needs the ceiling of every role; missing: {', '.join(missing)}.",
        )
        return
    highest = APPROVERS[-1]
    if found[highest.key] is not None:
        yield (
            ceiling_key(highest.key),
            f"{highest} decides what is above all ceilings, so it has none itself.",
        )
    for lower, higher in pairwise(APPROVERS):
        low, high = found[lower.key], found[higher.key]
        if high is not None and (low is None or high < low):
            yield ceiling_key(higher.key), f"The ceiling of {higher} is below that of {lower}."
    for role in APPROVERS:
        limit = found[role.key]
        if limit is not None and limit <= policy.approval_threshold:
            yield (
                ceiling_key(role.key),
                f"The ceiling of {role} is not above the approval threshold, "
                f"{policy.approval_threshold:,.2f}, so nothing would be left to decide.",
            )
