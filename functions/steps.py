"""The bodies of the durable steps: ask a provider, then write, in one transaction.

Each may run again after a crash, so each is idempotent by run and operation. Nothing
here knows the SDK; nothing here holds a transaction while a provider is asked. Bodies
take and return small values: what a step returns is kept by the engine.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from applications.choices import Bureau, FraudVerdict, Status, Step
from applications.models import Disbursement, LoanApplication
from applications.services import funding
from applications.services.attempts import Attempt
from applications.services.funding import PayoutOrder
from core.errors import DomainError
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS, Trigger
from workflows import engine, executions, handover
from workflows.callbacks import pending
from workflows.db_threads import run_in_db_thread
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.models import Incident, PendingCallback
from workflows.providers import registry
from workflows.providers.interfaces import PayoutRail, Subject
from workflows.providers.simulated import simulate_latency
from workflows.steps import records
from workflows.steps.records import Assessed, Validated

logger = logging.getLogger(__name__)

STEP_SECONDS = 2.0  # so that a person can watch; times the simulated latency


@dataclass(frozen=True)
class BureauAnswered:
    bureau: str
    score: int


@dataclass(frozen=True)
class Answered:
    """What the fraud check found, taken from the record."""

    result: str


@dataclass(frozen=True)
class Closed:
    """How a run ended: the application's final status."""

    status: str


def validate(run: Attempt, *, arn: str) -> Validated:
    """Validate, pin the policy, and note that the execution runs."""

    def begin() -> None:
        executions.execution_running(run, arn=arn)
        records.step_begin(run, Step.VALIDATING)

    run_in_db_thread(begin)
    simulate_latency(STEP_SECONDS)

    @transaction.atomic
    def write() -> Validated:
        validated = records.validation_record(run)
        if not validated.valid:
            _finish(run, Status.DECLINED)
        return validated

    return run_in_db_thread(write)


def pull_report(run: Attempt, bureau: Bureau) -> BureauAnswered:
    """Ask one bureau and keep its answer. Raises ``ProviderError`` while it is down."""
    subject = run_in_db_thread(lambda: _subject(run))
    found = registry.bureau(bureau).pull(subject)
    run_in_db_thread(
        lambda: records.credit_report_record(
            run, bureau=bureau, report=found.report, bureau_reference=found.bureau_reference
        )
    )
    return BureauAnswered(bureau=bureau.value, score=found.report.score)


def assess_risk(run: Attempt) -> Assessed:
    """Apply the policy to the reports that came."""
    run_in_db_thread(lambda: records.step_begin(run, Step.RISK_ASSESSMENT))
    simulate_latency(STEP_SECONDS)

    @transaction.atomic
    def write() -> Assessed:
        assessed = records.risk_record(run)
        if assessed.outcome == "decline":
            _finish(run, Status.DECLINED)
        return assessed

    return run_in_db_thread(write)


def open_review(run: Attempt, kind: TaskKind, *, callback_id: str, after: TaskKind | None) -> None:
    """Ask a person, and expect the answer under this callback.

    ``after`` is who was asked just before, whose answer has been delivered.
    """

    @transaction.atomic
    def write() -> None:
        if after is not None or REVIEW_KINDS[kind].trigger is Trigger.FLAGGED:
            pending.callbacks_settle(run)
        task = records.review_open(run, kind)
        if task is not None:
            pending.callback_open(
                run,
                name=kind.value,
                callback_id=callback_id,
                expires_at=task.expires_at + settings.LOANOFFICE_DELIVERY_GRACE,
                review_task=task,
            )

    run_in_db_thread(write)


def request_fraud_check(
    run: Attempt, *, callback_id: str, number: int, timeout: int, after: TaskKind | None
) -> Answered | None:
    """Commit the row that expects the answer, then hand the callback to the fraud check.

    Nobody is asked again when the last try's answer is on record and merely did not reach the
    engine in time: then it is returned, for a flag must not get lost on the way.
    """
    until = timezone.now() + timedelta(seconds=timeout)
    name = f"fraud_check-{number}"

    @transaction.atomic
    def write() -> Answered | bool:
        if after is not None:
            pending.callbacks_settle(run)
        if number > 1 and not records.fraud_check_asked(run, number=number):
            answer = pending.callback_consume(run, f"fraud_check-{number - 1}")
            if answer is not None:
                return Answered(result=str(answer["result"]))
        if records.fraud_check_open(run, number=number, until=until):
            pending.callback_open(run, name=name, callback_id=callback_id, expires_at=until)
            return True
        return PendingCallback.objects.filter(
            execution__name=run.name, name=name, status=PendingCallback.Status.OPEN
        ).exists()

    written = run_in_db_thread(write)
    if isinstance(written, Answered):
        return written
    if written:
        engine.invoke_event(
            function=settings.FRAUD_CHECK_FUNCTION,
            payload={"application": run.reference, "callback_id": callback_id},
        )
    return None


