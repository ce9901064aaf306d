"""Fills a demo or test database with made-up applications, in batches of bounded size.

**Open cases.** A case that is under way is carried by an execution; the reconciler asks the
engine for each and takes one that the engine does not know for lost. So a seeded case is
one of three kinds:

- *closed*, nearly all: its execution has ended, and nothing looks for it any more. Drafts,
  and the few that are in the hands of Operations with their incident, belong here too.
- *open*: submitted a moment ago, with its start in the outbox. The engine of a running demo
  carries it on for real, to the managers' desk and to the payout.
- *standing*: open by its rows alone, with tasks that wait for people, and unknown to any
  engine. Only for a database that no sweep looks at, as a benchmark's: there the reconciler
  would hand every one of them to Operations, and so it is refused where a sweep has been.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from random import Random

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services.intake import ALPHABET
from devtools.seeding.batch import Batch
from devtools.seeding.histories import TargetState, Terms, draw
from devtools.seeding.people import PARTNERS
from devtools.seeding.row_builder import Staff
from lending.services import policy_current, policy_rules
from partners.models import Partner
from reviews.kinds import ROWS
from workflows.models import PeriodicRun

BATCH = 1000
# Who left long ago: their names stand beside what they did; they cannot log in, and nobody
# writes to them. Two senior managers, for the cases that two people approve.
FORMER = {
    Role.LOAN_OFFICER: ("j.arsenault", "m.bhatt", "t.okoye", "s.leduc"),
    Role.MANAGER: ("c.fontaine", "r.kaur", "d.mackay"),
    Role.SENIOR_MANAGER: ("h.lindqvist", "p.desrosiers"),
    Role.RISK_ANALYST: ("n.haddad", "v.ito"),
}


class SweptDatabase(Exception):
    """Cases that only stand there would be taken for lost by the sweep."""


@dataclass(frozen=True)
class Wanted:
    """``closed``, ``open`` and ``standing`` applications, from the last ``days``."""

    closed: int
    open: int = 0
    standing: int = 0
    days: float = 730
    seed: int = 1

    @property
    def total(self) -> int:
        return self.closed + self.open + self.standing


def seed(
    wanted: Wanted, *, now: datetime | None = None, say: Callable[[int], object] = lambda _: None
) -> int:
    """Write them; returns how many rows that took. ``say`` hears the size of each batch.

    The same ``seed`` gives an empty database the same cases. In one that holds some it
    gives others: nothing there is touched. Each batch is a transaction, so what was
    written before an error stays. Raises ``SweptDatabase`` and ``NoPolicy``.
    """
    if not settings.LOANOFFICE_DEMO:
        raise ImproperlyConfigured("Made-up applications are written with demo settings only.")
    if wanted.standing and PeriodicRun.objects.filter(name="reconcile").exists():
        raise SweptDatabase(
            "A sweep has been at work on this database: its next one would hand every standing "
            "case to Operations. Ask for open cases, which the engine carries, or use a "
            "database of its own."
        )
    policy = policy_current()
    terms = Terms(
        now=now or timezone.now(),
        days=wanted.days,
        rules=policy_rules(policy),
        waits={row.kind: getattr(policy, row.wait) for row in ROWS},
    )
    staff = _staff()
    last = LoanApplication.objects.order_by("pk").values_list("pk", flat=True).last() or 0
    random = Random(f"{wanted.seed}/{last}")
    rows = 0
    for batch in batched(_fates(wanted), BATCH):
        writing = Batch(random=random, terms=terms, staff=staff, policy=policy)
        references = _references(random, len(batch))
        for (number, fate), reference in zip(batch, references, strict=True):
            writing.add(draw(random, terms, number=last + number, fate=fate), reference)
        rows += writing.write()
        say(len(batch))
    return rows


def _fates(wanted: Wanted) -> Iterator[tuple[int, TargetState]]:
    """A number and a kind for each, the open ones last, as they are the newest."""
    counted = [
        (TargetState.CLOSED, wanted.closed),
        (TargetState.STANDING, wanted.standing),
        (TargetState.SUBMITTED, wanted.open),
    ]
    number = 0
    for fate, count in counted:
        for _ in range(count):
            number += 1
            yield number, fate


def _references(random: Random, count: int) -> list[str]:
    """References that no application has, repeatable as the services' own are not."""
    found: dict[str, None] = {}
    while len(found) < count:
        drawn = ["LOAN-" + "".join(random.choices(ALPHABET, k=8)) for _ in range(count)]
        taken = LoanApplication.objects.filter(reference__in=drawn)
        known = set(taken.values_list("reference", flat=True))
        found |= dict.fromkeys(reference for reference in drawn if reference not in known)
    return list(found)[:count]


@transaction.atomic
def _staff() -> Staff:
    """The former members of staff and the partners, made once."""
    keys: dict[Role, list[int]] = {}
    for role, names in FORMER.items():
        keys[role] = []
        for username in names:
            user, new = User.objects.get_or_create(
                username=username, defaults={"is_active": False, "is_staff": True}
            )
            if new:
                user.set_unusable_password()
                user.save(update_fields=["password"])
                user.groups.add(Group.objects.get(name=role.value))
            keys[role].append(user.pk)
    return Staff(
        by_role=keys,
        partners=[Partner.objects.get_or_create(name=name)[0].pk for name in PARTNERS],
    )
