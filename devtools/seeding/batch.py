"""Write the rows of one batch of histories, as the services would have left them.

One transaction a batch. Schedules and offer letters, which are sixty rows and a file a loan,
and delivered outbox messages are not written.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.roles import Role
from applications.choices import Bureau, Level, Status, Step, WaitingOn
from applications.models import (
    CreditReport,
    Disbursement,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.transitions import is_terminal
from audit.times import promised_until
from devtools.seeding.bulk_insert import ids
from devtools.seeding.histories import CURRENCY, History
from devtools.seeding.reviews import DECLINE_REASONS, Reviews
from devtools.seeding.row_builder import ATTEMPT, NO_ACTOR, ORDER, SeedRow
from lending.amortisation import monthly_payment
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from workflows.models import Execution, Incident, OutboxMessage

# Of no execution in any engine.
ARN = (
    "arn:aws:lambda:us-west-2:123456789012:function:loan-approval:1/durable-execution/{name}/seeded"
)
STUCK = "The workflow failed: BureauError: the answer could not be read"
ENDS = {
    Status.FUNDED: ("The loan is funded.", Level.SUCCESS),
    Status.WITHDRAWN: ("The application was withdrawn.", Level.WARNING),
    Status.EXPIRED: ("Nobody decided in time, so the application expired.", Level.WARNING),
    Status.NEEDS_ATTENTION: (STUCK, Level.ERROR),
    Status.DECLINED: ("Declined.", Level.WARNING),
}


class Batch(Reviews):
    """Collect histories with ``add``, then ``write`` their rows."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.histories: list[tuple[str, History]] = []

    def add(self, history: History, reference: str) -> None:
        self.histories.append((reference, history))

    @transaction.atomic
    def write(self) -> int:
        """Write all rows in one transaction; return how many."""
        self.ids = {model: ids(model) for model in (LoanApplication, ReviewTask, Execution)}
        for reference, history in self.histories:
            row = SeedRow(next(self.ids[LoanApplication]), reference, history)
            self._application(row)
            self._related_rows(row)
        self.histories = []
        return sum(self.tables[model].write() for model in ORDER)

    # --- The application ----------------------------------------------------------------

    def _application(self, row: SeedRow) -> None:
        history, person = row.history, row.history.person
        by_partner, submitted = history.partner is not None, history.submitted_at is not None
        if history.partner is None:
            row.typed_by = self.random.choice(self.staff.by_role[Role.LOAN_OFFICER])
        else:
            row.partner = self.staff.partners[history.partner]
        self.tables[LoanApplication].put(
            {
                "reference": row.reference,
                "partner_id": row.partner,
                "external_id": f"P-{row.pk:07}" if by_partner else "",
                "applicant_name": person.name,
                "address": person.address,
                "phone": person.phone,
                "email": person.email,
                "sin_last4": person.sin_last4,
                "annual_income": history.income,
                "loan_amount": history.amount,
                "purpose": history.purpose,
                "term_months": history.term_months,
                "status": history.status,
                "current_step": history.step or "",
                "attempt": ATTEMPT if submitted else 0,
                "policy_id": self.policy.pk if history.validated else None,
                "created_by_id": row.typed_by,
                "submitted_by_id": row.typed_by if submitted else None,
                "last_edited_by_id": row.typed_by,
                "created_at": history.created_at,
                "submitted_at": history.submitted_at,
                "updated_at": history.ended_at or history.submitted_at or history.created_at,
                "closed_at": history.ended_at if is_terminal(history.status) else None,
                **self._decision_fields(history),
                **self._waiting_fields(history),
            },
            row.pk,
        )

    def _decision_fields(self, history: History) -> dict[str, Any]:
        if history.status == Status.DECLINED:
            reasons = [reason.as_json() for reason in history.assessment.reasons]  # type: ignore[union-attr]
            for kind, review in history.review.items():
                if review.outcome == Outcome.DECLINE:
                    code = REVIEW_KINDS[kind].declined_as
                    reasons = [{"code": code.value, "text": f"{code.label} {DECLINE_REASONS}"}]
            return {
                "outcome": Outcome.DECLINE,
                "decision_reasons": reasons,
                "decided_at": history.ended_at,
            }
        if history.offered_at is not None:
            return {"outcome": Outcome.APPROVE, "decided_at": history.offered_at}
        return {}

    def _waiting_fields(self, history: History) -> dict[str, Any]:
        for kind, review in history.review.items():
            if review.status == TaskStatus.OPEN:
                return {
                    "waiting_on": self.role_asked(history, kind),
                    "waiting_since": review.opened_at,
                    "waiting_until": review.opened_at + self.terms.waits[kind],
                }
        if history.step == Step.FRAUD_CHECK and history.status == Status.IN_REVIEW:
            return {
                "waiting_on": WaitingOn.FRAUD_SERVICE,
                "waiting_since": history.submitted_at,
                "waiting_until": self.terms.now + self.policy.fraud_check_timeout,
            }
        return {}

    # --- Related rows ---------------------------------------------------------------------

    def _related_rows(self, row: SeedRow) -> None:
        history = row.history
        self.timeline_entry(row, "created", "The application was created.", history.created_at)
        if history.submitted_at is None:
            return
        message = f"Submitted: {history.amount:,.2f} {CURRENCY}."
        self.timeline_entry(row, "submitted", message, history.submitted_at, step=Step.SUBMITTED)
        execution = self._execution(row, history.submitted_at)
        self._assessment(row, history.submitted_at)
        tasks = {
            kind: self.task(row, kind, review, execution) for kind, review in history.review.items()
        }
        self.fraud_answer(row, execution, flag_review=tasks.get(TaskKind.FRAUD_REVIEW))
        self._offer_and_disbursement(row)
        self._end(row)

    def _execution(self, row: SeedRow, queued_at: datetime) -> int:
        """The execution: ended with the application, queued with its start, or running."""
        pk, status, ended_at = next(self.ids[Execution]), row.history.status, row.history.ended_at
        values: dict[str, Any] = {
            "application_id": row.pk,
            "attempt": ATTEMPT,
            "name": row.attempt.name,
            "queued_at": queued_at,
        }
        if status == Status.SUBMITTED:
            self._start(row, pk, queued_at)
        else:
            values |= {"started_at": queued_at + timedelta(seconds=1), "ended_at": ended_at}
            if ended_at is None:
                values |= {
                    "status": Execution.Status.RUNNING,
                    "arn": ARN.format(name=row.attempt.name),
                }
            elif status == Status.WITHDRAWN:
                values |= {"status": Execution.Status.STOPPED}
            elif status == Status.NEEDS_ATTENTION:
                values |= {"status": Execution.Status.FAILED, "error": STUCK}
            else:
                values |= {"status": Execution.Status.SUCCEEDED, "result": {"status": str(status)}}
        self.tables[Execution].put(values, pk)
        return pk

    def _start(self, row: SeedRow, execution: int, queued_at: datetime) -> None:
        payload = {"application": row.reference, "attempt": ATTEMPT, "request_id": ""}
        self.tables[OutboxMessage].put(
            {
                "kind": OutboxMessage.Kind.START_EXECUTION,
                "key": f"start/{row.attempt.name}",
                "execution_id": execution,
                "payload": payload,
                "created_at": queued_at,
            }
        )

    def _assessment(self, row: SeedRow, pulled_at: datetime) -> None:
        history, assessment = row.history, row.history.assessment
        if assessment is None:
            return
        for bureau, report in history.reports.items():
            self.tables[CreditReport].put(
                {
                    "application_id": row.pk,
                    "attempt": ATTEMPT,
                    "bureau": bureau,
                    "score": report.score,
                    "derogatory_marks": report.derogatory_marks,
                    "bureau_reference": f"{bureau.value[:2].upper()}-{row.reference}",
                    "pulled_at": pulled_at,
                }
            )
        reasons = [reason.as_json() for reason in assessment.reasons]
        self.tables[RiskAssessment].put(
            {
                "application_id": row.pk,
                "attempt": ATTEMPT,
                "policy_id": self.policy.pk,
                "average_score": assessment.average_score,
                "score_sum": assessment.score_sum,
                "score_count": assessment.score_count,
                "derogatory_marks": assessment.derogatory_marks,
                "missing_bureaus": [b.value for b in Bureau if b not in history.reports],
                "tier": assessment.tier,
                "annual_rate": assessment.annual_rate,
                "debt_to_income": assessment.debt_to_income,
                "outcome": assessment.outcome,
                "reasons": reasons,
                "assessed_at": pulled_at,
            }
        )
        why = " ".join(reason["text"] for reason in reasons)
        self.timeline_entry(
            row,
            "risk_assessment",
            f"{assessment.tier.label} at {assessment.annual_rate} %. {why}".strip(),
            pulled_at,
            step=Step.RISK_ASSESSMENT,
            level=Level.WARNING if assessment.outcome == Outcome.DECLINE else Level.INFO,
            key=row.attempt.key("risk_assessment"),
            **NO_ACTOR,
        )

    def _offer_and_disbursement(self, row: SeedRow) -> None:
        history = row.history
        if history.offered_at is None or history.assessment is None:
            return
        rate, months = history.assessment.annual_rate, history.term_months
        payment = monthly_payment(principal=history.amount, annual_rate=rate, term_months=months)
        self.tables[LoanOffer].put(
            {
                "application_id": row.pk,
                "attempt": ATTEMPT,
                "offer_id": f"OFFER-{row.attempt.name.removeprefix('LOAN-')}",
                "principal": history.amount,
                "currency": CURRENCY,
                "annual_rate": rate,
                "term_months": months,
                "monthly_payment": payment,
                "last_payment": payment,
                "total_interest": payment * months - history.amount,
                "issued_at": history.offered_at,
                "expires_at": promised_until(history.offered_at, self.policy.offer_life),
            }
        )
        if history.paid:
            self.tables[Disbursement].put(
                {
                    "application_id": row.pk,
                    "idempotency_key": f"payout-{row.reference}",
                    "amount": history.amount,
                    "currency": CURRENCY,
                    "status": Disbursement.Status.PAID,
                    "rail_reference": f"RAIL-{row.reference}",
                    "requested_at": history.offered_at,
                    "funded_at": history.ended_at,
                }
            )

    def _end(self, row: SeedRow) -> None:
        history = row.history
        if history.ended_at is None:
            return
        message, level = ENDS[history.status]
        stuck = history.status == Status.NEEDS_ATTENTION
        self.timeline_entry(
            row,
            history.status.value,
            message,
            history.ended_at,
            step=history.step or "",
            level=level,
            is_internal=stuck,
            key=row.attempt.key(history.status.value),
            **NO_ACTOR,
        )
        if stuck:
            self.tables[Incident].put(
                {
                    "kind": Incident.Kind.WORKFLOW_FAILED,
                    "key": f"workflow/{row.attempt.name}",
                    "application_id": row.pk,
                    "sentence": f"{STUCK}. Restart it.",
                    "opened_at": history.ended_at,
                }
            )
