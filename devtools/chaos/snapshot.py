"""Read the database's rows and the engine's list after a run, as values.

The invariants are checked on these and nothing else, so a test can damage them in ways that
the database's own constraints would not allow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from applications.models import ApplicationEvent, Disbursement, LoanApplication, LoanOffer
from reviews.models import ReviewDecision, ReviewTask
from workflows import engine
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, SimulatedPayout


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
    """A payout as the rail recorded it; ``order`` is the reference that it was paid for."""

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
class TimelineEntry:
    """A timeline entry."""

    reference: str
    kind: str


@dataclass(frozen=True)
class ExecutionRecord:
    """The record of an execution."""

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
    answer: str  # a person's outcome or the fraud check's verdict; empty: none on record
    flagged: bool  # the fraud check flagged the application here, whenever
    flag_review: int | None  # the task that looks at the flag


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
class IncidentRecord:
    """An incident."""

    reference: str
    kind: str
    status: str
    sentence: str


@dataclass(frozen=True)
class EngineExecution:
    """An execution as the engine lists it."""

    name: str
    arn: str
    status: str


@dataclass(frozen=True)
class Snapshot:
    applications: tuple[ApplicationSnapshot, ...]
    tasks: tuple[Task, ...]
    decisions: tuple[Decision, ...]
    ledger: tuple[Ledger, ...]
    payouts: tuple[Payout, ...]
    offers: tuple[Offer, ...]
    timeline: tuple[TimelineEntry, ...]
    executions: tuple[ExecutionRecord, ...]
    callbacks: tuple[Callback, ...]
    messages: tuple[Message, ...]
    incidents: tuple[IncidentRecord, ...]
    engine: tuple[EngineExecution, ...]


def engine_executions_read() -> tuple[EngineExecution, ...]:
    """Read every execution that the engine knows of. Raises ``EngineError``."""
    return tuple(
        EngineExecution(name=found.name, arn=found.arn, status=found.status)
        for found in engine.executions()
    )


def snapshot_read(
    *, engine_executions: tuple[EngineExecution, ...], payouts: Iterable[Payout] | None = None
) -> Snapshot:
    """Read all the rows, and add the engine's list, and the book of a rail outside."""
    of_application = "application__reference"
    of_execution = "execution__application__reference"
    return Snapshot(
        applications=_rows(
            ApplicationSnapshot,
            LoanApplication.objects.order_by("pk").values_list(
                "reference", "external_id", "status", "loan_amount", "currency", "waiting_on"
            ),
        ),
        tasks=_rows(
            Task,
            ReviewTask.objects.order_by("pk").values_list(
                "pk", of_application, "kind", "status", "outcome", "approvals_required"
            ),
        ),
        decisions=_rows(
            Decision,
            ReviewDecision.objects.order_by("pk").values_list(
                "task",
                f"task__{of_application}",
                "task__kind",
                "decided_by__username",
                "outcome",
                "late",
            ),
        ),
        ledger=_rows(
            Ledger,
            Disbursement.objects.order_by("pk").values_list(
                of_application, "status", "amount", "currency", "rail_reference"
            ),
        ),
        payouts=simulated_payouts() if payouts is None else tuple(payouts),
        offers=_rows(
            Offer,
            LoanOffer.objects.order_by("pk").values_list(
                of_application, "principal", "annual_rate", "monthly_payment"
            ),
        ),
        timeline=_rows(
            TimelineEntry,
            ApplicationEvent.objects.order_by("pk").values_list(of_application, "kind"),
        ),
        executions=tuple(
            ExecutionRecord(reference, name, arn or "", status, ended_at)
            for reference, name, arn, status, ended_at in Execution.objects.order_by(
                "pk"
            ).values_list(of_application, "name", "arn", "status", "ended_at")
        ),
        callbacks=tuple(
            Callback(
                pk=row.pk,
                reference=row.execution.application.reference,
                name=row.name,
                status=row.status,
                answer=_said(row.answer or {}),
                flagged=row.flagged_at is not None,
                flag_review=row.flag_review_id,
            )
            for row in PendingCallback.objects.select_related("execution__application").order_by(
                "pk"
            )
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
        incidents=_rows(
            IncidentRecord,
            Incident.objects.order_by("pk").values_list(
                of_application, "kind", "status", "sentence"
            ),
        ),
        engine=engine_executions,
    )


def simulated_payouts() -> tuple[Payout, ...]:
    """Read the book of the simulated rail."""
    return tuple(
        Payout(key=key, order=reference.removeprefix("PAY-"), amount=amount, currency=currency)
        for key, reference, amount, currency in SimulatedPayout.objects.order_by("pk").values_list(
            "idempotency_key", "reference", "amount", "currency"
        )
    )


def _said(answer: dict[str, Any]) -> str:
    return str(answer.get("outcome") or answer.get("result") or "")


def _rows[T](kind: type[T], rows: Iterable[tuple[Any, ...]]) -> tuple[T, ...]:
    return tuple(kind(*row) for row in rows)
