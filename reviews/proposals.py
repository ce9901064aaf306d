"""Propose to delegate the tasks of somebody who is away: another superuser confirms it.

Registered by ``apps`` where accounts are installed. No setting lets one person do both.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import (
    SUPERUSER,
    Confirmed,
    Description,
    Outcome,
    Parameters,
    ProposalKind,
    register,
)
from audit.times import moment
from reviews.services import delegation


def delegation_propose(
    *,
    delegator: User,
    delegate: User,
    starts_at: datetime,
    ends_at: datetime,
    user: User,
    note: str = "",
) -> Proposal:
    """Propose to delegate the tasks of ``delegator`` to ``delegate`` for a while.

    Raises ``NotPermitted``, ``ProposedAlready``, ``InvalidDelegation``.
    """
    given = {
        "delegator": delegator.pk,
        "delegate": delegate.pk,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
    }
    delegation.delegation_check(by=user, **_read(given))
    return proposals.proposal_open(kind=DELEGATION, parameters=given, user=user, note=note)


def _read(given: Parameters) -> dict[str, Any]:
    """Return what ``delegation_create`` takes."""
    people = User.objects.in_bulk([given["delegator"], given["delegate"]])
    return {
        "delegator": people[given["delegator"]],
        "delegate": people[given["delegate"]],
        "starts_at": datetime.fromisoformat(given["starts_at"]),
        "ends_at": datetime.fromisoformat(given["ends_at"]),
    }


def _describe(given: Parameters) -> Description:
    read = _read(given)
    delegator, delegate = read["delegator"], read["delegate"]
    return Description(
        title=f"Hand over the tasks of {delegator} to {delegate}",
        sentence=f"{delegate} may decide what waits for {delegator}, as if they were them: up to "
        "their ceiling, and never what either of the two worked on.",
        rows=(
            ("From", "", moment(read["starts_at"])),
            ("Until", "", moment(read["ends_at"])),
        ),
        target=delegator,
    )


def _state(given: Parameters) -> object:
    read = _read(given)
    return delegation.rights_of_both(read["delegator"], read["delegate"])


def _lock(given: Parameters) -> object:
    read = _read(given)
    return delegation.both_locked(read["delegator"], read["delegate"])


def _perform(given: Parameters, confirmed: Confirmed) -> Outcome:
    made = delegation.delegation_create(**_read(given), by=confirmed.confirmer, confirmed=confirmed)
    until = moment(made.ends_at)
    return Outcome(sentence=f"{made.delegate} may decide for {made.delegator} until {until}.")


DELEGATION = register(
    ProposalKind(
        name="reviews.delegate",
        label="Hand over the tasks of somebody else",
        propose=(SUPERUSER,),
        confirm=(SUPERUSER,),
        based_on="A role of one of the two",
        subject=lambda given: f"delegation {given['delegator']} {given['delegate']}",
        check=lambda given: delegation.delegation_check(by=None, **_read(given)),
        describe=_describe,
        state=_state,
        lock=_lock,
        perform=_perform,
        about=lambda given: frozenset({given["delegate"]}),
    )
)
