"""Run loans on one engine after another, in turns, and compare what they take.

A contender takes loans until each waits for a manager, then answers all and waits for their end.
Turns (A B A B) share what else the machine does at the time; the figures are medians of the turns.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from benchmarks.support.processes import NOTES, Database, cpu_seconds, wait_until

CLIENTS = 4


class Contender(Protocol):
    """One way of running a loan."""

    name: str
    processes: Sequence[int]  # beside this one and the database's

    def submit(self, number: int) -> None:
        """Start the loan of this number."""

    def pending(self, numbers: range) -> dict[int, float]:
        """Return since when each of these loans waits for a manager, in seconds of the epoch."""

    def answer(self, number: int) -> None:
        """Approve as a manager."""

    def ended(self, numbers: range) -> dict[int, float]:
        """Return when each of these loans ended."""


@dataclass
class Turn:
    """Time and CPU of one turn of a contender, for all its loans together."""

    loans: int
    to_pending: float  # seconds
    to_end: float
    waited: list[float]  # seconds of each loan from its submission until it waits
    answered: list[float]  # seconds of each loan from its answer to its end
    cpu: float  # seconds, of all processes


class Product:
    """The office: its services and its engine."""

    name = "product"

    def __init__(self, engine: int) -> None:
        from django.contrib.auth.models import User

        self.processes = (engine,)
        self.officer = User.objects.get(username="officer")
        self.manager = User.objects.get(username="manager")
        self.numbers: dict[int, int] = {}  # by the application's primary key
        self.keys: dict[int, int] = {}

    def submit(self, number: int) -> None:
        """Create and submit an application that is referred to a manager."""
        from applications.services import intake

        application = intake.application_create_and_submit(
            user=self.officer,
            applicant_name=f"Applicant {number}",
            sin_last4="1111",
            loan_amount=Decimal("150000.00"),
            annual_income=Decimal("85000.00"),
        )
        self.numbers[application.pk], self.keys[number] = number, application.pk

    def pending(self, numbers: range) -> dict[int, float]:
        """Return the times at which the tasks were opened."""
        from reviews.models import ReviewTask

        keys = [self.keys[number] for number in numbers]
        tasks = ReviewTask.objects.filter(application__in=keys)
        rows = tasks.values_list("application", "opened_at")
        return {self.numbers[pk]: at.timestamp() for pk, at in rows}

    def answer(self, number: int) -> None:
        """Decide the task."""
        from lending.choices import Outcome
        from reviews.models import ReviewTask
        from reviews.services import decisions

        tasks = ReviewTask.objects.select_related("application")
        task = tasks.get(application=self.keys[number])
        decisions.task_decide(task=task, user=self.manager, outcome=Outcome.APPROVE)

    def ended(self, numbers: range) -> dict[int, float]:
        """Return the times at which the applications were funded."""
        from applications.models import LoanApplication

        keys = [self.keys[number] for number in numbers]
        rows = LoanApplication.objects.filter(pk__in=keys, status="funded")
        closed = rows.values_list("pk", "closed_at")
        return {self.numbers[pk]: at.timestamp() for pk, at in closed}


class Bare:
    """The same engine with the same operations and nothing in their steps."""

    name = "bare engine"

    def __init__(self, engine: int) -> None:
        self.processes = (engine,)
        self.callbacks: dict[int, str] = {}

    def submit(self, number: int) -> None:
        """Start an execution."""
        from workflows import engine

        engine.start(function="bare-loan:live", name=f"bare-{number}", payload={"number": number})

    def _noted(self, kind: str, numbers: range) -> dict[int, float]:
        path, found = Path(os.environ[NOTES]), {}
        for line in path.read_text().splitlines() if path.exists() else []:
            what, number, at, callback = line.split()
            if what == kind and int(number) in numbers:
                found[int(number)] = float(at)
                self.callbacks.setdefault(int(number), callback)
        return found

    def pending(self, numbers: range) -> dict[int, float]:
        """Return the times at which the handlers had a callback."""
        return self._noted("pending", numbers)

    def answer(self, number: int) -> None:
        """Answer the callback."""
        from workflows import engine

        engine.callback_success(callback_id=self.callbacks[number], result={"outcome": "approve"})

    def ended(self, numbers: range) -> dict[int, float]:
        """Return the times of the last steps."""
        return self._noted("ended", numbers)


def spread(call: Callable[[int], None], numbers: range) -> dict[int, float]:
    """Call once for each number, on a few threads; return when each call began."""
    began: dict[int, float] = {}

    def some(mine: range) -> None:
        from django.db import connection

        for number in mine:
            began[number] = time.time()
            call(number)
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(some, [numbers[first::CLIENTS] for first in range(CLIENTS)]))
    return began


def take_turn(contender: Contender, numbers: range, database: Database) -> Turn:
    """Run these loans to their end."""

    def cpu() -> float:
        return time.process_time() + database.cpu() + sum(map(cpu_seconds, contender.processes))

    def times(of: Callable[[range], dict[int, float]], what: str) -> dict[int, float]:
        # Seldom, for it costs CPU of the same machine; the times come from what is noted.
        asked = f"{len(numbers)} of {contender.name} to {what}"
        wait_until(asked, lambda: len(of(numbers)) == len(numbers), every=0.3)
        return of(numbers)

    spent = cpu()
    began = spread(contender.submit, numbers)
    pending = times(contender.pending, "wait")
    answered = spread(contender.answer, numbers)
    ended = times(contender.ended, "end")
    return Turn(
        loans=len(numbers),
        to_pending=max(pending.values()) - min(began.values()),
        to_end=max(ended.values()) - min(answered.values()),
        waited=[pending[n] - began[n] for n in numbers],
        answered=[ended[n] - answered[n] for n in numbers],
        cpu=cpu() - spent,
    )


@dataclass
class Comparison:
    """The turns of some contenders on one database."""

    database: Database
    turns: dict[str, list[Turn]] = field(default_factory=dict)

    def run(self, contenders: Sequence[Contender], *, loans: int, rounds: int) -> None:
        """Take turns, after one of a few loans that warms each contender up."""
        number = 0
        for turn in range(rounds + 1):
            count = loans if turn else min(loans, 10)
            for contender in contenders:
                took = take_turn(contender, range(number, number + count), self.database)
                if turn:
                    self.turns.setdefault(contender.name, []).append(took)
                number += count

    def median(self, name: str, of: Callable[[Turn], float]) -> float:
        """Return the median of a figure of a contender's turns."""
        return statistics.median(map(of, self.turns[name]))

    def figures(self) -> dict[str, float]:
        """Return what each took: loans a second, seconds, and milliseconds of CPU for a loan."""
        found = {}
        for name in self.turns:
            found |= {
                f"{name}: to pending, loans/s": self.median(name, lambda t: t.loans / t.to_pending),
                f"{name}: to the end, loans/s": self.median(name, lambda t: t.loans / t.to_end),
                f"{name}: in all, loans/s": self.median(
                    name, lambda t: t.loans / (t.to_pending + t.to_end)
                ),
                f"{name}: p50 to pending, s": self.median(
                    name, lambda t: statistics.median(t.waited)
                ),
                f"{name}: p50 to the end, s": self.median(
                    name, lambda t: statistics.median(t.answered)
                ),
                f"{name}: CPU, ms a loan": self.median(name, lambda t: t.cpu / t.loans * 1000),
            }
        return found

    def ratio(self, one: str, other: str, of: Callable[[Turn], float]) -> float:
        """Return the median of the ratios of turns that followed each other."""
        pairs = zip(self.turns[one], self.turns[other], strict=True)
        return statistics.median(of(a) / of(b) for a, b in pairs)


def show(figures: dict[str, float]) -> None:
    """Print a line for each figure."""
    for name, value in figures.items():
        print(f"{name:44} {value:10.2f}", flush=True)
