"""The rows of one batch of courses, as the services would have left them.

One transaction a batch. What is left out: schedules and offer letters, which are sixty
rows and a file a loan, and the messages that were sent long ago.
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
from devtools.seeding.bulk_insert import ids
from devtools.seeding.histories import CURRENCY, Course
from devtools.seeding.reviews import WHY_DECLINED, Reviews
from devtools.seeding.row_builder import ATTEMPT, NOBODY, ORDER, SeedRow
from lending.amortisation import monthly_payment
from lending.choices import Outcome
from reviews.choices import TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from workflows.models import Execution, Incident, OutboxMessage

STUCK = "The workflow failed: BureauError: the answer could not be read"
ENDS = {
    Status.FUNDED: ("The loan is funded.", Level.SUCCESS),
    Status.WITHDRAWN: ("The application was withdrawn.", Level.WARNING),
    Status.EXPIRED: ("Nobody decided in time, so the application expired.", Level.WARNING),
    Status.NEEDS_ATTENTION: (STUCK, Level.ERROR),
    Status.DECLINED: ("Declined.", Level.WARNING),
}


class Batch(Reviews):
    """``add`` courses, then ``write`` them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.courses: list[tuple[str, Course]] = []

    def add(self, course: Course, reference: str) -> None:
        self.courses.append((reference, course))

    @transaction.atomic
    def write(self) -> int:
        """Everything or nothing; returns how many rows."""
        self.ids = {model: ids(model) for model in (LoanApplication, ReviewTask, Execution)}
        for reference, course in self.courses:
            case = SeedRow(next(self.ids[LoanApplication]), reference, course)
            self._application(case)
            self._around(case)
        self.courses = []
        return sum(self.tables[model].write() for model in ORDER)

    # --- The application ----------------------------------------------------------------

    def _application(self, case: SeedRow) -> None:
        course, person = case.course, case.course.person
        by_partner, submitted = course.partner is not None, course.submitted_at is not None
        if course.partner is None:
            case.typed_by = self.random.choice(self.staff.by_role[Role.LOAN_OFFICER])
        else:
            case.partner = self.staff.partners[course.partner]
        self.tables[LoanApplication].put(
            {
                "reference": case.reference,
                "partner_id": case.partner,
                "external_id": f"P-{self.random.randrange(10**7):07}" if by_partner else "",
                "applicant_name": person.name,
                "address": person.address,
                "phone": person.phone,
                "email": person.email,
                "sin_last4": person.sin_last4,
                "annual_income": course.income,
                "loan_amount": course.amount,
                "purpose": course.purpose,
                "term_months": course.term_months,
                "status": course.status,
                "current_step": course.step or "",
                "attempt": ATTEMPT if submitted else 0,
                "policy_id": self.policy.pk if course.validated else None,
                "created_by_id": case.typed_by,
                "submitted_by_id": case.typed_by if submitted else None,
                "last_edited_by_id": case.typed_by,
                "created_at": course.created_at,
                "submitted_at": course.submitted_at,
                "updated_at": course.ended_at or course.submitted_at or course.created_at,
                "closed_at": course.ended_at if is_terminal(course.status) else None,
                **self._decided(course),
                **self._waiting(course),
            },
            case.pk,
        )

    def _decided(self, course: Course) -> dict[str, Any]:
        if course.status == Status.DECLINED:
            reasons = [reason.as_json() for reason in course.assessment.reasons]  # type: ignore[union-attr]
            for kind, asked in course.asked.items():
                if asked.outcome == Outcome.DECLINE:
                    code = REVIEW_KINDS[kind].declined_as
                    reasons = [{"code": code.value, "text": f"{code.label} {WHY_DECLINED}"}]
            return {
                "outcome": Outcome.DECLINE,
                "decision_reasons": reasons,
                "decided_at": course.ended_at,
            }
        if course.offered_at is not None:
            return {"outcome": Outcome.APPROVE, "decided_at": course.offered_at}
        return {}

    def _waiting(self, course: Course) -> dict[str, Any]:
        for kind, asked in course.asked.items():
            if asked.status == TaskStatus.OPEN:
                return {
                    "waiting_on": self.role_of(course, kind),
                    "waiting_since": asked.opened_at,
                    "waiting_until": asked.opened_at + self.terms.waits[kind],
                }
        if course.step == Step.FRAUD_CHECK and course.status == Status.IN_REVIEW:
            return {
                "waiting_on": WaitingOn.FRAUD_SERVICE,
                "waiting_since": course.submitted_at,
                "waiting_until": self.terms.now + self.policy.fraud_check_timeout,
            }
        return {}

    # --- What belongs to it ---------------------------------------------------------------

    def _around(self, case: SeedRow) -> None:
        course = case.course
        self.line(case, "created", "The application was created.", course.created_at)
        if course.submitted_at is None:
            return
        said = f"Submitted: {course.amount:,.2f} {CURRENCY}."
        self.line(case, "submitted", said, course.submitted_at, step=Step.SUBMITTED)
        execution = self._execution(case, course.submitted_at)
        self._assessed(case, course.submitted_at)
        for kind, asked in course.asked.items():
            self.task(case, kind, asked, execution)
        self._paid(case)
        self._ended(case)

    def _execution(self, case: SeedRow, queued_at: datetime) -> int:
        """The mirror: ended with the case, queued with its start, or standing still."""
        pk, status, ended_at = next(self.ids[Execution]), case.course.status, case.course.ended_at
        row: dict[str, Any] = {
            "application_id": case.pk,
            "attempt": ATTEMPT,
            "name": case.run.name,
            "queued_at": queued_at,
        }
        if status == Status.SUBMITTED:
            self._start(case, pk, queued_at)
        else:
            row |= {"started_at": queued_at + timedelta(seconds=1), "ended_at": ended_at}
            if ended_at is None:
                row |= {"status": Execution.Status.RUNNING, "arn": f"arn:seeded:{case.run.name}"}
            elif status == Status.WITHDRAWN:
                row |= {"status": Execution.Status.STOPPED}
            elif status == Status.NEEDS_ATTENTION:
                row |= {"status": Execution.Status.FAILED, "error": STUCK}
            else:
                row |= {"status": Execution.Status.SUCCEEDED, "result": {"status": str(status)}}
        self.tables[Execution].put(row, pk)
        return pk

    def _start(self, case: SeedRow, execution: int, queued_at: datetime) -> None:
        payload = {"application": case.reference, "attempt": ATTEMPT, "request_id": ""}
        self.tables[OutboxMessage].put(
            {
                "kind": OutboxMessage.Kind.START_EXECUTION,
                "key": f"start/{case.run.name}",
                "execution_id": execution,
                "payload": payload,
                "created_at": queued_at,
            }
        )

    def _assessed(self, case: SeedRow, pulled_at: datetime) -> None:
        course, judged = case.course, case.course.assessment
        if judged is None:
            return
        for bureau, report in course.reports.items():
            self.tables[CreditReport].put(
                {
                    "application_id": case.pk,
                    "attempt": ATTEMPT,
                    "bureau": bureau,
                    "score": report.score,
                    "derogatory_marks": report.derogatory_marks,
                    "bureau_reference": f"{bureau.value[:2].upper()}-{case.reference}",
                    "pulled_at": pulled_at,
                }
            )
        reasons = [reason.as_json() for reason in judged.reasons]
        self.tables[RiskAssessment].put(
            {
                "application_id": case.pk,
                "attempt": ATTEMPT,
                "policy_id": self.policy.pk,
                "average_score": judged.average_score,
                "derogatory_marks": judged.derogatory_marks,
                "missing_bureaus": [b.value for b in Bureau if b not in course.reports],
                "tier": judged.tier,
                "annual_rate": judged.annual_rate,
                "debt_to_income": judged.debt_to_income,
                "outcome": judged.outcome,
                "reasons": reasons,
                "assessed_at": pulled_at,
            }
        )
        why = " ".join(reason["text"] for reason in reasons)
        self.line(
            case,
            "risk_assessment",
            f"{judged.tier.label} at {judged.annual_rate} %. {why}".strip(),
            pulled_at,
            step=Step.RISK_ASSESSMENT,
            level=Level.WARNING if judged.outcome == Outcome.DECLINE else Level.INFO,
            key=case.run.key("risk_assessment"),
            **NOBODY,
        )

    def _paid(self, case: SeedRow) -> None:
        course = case.course
        if course.offered_at is None or course.assessment is None:
            return
        rate, months = course.assessment.annual_rate, course.term_months
        payment = monthly_payment(principal=course.amount, annual_rate=rate, term_months=months)
        self.tables[LoanOffer].put(
            {
                "application_id": case.pk,
                "attempt": ATTEMPT,
                "offer_id": f"OFFER-{case.run.name.removeprefix('LOAN-')}",
                "principal": course.amount,
                "currency": CURRENCY,
                "annual_rate": rate,
                "term_months": months,
                "monthly_payment": payment,
                "last_payment": payment,
                "total_interest": payment * months - course.amount,
                "issued_at": course.offered_at,
                "expires_at": course.offered_at + self.policy.offer_life,
            }
        )
        if course.paid:
            self.tables[Disbursement].put(
                {
                    "application_id": case.pk,
                    "idempotency_key": f"payout-{case.reference}",
                    "amount": course.amount,
                    "currency": CURRENCY,
                    "status": Disbursement.Status.PAID,
                    "rail_reference": f"RAIL-{case.reference}",
                    "requested_at": course.offered_at,
                    "funded_at": course.ended_at,
                }
            )

    def _ended(self, case: SeedRow) -> None:
        course = case.course
        if course.ended_at is None:
            return
        said, level = ENDS[course.status]
        stuck = course.status == Status.NEEDS_ATTENTION
        self.line(
            case,
            course.status.value,
            said,
            course.ended_at,
            step=course.step or "",
            level=level,
            is_internal=stuck,
            key=case.run.key(course.status.value),
            **NOBODY,
        )
        if stuck:
            self.tables[Incident].put(
                {
                    "kind": Incident.Kind.WORKFLOW_FAILED,
                    "key": f"workflow/{case.run.name}",
                    "application_id": case.pk,
                    "sentence": f"{STUCK}. Restart it.",
                    "opened_at": course.ended_at,
                }
            )
