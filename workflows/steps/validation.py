"""Validate an application and pin the policy version that judges it."""

from dataclasses import dataclass

from django.db import transaction

from applications.choices import Level, Status, Step
from applications.models import LoanApplication
from applications.services import attempts
from lending import services
from lending.choices import ReasonCode
from lending.models import LendingPolicy
from lending.underwriting import SMALLEST_INCOME
from reviews.kinds import REVIEW_KINDS, Trigger
from workflows import accepted_terms, executions
from workflows.db_threads import run_in_db_thread
from workflows.providers.simulated import STEP_SECONDS, is_slow, simulate_latency


@dataclass(frozen=True)
class Validated:
    """The facts that the rest of an execution needs of its application: no personal data."""

    valid: bool
    fraud_check_timeout: int  # seconds
    fraud_check_attempts: int
    waits: dict[str, int]  # seconds, by kind of task; without what nobody is asked


def validate(attempt: attempts.Attempt, *, arn: str) -> Validated:
    """Validate, pin the policy, and record that the execution runs."""

    def begin() -> None:
        executions.execution_running(attempt, arn=arn)
        if is_slow():
            attempts.show_step(attempt, Step.VALIDATING)

    run_in_db_thread(begin)
    simulate_latency(STEP_SECONDS)

    @transaction.atomic
    def write() -> Validated:
        validated = validation_record(attempt)
        if not validated.valid:
            executions.execution_finish(attempt, Status.DECLINED)
        return validated

    return run_in_db_thread(write)


@transaction.atomic(savepoint=False)
def validation_record(attempt: attempts.Attempt) -> Validated:
    """Check the application and pin the policy in force, unless a restart kept another version.

    Raises ``ApplicationClosed``, ``NoPolicy``.
    """
    application, seen = attempts.begin_step(attempt, "validate")
    # A restart has kept or chosen the version.
    if application.policy_id is None:
        policy = services.policy_for(currency=application.currency)
    else:
        policy = attempts.pinned_policy(application)
    problems = _problems(application, policy)
    # Of an offer whose terms differ from an earlier one the applicant is asked in any case.
    asked = {Trigger.OFFERED} if accepted_terms.offered_before(application) else set()
    result = Validated(
        valid=not problems,
        fraud_check_timeout=int(policy.fraud_check_timeout.total_seconds()),
        fraud_check_attempts=policy.fraud_check_attempts,
        waits={
            kind.value: int(getattr(policy, row.wait).total_seconds())
            for kind, row in REVIEW_KINDS.items()
            if not row.required_by or getattr(policy, row.required_by) or row.trigger in asked
        },
    )
    if problems:
        message, level = f"Not valid: {' '.join(problems)}", Level.WARNING
    else:
        message, level = "The application is complete and valid.", Level.SUCCESS
    seen = seen or not attempts.log(
        attempt, "validate", application, message, step=Step.VALIDATING, level=level
    )
    if seen:
        return result
    application.policy = policy
    if problems:
        application.current_step = Step.VALIDATING
        attempts.close_declined(
            application,
            [{"code": ReasonCode.INVALID_APPLICATION.value, "text": text} for text in problems],
        )
    else:
        application.current_step = Step.CREDIT_CHECK
        attempts.move(application, Status.IN_REVIEW)
    attempts.save(application, "policy")
    return result


def _problems(application: LoanApplication, policy: LendingPolicy) -> list[str]:
    found = []
    if not application.applicant_name.strip():
        found.append("The applicant's name is missing.")
    if application.loan_amount <= 0:
        found.append("The amount must be above zero.")
    elif application.loan_amount < policy.smallest_loan:
        found.append(f"The smallest loan is {policy.smallest_loan:,.2f} {policy.currency}.")
    if application.annual_income is not None and application.annual_income < SMALLEST_INCOME:
        found.append(f"The income must be at least {SMALLEST_INCOME} a year.")
    if application.currency != policy.currency:
        found.append(f"Loans are made in {policy.currency}, not in {application.currency}.")
    return found
