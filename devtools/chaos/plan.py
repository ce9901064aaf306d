"""Plan a run: applications, decisions, withdrawals and kills, all chosen by the seed.

The seed fixes the applications (who, how much), what people will decide, who withdraws
and on what occasion, and the kills: which process, at which moment of the run, after what
pause. It cannot fix timing: which request is under way when a process dies, how threads
interleave, whether a withdrawal is quicker than a payout. So the same seed gives the same
plan and the same verdict, but not the same order of events second by second.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from accounts.roles import Role, role_by_key
from devtools.chaos.oracle import ExpectedPath, expected_path_of
from devtools.processes import ENGINE, SWEEP, WEB
from loanoffice.demo_logins import ROLES
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS

LONGEST_PAUSE = 0.5  # seconds between the moment of a kill and the kill


class Occasion(StrEnum):
    """The occasion on which a partner withdraws."""

    SUBMITTED = "submitted"  # a moment after the answer to the submission
    WAITING = "waiting"  # while a person is waited for, who then never decides
    DECIDED = "decided"  # a moment after the last decision: a race with the payout


class Moment(StrEnum):
    """The stage of an application that a kill is meant for; each is counted over the run."""

    SUBMITTING = "submitting"  # submissions begun
    WAITING = "waiting"  # reviews opened
    DELIVERING = "delivering"  # decisions begun
    DISBURSING = "disbursing"  # payouts requested


@dataclass(frozen=True)
class PlannedDecision:
    """``keyed``: sent under an ``Idempotency-Key``; the others rely on the decision alone."""

    kind: TaskKind
    person: str  # a login
    approved: bool
    keyed: bool = False


@dataclass(frozen=True)
class Withdrawal:
    occasion: Occasion
    pause: float  # seconds


@dataclass(frozen=True)
class PlannedApplication:
    """``decisions`` are in the order in which people are asked; the last one is the last."""

    external_id: str
    sin_last4: str
    amount: Decimal
    decisions: tuple[PlannedDecision, ...]
    withdrawal: Withdrawal | None

    @property
    def expected_path(self) -> ExpectedPath:
        return expected_path_of(sin_last4=self.sin_last4, amount=self.amount)

    @property
    def ends_funded(self) -> bool:
        """Return true when nothing but a fault can keep it from being funded."""
        undisturbed = self.withdrawal is None and not self.expected_path.declined
        return undisturbed and all(decision.approved for decision in self.decisions)


@dataclass(frozen=True)
class PlannedKill:
    """Kill ``process`` ``pause`` seconds after the ``count``-th time of ``moment``."""

    process: str
    moment: Moment
    count: int
    pause: float


@dataclass(frozen=True)
class Plan:
    applications: tuple[PlannedApplication, ...]
    kills: tuple[PlannedKill, ...]


# SIN, lowest and highest amount in cents. One round of dealing has each of them once.
RECIPES: tuple[tuple[str, int, int], ...] = (
    *[("1111", 500_000, 9_999_999)] * 4,  # no person is asked
    ("1111", 10_000_000, 10_000_000),  # on the threshold
    *[("1111", 10_000_000, 25_000_000)] * 4,  # a manager
    *[("1111", 25_000_001, 49_999_999)] * 2,  # a senior manager
    ("1111", 50_000_000, 50_000_000),  # two of them, on the line
    *[("1111", 50_000_000, 100_000_000)] * 3,
    ("1111", 100_000_001, 150_000_000),  # more than anybody gets
    *[("2222", 500_000, 6_000_000)] * 2,  # declined
    ("3333", 2_500_000, 2_500_000),  # the most that this score gets
    ("3333", 500_000, 2_500_000),
    ("3333", 2_500_001, 6_000_000),  # declined
    *[("4444", 500_000, 9_999_999)] * 2,  # a risk analyst
    ("4444", 10_000_000, 20_000_000),  # a manager, then a risk analyst
    *[("5555", 500_000, 6_000_000)] * 2,  # a bureau is down: a manager
    ("5555", 26_000_000, 40_000_000),  # a bureau is down: a senior manager
)
WITHDRAWN = (True, *[False] * 7)
APPROVED = (True, True, True, False)
KILLED = (*[ENGINE] * 5, *[WEB] * 3, *[SWEEP] * 2)


def plan_make(*, applications: int, kills: int, seed: int) -> Plan:
    """Make the plan of a run. The same arguments give the same plan."""
    rng = random.Random(seed)
    recipes, withdrawn, approved = (
        _dealt(rng, RECIPES),
        _dealt(rng, WITHDRAWN),
        _dealt(rng, APPROVED),
    )
    planned = tuple(
        _application(
            rng,
            external_id=f"chaos-{seed}-{number}",
            recipe=next(recipes),
            approved=approved,
            withdrawn=next(withdrawn),
        )
        for number in range(1, applications + 1)
    )
    return Plan(applications=planned, kills=_kills(rng, planned, kills))


def moments_expected(applications: Sequence[PlannedApplication]) -> dict[Moment, int]:
    """Count how often each moment comes at the least, whoever wins a race."""
    steady = [planned for planned in applications if planned.withdrawal is None]
    return {
        Moment.SUBMITTING: len(applications),
        Moment.WAITING: sum(
            len({decision.kind for decision in planned.decisions}) for planned in steady
        ),
        Moment.DELIVERING: sum(len(planned.decisions) for planned in steady),
        Moment.DISBURSING: sum(planned.ends_funded for planned in applications),
    }


def _dealt[T](rng: random.Random, deck: Sequence[T]) -> Iterator[T]:
    """Repeat a shuffled deck: rare recipes come up in a short run, too."""
    while True:
        yield from rng.sample(deck, len(deck))


def _application(
    rng: random.Random,
    *,
    external_id: str,
    recipe: tuple[str, int, int],
    approved: Iterator[bool],
    withdrawn: bool,
) -> PlannedApplication:
    sin_last4, lowest, highest = recipe
    amount = Decimal(rng.randint(lowest, highest)) / 100
    expected_path = expected_path_of(sin_last4=sin_last4, amount=amount)
    withdrawal = None
    if withdrawn:
        occasions = list(Occasion) if expected_path.asks else [Occasion.SUBMITTED]
        occasion = rng.choice(occasions)
        longest = 4.0 if occasion == Occasion.SUBMITTED else 1.0
        withdrawal = Withdrawal(occasion, pause=rng.uniform(0, longest))
    decisions: tuple[PlannedDecision, ...] = ()
    if withdrawal is None or withdrawal.occasion != Occasion.WAITING:
        decisions = _decisions(rng, expected_path, approved)
    return PlannedApplication(external_id, sin_last4, amount, decisions, withdrawal)


def _decisions(
    rng: random.Random, expected_path: ExpectedPath, approved: Iterator[bool]
) -> tuple[PlannedDecision, ...]:
    planned = []
    for ask in expected_path.asks:
        highest = ask.above_ceiling or ask.approvals > 1
        asked = REVIEW_KINDS[ask.kind].assignees[-1 if highest else 0].role
        for person in rng.sample(logins(role_by_key(asked)), ask.approvals):
            keyed = rng.random() < 0.5
            planned.append(PlannedDecision(ask.kind, person, next(approved), keyed))
            if not planned[-1].approved:
                return tuple(planned)
    return tuple(planned)


def logins(role: Role) -> tuple[str, ...]:
    """Return the logins with a role: the demo's people."""
    return tuple(login for login, has in ROLES.items() if has == role)


SENIORS = logins(Role.SENIOR_MANAGER)


def _kills(
    rng: random.Random, applications: Sequence[PlannedApplication], kills: int
) -> tuple[PlannedKill, ...]:
    """Spread over the moments that come, and within each over its whole length."""
    totals = {moment: total for moment, total in moments_expected(applications).items() if total}
    shares = [list(totals)[number % len(totals)] for number in range(kills)]
    processes = _dealt(rng, KILLED)
    planned = []
    for moment, total in totals.items():
        share = shares.count(moment)
        for number in range(share):
            count = 1 + int((number + rng.random()) * total / share)
            pause = rng.uniform(0, LONGEST_PAUSE)
            planned.append(PlannedKill(next(processes), moment, min(count, total), pause))
    return tuple(planned)
