"""Tell who could give the approval after the first one, of a task that takes several.

By the check of every decision (``deciders.standing``), as it would be after the first approval.
Somebody who delegated their tasks counts as away: who decides for them counts in their place.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User

from accounts.roles import APPROVERS
from lending.choices import Outcome
from reviews.models import ReviewDecision
from reviews.services.authority import Facts
from reviews.services.deciders import Decider, Member, standing


class SecondApproval(NamedTuple):
    """The people who could give the next approval after the first.

    ``away`` could too, and delegated their tasks. ``senior`` hold the highest role, whether or not
    they could give it. ``first_given`` tells whether there is an approval already.
    """

    people: tuple[User, ...]
    away: tuple[User, ...]
    senior: tuple[User, ...]
    first_given: bool

    @property
    def is_scarce(self) -> bool:
        """True if the second approval depends on one person, or on nobody."""
        return len(self.people) <= 1

    @property
    def is_impossible(self) -> bool:
        return not self.people and not self.away

    def sentence(self, reader: User) -> str:
        """Say to one person whom the second approval depends on."""
        if self.is_impossible:
            return (
                "Nobody can give the second approval. A superuser gives somebody the role for it, "
                "or hands over the tasks of somebody who is away."
            )
        away = " and ".join(name_of(each) for each in self.away)
        if not self.people:
            return f"Only {away} could give the second approval, and delegated their tasks."
        also = f" {away} could too, and delegated their tasks." if away else ""
        (person,) = self.people
        if self.first_given:
            who = "Nobody else" if person == reader else f"Only {name_of(person)}"
            return f"{who} can give the second approval now.{also}"
        if person == reader:
            return f"Only you could give the second approval: leave the first to others.{also}"
        return f"Only {name_of(person)} could give the second approval, after somebody else.{also}"


def name_of(person: User) -> str:
    """Return the full name of a person, or their login where none is known."""
    return person.get_full_name() or person.get_username()


def second_approval(
    facts: Facts, *, now: datetime, office: Iterable[Member]
) -> SecondApproval | None:
    """Return who could give the second approval of an open task; ``None`` if it takes no other."""
    required = facts.task.approvals_required
    if required < 2 or len(facts.given) >= required:
        return None
    members = list(office)
    delegators = {right.person.pk for member in members for right in member.delegated}
    people: dict[int, User] = {}
    away: dict[int, User] = {}
    for each in _after_the_first(facts, now, members):
        found = away if each.person.pk in delegators else people
        found[each.person.pk] = each.person
        if len(people) > 1:  # enough to know, however many there are
            break
    highest = APPROVERS[-1].authority_permission
    return SecondApproval(
        people=tuple(people.values()),
        away=tuple(away.values()),
        senior=tuple(each.own.person for each in members if each.own.may(highest)),
        first_given=bool(facts.given),
    )


def _after_the_first(facts: Facts, now: datetime, office: list[Member]) -> Iterator[Decider]:
    """Yield who could decide after the first approval, whoever gives that."""
    deciders = standing(facts, now=now, office=office).deciders
    if facts.given:
        yield from deciders
        return
    for first in deciders:
        approval = ReviewDecision(
            task=facts.task,
            decided_by=first.person,
            on_behalf_of=None if first.right.person == first.person else first.right.person,
            outcome=Outcome.APPROVE,
            application_version=facts.application.version,
        )
        yield from standing(facts.including(approval), now=now, office=office).deciders
