"""A run without faults: its rows, and the acknowledgements of its requests."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from devtools.chaos.acknowledgements import (
    AcknowledgedApplication,
    Acknowledgements,
    Reply,
    State,
)
from devtools.chaos.plan import Occasion, PlannedApplication, PlannedDecision, Withdrawal
from devtools.chaos.snapshot import EngineExecution, Snapshot, snapshot_read
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions as review_decisions
from tests import casework
from workflows import executions
from workflows.callbacks import pending
from workflows.models import Execution, OutboxMessage, PendingCallback, SimulatedPayout
from workflows.steps import offer, payout, review

MANAGER, ANALYST = TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW
ACKNOWLEDGED = Reply(State.ACKNOWLEDGED)


@dataclass
class Office:
    """Cases that ended as they should. ``engine`` is what the engine would list."""

    partner: Partner
    people: dict[str, User]
    acknowledgements: Acknowledgements
    engine: list[EngineExecution]

    @property
    def snapshot(self) -> Snapshot:
        return snapshot_read(engine_executions=tuple(self.engine))

    def acknowledged(self, name: str) -> AcknowledgedApplication:
        return self.acknowledgements.applications[name]

    def row(self, name: str) -> LoanApplication:
        return LoanApplication.objects.get(reference=self.acknowledged(name).reference)


def planned(
    name: str, sin_last4: str, amount: int, *decisions: tuple[TaskKind, str, bool], **more: Any
) -> PlannedApplication:
    return PlannedApplication(
        external_id=name,
        sin_last4=sin_last4,
        amount=Decimal(amount),
        decisions=tuple(PlannedDecision(*decision) for decision in decisions),
        withdrawal=more.get("withdrawal"),
    )


PLANNED = (
    planned("alone", "3333", 20_000),
    planned("approved", "1111", 150_000, (MANAGER, "manager", True)),
    planned("declined", "1111", 120_000, (MANAGER, "manager", False)),
    planned("two", "1111", 600_000, (MANAGER, "senior", True), (MANAGER, "senior2", True)),
    planned("flagged", "4444", 40_000, (ANALYST, "analyst", True)),
    planned("withdrawn", "1111", 130_000, withdrawal=Withdrawal(Occasion.WAITING, 0.0)),
)


def open_office(partner: Partner, people: dict[str, User]) -> Office:
    """Carry every planned case to its end, and acknowledge what was done."""
    office = Office(partner, people, Acknowledgements(PLANNED), engine=[])
    for acknowledged in office.acknowledgements.applications.values():
        _carry(office, acknowledged)
    OutboxMessage.objects.update(status=OutboxMessage.Status.SENT, sent_at=timezone.now())
    return office


def submitted(
    office: Office, acknowledged: AcknowledgedApplication, *, partner: Partner | None = None
) -> LoanApplication:
    """One more application of this planned case, by another partner if the first has one."""
    plan = acknowledged.planned
    return casework.submit(
        None,
        partner=partner or office.partner,
        external_id=plan.external_id,
        sin_last4=plan.sin_last4,
        loan_amount=plan.amount,
    )


def _carry(office: Office, acknowledged: AcknowledgedApplication) -> None:
    application = submitted(office, acknowledged)
    acknowledged.reference, acknowledged.submission = application.reference, ACKNOWLEDGED
    run = casework.run_of(application)
    casework.assess(application)
    if acknowledged.planned.withdrawal is not None:
        casework.ask(application)
        intake.application_withdraw(reference=application.reference, partner=office.partner)
        acknowledged.withdrawal = ACKNOWLEDGED
        executions.execution_end(run, status=Execution.Status.STOPPED)
        _ran(office, application, "STOPPED")
        return
    for kind in dict.fromkeys(decision.kind for decision in acknowledged.planned.decisions):
        if kind == ANALYST:
            casework.pass_fraud_check(application, "flagged")
        task = casework.ask(application, kind)
        for decision in [d for d in acknowledged.planned.decisions if d.kind == kind]:
            _decide(office, acknowledged, task, decision)
        pending.callbacks_settle(run)
    if all(decision.approved for decision in acknowledged.planned.decisions):
        _pay(application)
    else:
        review.declined_on_review(run, MANAGER)
    executions.execution_end(run, status=Execution.Status.SUCCEEDED)
    _ran(office, application, "SUCCEEDED")


def _decide(
    office: Office,
    acknowledged: AcknowledgedApplication,
    task: ReviewTask,
    decision: PlannedDecision,
) -> None:
    review_decisions.task_decide(
        task=task,
        user=office.people[decision.person],
        outcome=Outcome.APPROVE if decision.approved else Outcome.DECLINE,
        reason="" if decision.approved else "No.",
    )
    acknowledged.decisions[decision] = ACKNOWLEDGED


def _pay(application: LoanApplication) -> None:
    run = casework.run_of(application)
    if not PendingCallback.objects.filter(execution__name=run.name, flagged_at__isnull=False):
        casework.pass_fraud_check(application)
    pending.callbacks_settle(run)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)
    order = payout.disbursement_request(run)
    assert isinstance(order, payout.PayoutOrder)
    paid = pay(application, key=order.keys[-1])
    payout.disbursement_settle(run, rail_reference=paid.reference)


def pay(application: LoanApplication, *, key: str) -> SimulatedPayout:
    """Record a payment in the rail's own books."""
    return SimulatedPayout.objects.create(
        idempotency_key=key,
        reference=f"PAY-{application.reference}",
        amount=application.loan_amount,
        currency=application.currency,
    )


def _ran(office: Office, application: LoanApplication, status: str) -> None:
    execution = Execution.objects.get(application=application)
    office.engine.append(EngineExecution(execution.name, str(execution.arn), status))


def without(snapshot: Snapshot, field: str, unwanted: Callable[[Any], bool]) -> Snapshot:
    """The same books with lines torn out, which the database would not allow."""
    kept = tuple(line for line in getattr(snapshot, field) if not unwanted(line))
    return Snapshot(**{**snapshot.__dict__, field: kept})


def twice(snapshot: Snapshot, field: str, wanted: Callable[[Any], bool]) -> Snapshot:
    """The same books with lines written twice, which the database would not allow."""
    lines = getattr(snapshot, field)
    return Snapshot(
        **{**snapshot.__dict__, field: (*lines, *(line for line in lines if wanted(line)))}
    )
