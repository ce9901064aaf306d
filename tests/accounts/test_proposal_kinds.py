"""Kinds of proposals: what each has to state, and whose right it is to confirm one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks

from accounts import proposals
from accounts.proposal_kinds import SUPERUSER, ProposalKind, register
from core.errors import NotPermitted
from tests.accounts.renaming import PARTS, propose

pytestmark = pytest.mark.both_databases
WITH = pytest.mark.django_db


def test_part_that_is_left_out_is_an_error_at_once() -> None:
    for part in PARTS:
        with pytest.raises(TypeError, match=part):
            ProposalKind(**{name: value for name, value in PARTS.items() if name != part})
    with pytest.raises(ValueError, match="nobody could"):
        ProposalKind(**PARTS | {"confirm": ()})


def test_second_kind_of_the_same_name_is_an_error(kind: ProposalKind) -> None:
    with pytest.raises(ValueError, match=r"two kinds of proposals named tests\.rename"):
        register(ProposalKind(**PARTS))


@WITH
def test_right_that_does_not_exist_is_an_error_of_check(kind: ProposalKind) -> None:
    register(ProposalKind(**PARTS | {"name": "tests.root", "confirm": (SUPERUSER,)}))
    register(ProposalKind(**PARTS | {"name": "tests.wrong", "confirm": ("lending.publish",)}))

    errors = [found for found in run_checks() if found.id == "accounts.E002"]

    assert [found.msg for found in errors] == [
        "Proposals of the kind tests.wrong need lending.publish: no model has such a permission."
    ]


@WITH
def test_setting_is_announced_outside_the_demo(settings: Any) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True
    settings.LOANOFFICE_DEMO = False
    (warning,) = [found for found in run_checks() if found.id == "accounts.W002"]
    assert "LOANOFFICE_SINGLE_ADMIN is set" in warning.msg


@WITH
def test_superuser_right_is_held_by_active_superusers_alone(
    kind: ProposalKind, make_user: Callable[..., User], subject: User, maker: User
) -> None:
    root = make_user("root", is_superuser=True)
    gone = make_user("gone", is_superuser=True)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    grant = register(ProposalKind(**PARTS | {"name": "tests.root", "confirm": (SUPERUSER,)}))
    proposal = propose(grant, maker, subject)

    assert proposals.confirmers_of_proposal(proposal) == [root]
    with pytest.raises(NotPermitted):
        proposals.proposal_confirm(proposal=proposal, user=maker)
    proposals.proposal_confirm(proposal=proposal, user=root)