def generate_offer(run: Attempt, *, verdict: FraudVerdict) -> str:
    """Note what the fraud check found, then make the offer; returns its public id."""

    @transaction.atomic
    def begin() -> None:
        pending.callbacks_settle(run)
        records.offer_begin(run, verdict=verdict)

    run_in_db_thread(begin)
    simulate_latency(STEP_SECONDS)
    return run_in_db_thread(lambda: funding.offer_make(run))


def disburse(run: Attempt) -> Closed:
    """Pay once: ledger, then the rail under the application's key, then the books.

    A rerun asks the rail what it knows before it pays again. Raises ``ProviderError``
    while the rail cannot be asked, ``PayoutRefused`` and ``PayoutUnknown`` for a person.
    """

    @transaction.atomic
    def request() -> PayoutOrder:
        pending.callbacks_settle(run)
        return funding.disbursement_request(run)

    order = run_in_db_thread(request)
    if order.status != Disbursement.Status.PAID:
        _pay(run, order)
    return Closed(status=Status.FUNDED.value)


def decline(run: Attempt, kind: TaskKind) -> Closed:
    """End a case that a person declined."""

    @transaction.atomic
    def write() -> Closed:
        pending.callbacks_settle(run)
        records.declined_on_review(run, kind)
        return _finish(run, Status.DECLINED)

    return run_in_db_thread(write)


def expire(run: Attempt, kind: TaskKind, *, timed_out: bool) -> Closed:
    """End a case that nobody decided in time. A decision that came too late is kept as such.

    ``timed_out``: the engine stopped waiting by itself; else the sweep told it to.
    """

    @transaction.atomic
    def write() -> Closed:
        if timed_out:
            pending.callback_expire(run, kind.value)
        else:
            pending.callbacks_settle(run)
        if records.expired(run, kind):
            return _finish(run, Status.EXPIRED)
        # The incident is open already: the decision is kept as late.
        return _stuck(
            run,
            kind=None,
            sentence=(
                f"{kind.label} was decided, but the decision did not reach the workflow before "
                "it stopped waiting. Restart the case to decide again."
            ),
        )

    return run_in_db_thread(write)


def give_up(run: Attempt, *, kind: Incident.Kind, sentence: str) -> Closed:
    """Hand the case to Operations, saying why."""

    @transaction.atomic
    def write() -> Closed:
        return _stuck(run, kind=kind, sentence=sentence)

    return run_in_db_thread(write)


# --- Small parts ------------------------------------------------------------------------


def _pay(run: Attempt, order: PayoutOrder) -> None:
    rail = registry.payout_rail()
    try:
        paid = rail.find(idempotency_key=order.idempotency_key) or _ask_to_pay(rail, order)
    except PayoutUnknown as error:
        # The answer was lost, perhaps not the payout: the rail may know it by now.
        found = _find_again(rail, order)
        if found is None:
            run_in_db_thread(
                lambda: funding.disbursement_hold(run, status=Disbursement.Status.UNKNOWN)
            )
            raise
        logger.warning("The rail paid, its answer was lost", extra={"why": str(error)})
        paid = found
    except PayoutRefused:
        run_in_db_thread(lambda: funding.disbursement_hold(run, status=Disbursement.Status.REFUSED))
        raise

    @transaction.atomic
    def settle() -> None:
        funding.disbursement_settle(run, rail_reference=paid)
        _finish(run, Status.FUNDED)

    run_in_db_thread(settle)


def _ask_to_pay(rail: PayoutRail, order: PayoutOrder) -> str:
    if order.status == Disbursement.Status.UNKNOWN:
        raise PayoutUnknown("An earlier try may have paid; a person has to find out.")
    if order.status in Disbursement.NOTHING_LEFT:
        raise PayoutRefused("It was refused before; only a new attempt asks again.")
    return rail.pay(
        idempotency_key=order.idempotency_key,
        amount=order.amount,
        currency=order.currency,
        reference=order.reference,
    )


def _find_again(rail: PayoutRail, order: PayoutOrder) -> str | None:
    try:
        return rail.find(idempotency_key=order.idempotency_key)
    except ProviderError:
        return None


def _subject(run: Attempt) -> Subject:
    return Subject.of(LoanApplication.objects.get(reference=run.reference))


def _finish(run: Attempt, status: Status) -> Closed:
    executions.execution_finish(run, status)
    return Closed(status=status.value)


def _stuck(run: Attempt, *, kind: Incident.Kind | None, sentence: str) -> Closed:
    handover.case_hand_over(run, kind=kind, sentence=sentence)
    application = LoanApplication.objects.only("status", "attempt").get(reference=run.reference)
    stuck = application.status == Status.NEEDS_ATTENTION and application.attempt == run.attempt
    return Closed(status=Status.NEEDS_ATTENTION.value if stuck else "superseded")


# What a retry cannot mend: the domain said no, or a person has to look.
FINAL: tuple[type[Exception], ...] = (DomainError, PayoutRefused, PayoutUnknown)
