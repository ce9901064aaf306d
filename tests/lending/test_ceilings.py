"""A policy says for every role that approves up to how much, and no rank is below another."""

from decimal import Decimal

import pytest
from django.core.checks import run_checks

from accounts.roles import APPROVERS, Role
from lending import policy_problems
from lending.errors import InvalidPolicy
from lending.models import LendingPolicy, PolicyAuthority
from lending.services import policy_ceilings, policy_current, publish_check
from tests import casework

pytestmark = pytest.mark.django_db


@pytest.fixture
def copy() -> LendingPolicy:
    """A draft with the tiers of the policy in force, and no ceilings."""
    draft = LendingPolicy.objects.create(version=2)
    for tier in policy_current().tiers.all():
        tier.pk, tier.policy = None, draft
        tier.save()
    return draft


def test_first_policy_has_the_ceiling_of_every_role() -> None:
    ceilings = policy_ceilings(policy_current())
    assert list(ceilings) == list(APPROVERS)
    assert (ceilings[Role.MANAGER], ceilings[Role.SENIOR_MANAGER]) == (Decimal(250_000), None)


def test_role_without_a_ceiling_is_named(copy: LendingPolicy) -> None:
    copy.authorities.create(role=Role.SENIOR_MANAGER.key)
    with pytest.raises(InvalidPolicy, match="missing: Manager"):
        publish_check(policy=copy)


def test_highest_role_has_no_limit(copy: LendingPolicy) -> None:
    for role in APPROVERS:
        copy.authorities.create(role=role.key, ceiling=1_000_000)
    with pytest.raises(InvalidPolicy, match="Senior manager decides what is above all ceilings"):
        publish_check(policy=copy)


@pytest.mark.parametrize("ceilings", [(20, 10, None), (None, 10, None)])
def test_ceiling_is_not_below_that_of_a_lower_role(
    copy: LendingPolicy, monkeypatch: pytest.MonkeyPatch, ceilings: tuple[int | None, ...]
) -> None:
    ranked = (Role.MANAGER, Role.OPERATIONS, Role.SENIOR_MANAGER)
    monkeypatch.setattr(policy_problems, "APPROVERS", ranked)
    copy.approval_threshold = Decimal(1)
    rows = [
        PolicyAuthority(role=role.key, ceiling=ceiling)
        for role, ceiling in zip(ranked, ceilings, strict=True)
    ]
    assert list(policy_problems.ceiling_problems(copy, rows)) == [
        ("operations_ceiling", "The ceiling of Operations is below that of Manager.")
    ]


def test_check_names_the_role_that_the_policy_in_force_has_no_ceiling_for() -> None:
    with casework.triggers_lifted():
        policy_current().authorities.filter(role="manager").delete()
    (warning,) = run_checks(databases=["default"])
    assert warning.id == "lending.W001"
    assert warning.msg == "Policy version 1 is in force and has no ceiling for Manager."
