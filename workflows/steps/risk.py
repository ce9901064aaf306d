"""Apply the pinned policy to the reports that came."""

from dataclasses import dataclass

from django.db import transaction

from applications.choices import Bureau, Level, Status, Step
from applications.errors import NoCreditReports
from applications.models import CreditReport, LoanApplication, RiskAssessment
from applications.services import attempts
from lending import services
from lending.choices import Outcome
from lending.underwriting import Report, assess
from reviews.kinds import REFERRED_KINDS, REVIEW_KINDS
from workflows import executions
from workflows.db_threads import run_in_db_thread
from workflows.providers.simulated import STEP_SECONDS, is_slow, simulate_latency


@dataclass(frozen=True)
class Assessed:
    outcome: Outcome


def assess_risk(attempt: attempts.Attempt) -> Assessed:
    """Apply the policy to the reports that came."""
    if is_slow():
        run_in_db_thread(lambda: attempts.show_step(attempt, Step.RISK_ASSESSMENT))
        simulate_latency(STEP_SECONDS)

    @transaction.atomic
    def write() -> Assessed:
        assessed = risk_record(attempt)
        if assessed.outcome == Outcome.DECLINE:
            executions.execution_finish(attempt, Status.DECLINED)
        return assessed

    return run_in_db_thread(write)


@transaction.atomic(savepoint=False)
def risk_record(attempt: attempts.Attempt) -> Assessed:
    """Apply the pinned policy to this attempt's reports.

    A decline closes the application. Raises ``ApplicationClosed``, and ``NoCreditReports`` when
    no bureau answered at all.
    """
    application, seen = attempts.begin_step(attempt, "risk_assessment")
    if seen:
        return _known(attempt, application)
    policy = attempts.pinned_policy(application)
    rows = list(CreditReport.objects.filter(application=application, attempt=attempt.number))
    if not rows:
        raise NoCreditReports(reference=attempt.reference)
    missing = tuple(b for b in Bureau if b.value not in {row.bureau for row in rows})
    assessment = assess(
        rules=services.policy_rules(policy),
        loan_amount=application.loan_amount,
        term_months=application.term_months,
        currency=application.currency,
        annual_income=application.annual_income,
        reports=tuple(Report(row.score, row.derogatory_marks) for row in rows),
        missing_bureaus=tuple(bureau.label for bureau in missing),
    )
    reasons = [reason.as_json() for reason in assessment.reasons]
    result = {
        Outcome.APPROVE: "within the policy",
        Outcome.REFER: "referred to a manager",
        Outcome.DECLINE: "declined",
    }[assessment.outcome]
    why = " ".join(reason["text"] for reason in reasons)
    application.current_step = Step.RISK_ASSESSMENT
    if not attempts.log(
        attempt,
        "risk_assessment",
        application,
        f"{assessment.tier.label} at {assessment.annual_rate} %, {result}. {why}".strip(),
        level=Level.WARNING if assessment.outcome == Outcome.DECLINE else Level.INFO,
    ):
        return _known(attempt, application)
    RiskAssessment.objects.create(
        application=application,
        attempt=attempt.number,
        policy=policy,
        average_score=assessment.average_score,
        score_sum=assessment.score_sum,
        score_count=assessment.score_count,
        derogatory_marks=assessment.derogatory_marks,
        missing_bureaus=[bureau.value for bureau in missing],
        tier=assessment.tier,
        annual_rate=assessment.annual_rate,
        debt_to_income=assessment.debt_to_income,
        outcome=assessment.outcome,
        reasons=reasons,
    )
    if assessment.outcome == Outcome.DECLINE:
        attempts.close_declined(application, reasons)
    elif assessment.outcome == Outcome.REFER:
        application.current_step = REVIEW_KINDS[REFERRED_KINDS[0]].step
    else:
        application.current_step = Step.FRAUD_CHECK
    attempts.save(application)
    return Assessed(outcome=assessment.outcome)


def _known(attempt: attempts.Attempt, application: LoanApplication) -> Assessed:
    known = RiskAssessment.objects.get(application=application, attempt=attempt.number)
    return Assessed(outcome=Outcome(known.outcome))
