"""A kind of proposal of the tests alone: to give somebody another first name."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import Confirmed, Description, Outcome, ProposalKind
from core.errors import NotPermitted
from core.locking import locked

PUBLISH = "lending.publish_lendingpolicy"


def subject_of(given: Mapping[str, Any]) -> User:
    return User.objects.get(pk=given["person"])


def describe(given: Mapping[str, Any]) -> Description:
    person = subject_of(given)
    return Description(
        title=f"Rename {person.username}",
        sentence="Their first name is another from then on.",
        rows=(("First name", person.first_name, given["name"]),),
        target=person,
    )


def rename(given: Mapping[str, Any], confirmed: Confirmed) -> Outcome:
    if given["name"] == "refused":
        raise NotPermitted("Not this name.")
    renamed = User.objects.filter(pk=given["person"]).update(first_name=given["name"])
    assert renamed == 1
    return Outcome(
        sentence=f"They are called {given['name']}.",
        secret="whispered",
        value_name="the word",
    )


PARTS: dict[str, Any] = {
    "name": "tests.rename",
    "label": "Rename somebody",
    "propose": (PUBLISH,),
    "confirm": (PUBLISH,),
    "based_on": "The name in force",
    "subject": lambda given: f"user {given['person']}",
    "describe": describe,
    "state": lambda given: {"name": subject_of(given).first_name},
    "lock": lambda given: list(locked(User.objects.filter(pk=given["person"]))),
    "perform": rename,
}


def propose(
    kind: ProposalKind, user: User | None, subject: User, name: str = "Ada", note: str = ""
) -> Proposal:
    given = {"person": subject.pk, "name": name}
    return proposals.proposal_open(kind=kind, parameters=given, user=user, note=note)
