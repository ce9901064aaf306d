"""Change a person's access: one superuser takes, two give what decides or administers.

What waits for the second superuser is a proposal of the kind ``KIND``. An office of one person,
which ``LOANOFFICE_SINGLE_ADMIN`` declares, gives it at once, and the entry says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from accounts.errors import AccessChangedMeanwhile
from accounts.proposal_kinds import SUPERUSER, Confirmed, Description, Outcome, ProposalKind
from accounts.proposals import SINGLE_ADMIN, is_single_admin, proposal_open
from accounts.services.access import (
    Access,
    access_check,
    access_of,
    access_write,
    describe,
    fingerprint,
    needs_second,
    single_part,
)
from core.locking import locked


@dataclass(frozen=True)
class AccessChange:
    """The result of a change: access before, access now, and what was wanted."""

    user: User
    before: Access
    now: Access
    wanted: Access

    @property
    def sentence(self) -> str:
        name = self.user.get_full_name() or self.user.get_username()
        done = describe(before=self.before, after=self.now)
        waits = describe(before=self.now, after=self.wanted)
        parts = [f"{name} {done}."] if done else []
        parts += [f"Another superuser has to confirm that {name} {waits}."] if waits else []
        return " ".join(parts) or "Nothing was changed."


@transaction.atomic
def access_change(*, user: User, by: User, wanted: Access, read: str) -> AccessChange:
    """Change a person's access as far as one superuser may, and propose the rest.

    ``read`` is the fingerprint of what ``by`` saw before. Raises ``OnlySuperusers``,
    ``AccessChangedMeanwhile``, ``LastSuperuser``, and ``ProposedAlready`` while something else
    about the person waits.
    """
    people = _locked(user.pk, by.pk)
    access_check(by=people[by.pk])
    person = people[user.pk]
    before = access_of(person)
    if fingerprint(before) != read:
        raise AccessChangedMeanwhile(username=person.get_username())
    alone, details = wanted, {}
    if needs_second(before=before, wanted=wanted):
        if is_single_admin():
            details = {"alone": SINGLE_ADMIN}
        else:
            alone = single_part(before=before, wanted=wanted)
    if alone != before:
        access_write(person=person, before=before, after=alone, by=people[by.pk], details=details)
    if alone != wanted:
        gains = {
            "user": person.pk,
            "groups": sorted(wanted.groups - alone.groups),
            "is_superuser": wanted.is_superuser and not alone.is_superuser,
            "is_active": wanted.is_active and not alone.is_active,
        }
        proposal_open(kind=KIND, parameters=gains, user=people[by.pk])
    return AccessChange(user=person, before=before, now=alone, wanted=wanted)


# --- What the proposals of this kind are and do -------------------------------------------


def _locked(*keys: int) -> dict[int, User]:
    """Lock people and every superuser, so that two do not make each other powerless."""
    rows = User.objects.filter(pk__in=keys) | User.objects.filter(is_superuser=True)
    return {person.pk: person for person in locked(rows)}


def _person(given: Mapping[str, Any]) -> User:
    return User.objects.get(pk=given["user"])


def _after(given: Mapping[str, Any], before: Access) -> Access:
    return replace(
        before,
        groups=before.groups | set(given["groups"]),
        is_superuser=before.is_superuser or given["is_superuser"],
        is_active=before.is_active or given["is_active"],
    )


def _describe(given: Mapping[str, Any]) -> Description:
    person = _person(given)
    before = access_of(person)
    after = _after(given, before)
    said = describe(before=before, after=after)
    pairs = {
        "Roles": (", ".join(sorted(before.groups)), ", ".join(sorted(after.groups))),
        "Superuser": tuple("yes" if one.is_superuser else "no" for one in (before, after)),
        "Active": tuple("yes" if one.is_active else "no" for one in (before, after)),
    }
    return Description(
        title=f"{person} {said}",
        sentence=f"From the confirmation on {person} {said}.",
        rows=tuple((label, old, new) for label, (old, new) in pairs.items() if old != new),
        target=person,
    )


def _perform(given: Mapping[str, Any], confirmed: Confirmed) -> Outcome:
    person = _person(given)
    before = access_of(person)
    after = _after(given, before)
    access_write(
        person=person,
        before=before,
        after=after,
        by=confirmed.confirmer,
        details=confirmed.details,
    )
    return Outcome(sentence=f"{person} {describe(before=before, after=after)}.")


KIND = ProposalKind(
    name="accounts.grant_roles",
    label="Role grant",
    propose=(SUPERUSER,),
    confirm=(SUPERUSER,),
    based_on="The person's access",
    subject=lambda given: f"user/{given['user']}",
    describe=_describe,
    state=lambda given: fingerprint(access_of(_person(given))),
    lock=lambda given: _locked(given["user"]),
    perform=_perform,
    about=lambda given: frozenset({given["user"]}),
    may_confirm_alone=True,
)
