"""Fill a demo or test database with made-up applications, in batches of bounded size.

**Open applications.** An application that is not final has an execution; reconcile asks the
engine for each and takes one that the engine does not know for lost. So a seeded application
is one of three kinds:

- *closed*, nearly all: its execution has ended, and nothing reads it any more. Drafts, and
  the few that need attention, with their incident, belong here too.
- *open*: submitted a moment ago, with its start in the outbox. The engine of a running demo
  runs its workflow for real, to the managers' list and to the payout.
- *standing*: open by its rows alone, with tasks that wait for people, and unknown to any
  engine. Only for a database that no sweep works on, as a benchmark's: there reconcile
  would hand every one of them to Operations, and so it is refused where a sweep has run.
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
from applications.references import PREFIX
from applications.services.intake import ALPHABET
from devtools.seeding.batch import Batch
from devtools.seeding.bulk_insert import many_writes
from devtools.seeding.histories import TargetState, Terms, history_draw
from devtools.seeding.people import PARTNERS
from devtools.seeding.row_builder import Staff
from lending.services import policy_ceilings, policy_current, policy_rules
from partners.models import Partner
from reviews.kinds import ROWS
from workflows.models import PeriodicRun

BATCH = 1000
# Inactive users, named as the authors of old decisions; they cannot log in and get no
# e-mail. Two senior managers, for the applications that two people approve.
FORMER_STAFF = {
    Role.LOAN_OFFICER: ("j.arsenault", "m.bhatt", "t.okoye", "s.leduc"),
    Role.MANAGER: ("c.fontaine", "r.kaur", "d.mackay"),
    Role.SENIOR_MANAGER: ("h.lindqvist", "p.desrosiers"),
    Role.RISK_ANALYST: ("n.haddad", "v.ito"),
}


class SweptDatabase(Exception):
    """Standing applications would be handed to Operations by the sweep."""


@dataclass(frozen=True)
class SeedRequest:
    """Numbers of ``closed``, ``open`` and ``standing`` applications, from the last ``days``."""

    closed: int
    open: int = 0
    standing: int = 0
    days: float = 730
    seed: int = 1

    @property
    def total(self) -> int:
        return self.closed + self.open + self.standing


def seed(
    request: SeedRequest,
    *,
    now: datetime | None = None,
    on_batch: Callable[[int], object] = lambda _: None,
) -> int:
    """Write the applications; return the number of rows. ``on_batch`` gets each batch's size.

    The same ``seed`` gives an empty database the same applications. In one that holds some it
    gives others: nothing there is changed. Each batch is a transaction, so what was
    written before an error stays. Raises ``SweptDatabase`` and ``NoPolicy``.
    """
    if not settings.LOANOFFICE_DEMO:
        raise ImproperlyConfigured("Made-up applications are written with demo settings only.")
    if request.standing and PeriodicRun.objects.filter(name="reconcile").exists():
        raise SweptDatabase(
            "A sweep has been at work on this database: its next one would hand every standing "
            "application to Operations. Ask for open ones, which the engine runs, or use a "
            "database of its own."
        )
    policy = policy_current()
    terms = Terms(
        now=now or timezone.now(),
        days=request.days,
        rules=policy_rules(policy),
        ceilings=policy_ceilings(policy),
        waits={row.kind: getattr(policy, row.wait) for row in ROWS},
    )
    staff = _staff()
    last = LoanApplication.objects.order_by("pk").values_list("pk", flat=True).last() or 0
    random = Random(f"{request.seed}/{last}")
    rows = 0
    with many_writes():
        for batch in batched(_targets(request), BATCH):
            writing = Batch(random=random, terms=terms, staff=staff, policy=policy)
            references = _references(random, len(batch))
            for (number, target), reference in zip(batch, references, strict=True):
                history = history_draw(random, terms, number=last + number, target=target)
                writing.add(history, reference)
            rows += writing.write()
            on_batch(len(batch))
    return rows


def _targets(request: SeedRequest) -> Iterator[tuple[int, TargetState]]:
    """A number and a target for each, the open ones last, as they are the newest."""
    counted = [
        (TargetState.CLOSED, request.closed),
        (TargetState.STANDING, request.standing),
        (TargetState.SUBMITTED, request.open),
    ]
    number = 0
    for target, count in counted:
        for _ in range(count):
            number += 1
            yield number, target


def _references(random: Random, count: int) -> list[str]:
    """References that no application has, reproducible unlike those of the services."""
    found: dict[str, None] = {}
    while len(found) < count:
        drawn = [PREFIX + "".join(random.choices(ALPHABET, k=8)) for _ in range(count)]
        taken = LoanApplication.objects.filter(reference__in=drawn)
        known = set(taken.values_list("reference", flat=True))
        found |= dict.fromkeys(reference for reference in drawn if reference not in known)
    return list(found)[:count]


@transaction.atomic
def _staff() -> Staff:
    """The former members of staff and the partners, created once."""
    keys: dict[Role, list[int]] = {}
    for role, names in FORMER_STAFF.items():
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
