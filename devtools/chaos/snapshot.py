"""What stands written after a run: the database's rows and the engine's list, as values.

The judge reads these and nothing else, so a test can damage them in ways that the
database's own constraints would not let through.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from applications.models import ApplicationEvent, Disbursement, LoanApplication, LoanOffer
from reviews.models import ReviewDecision, ReviewTask
from workflows import engine
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    SimulatedPayout,
)


@dataclass(frozen=True)
class ApplicationSnapshot:
    reference: str
    external_id: str
    status: str
    amount: Decimal
    currency: str
    waiting_on: str


@dataclass(frozen=True)
class Task:
    pk: int
    reference: str
    kind: str
    status: str
    outcome: str
    approvals_required: int


@dataclass(frozen=True)
class Decision:
    task: int
    reference: str
    kind: str
    person: str
    outcome: str
    late: bool


@dataclass(frozen=True)
class Ledger:
    reference: str
    status: str
    amount: Decimal
    currency: str
    rail_reference: str


@dataclass(frozen=True)
class Payout:
    """A line in the rail's own books; ``order`` is the reference that it was paid for."""

    key: str
    order: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Offer:
    reference: str
    principal: Decimal
    annual_rate: Decimal
    monthly_payment: Decimal


@dataclass(frozen=True)
class Line:
    """A line of the timeline."""

    reference: str
    kind: str


@dataclass(frozen=True)
class Mirror:
    """Our record of an execution."""

    reference: str
    name: str
    arn: str
    status: str
    ended_at: datetime | None


@dataclass(frozen=True)
class Callback:
    pk: int
    reference: str
    name: str
    status: str


@dataclass(frozen=True)
class Message:
    key: str
    kind: str
    reference: str
    execution: str
    callback: int | None
    status: str
    attempts: int
    last_error: str


@dataclass(frozen=True)
class Trouble:
    """An incident."""

    reference: str
    kind: str
    status: str
    sentence: str


@dataclass(frozen=True)
class EngineRun:
    """An execution as the engine lists it."""

    name: str
    arn: str
    status: str


@dataclass(frozen=True)
class Books:
    cases: tuple[ApplicationSnapshot, ...]
    tasks: tuple[Task, ...]
    decisions: tuple[Decision, ...]
    ledger: tuple[Ledger, ...]
    payouts: tuple[Payout, ...]
    offers: tuple[Offer, ...]
    timeline: tuple[Line, ...]
    mirrors: tuple[Mirror, ...]
    callbacks: tuple[Callback, ...]
    messages: tuple[Message, ...]
    troubles: tuple[Trouble, ...]
    engine: tuple[EngineRun, ...]


def engine_read() -> tuple[EngineRun, ...]:
    """Every execution that the engine knows of. Raises ``EngineError``."""
    return tuple(
        EngineRun(name=found.name, arn=found.arn, status=found.status)
        for found in engine.executions()
    )


def books_read(*, runs: tuple[EngineRun, ...]) -> Books:
    """All the rows, with what the engine said of itself."""
    case = "application__reference"
    of_execution = "execution__application__reference"
    return Books(
        cases=_rows(
            ApplicationSnapshot,
            LoanApplication.objects.order_by("pk").values_list(
                "reference", "external_id", "status", "loan_amount", "currency", "waiting_on"
            ),
        ),
        tasks=_rows(
            Task,
            ReviewTask.objects.order_by("pk").values_list(
                "pk", case, "kind", "status", "outcome", "approvals_required"
            ),
        ),
        decisions=_rows(
            Decision,
            ReviewDecision.objects.order_by("pk").values_list(
                "task",
                f"task__{case}",
                "task__kind",
                "decided_by__username",
                "outcome",
                "late",
            ),
        ),
        ledger=_rows(
            Ledger,
            Disbursement.objects.order_by("pk").values_list(
                case, "status", "amount", "currency", "rail_reference"
            ),
        ),
        payouts=tuple(
            Payout(key=key, order=reference.removeprefix("PAY-"), amount=amount, currency=currency)
            for key, reference, amount, currency in SimulatedPayout.objects.order_by(
                "pk"
            ).values_list("idempotency_key", "reference", "amount", "currency")
        ),
        offers=_rows(
            Offer,
            LoanOffer.objects.order_by("pk").values_list(
                case, "principal", "annual_rate", "monthly_payment"
            ),
        ),
        timeline=_rows(Line, ApplicationEvent.objects.order_by("pk").values_list(case, "kind")),
        mirrors=tuple(
            Mirror(reference, name, arn or "", status, ended_at)
            for reference, name, arn, status, ended_at in Execution.objects.order_by(
                "pk"
            ).values_list(case, "name", "arn", "status", "ended_at")
        ),
        callbacks=_rows(
            Callback,
            PendingCallback.objects.order_by("pk").values_list(
                "pk", of_execution, "name", "status"
            ),
        ),
        messages=tuple(
            Message(key, kind, reference or "", name or "", callback, status, attempts, error)
            for (
                key,
                kind,
                reference,
                name,
                callback,
                status,
                attempts,
                error,
            ) in OutboxMessage.objects.order_by("pk").values_list(
                "key",
                "kind",
                of_execution,
                "execution__name",
                "callback",
                "status",
                "attempts",
                "last_error",
            )
        ),
        troubles=_rows(
            Trouble,
            Incident.objects.order_by("pk").values_list(case, "kind", "status", "sentence"),
        ),
        engine=runs,
    )


def _rows[T](kind: type[T], rows: Iterable[tuple[Any, ...]]) -> tuple[T, ...]:
    return tuple(kind(*row) for row in rows)
