"""Write what the workflow's steps learned: one transaction each, keyed by run and operation.

The offer and the payout are in ``applications.services.funding``. ``attempts`` refuses a run
that has been here, whose case has closed, or that a newer attempt replaced.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from applications.choices import Bureau, FraudVerdict, Level, Status, Step, WaitingOn
from applications.errors import CaseClosed, NoCreditReports
from applications.models import CreditReport, LoanApplication, RiskAssessment
from applications.services.attempts import (
    Attempt,
    begin_step,
    log,
    move,
    pinned_policy,
    save,
    stop_waiting,
)
from applications.transitions import TERMINAL
from lending import services
from lending.choices import Outcome, ReasonCode
from lending.models import LendingPolicy
from lending.underwriting import Report, assess
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REFERRED_KINDS, REVIEW_KINDS, Trigger
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions, tasks
from reviews.services.decline_reasons import reasons_shown


@dataclass(frozen=True)
class Validated:
    """What the rest of a run needs to know of its case: no personal data."""

    valid: bool
    fraud_check_timeout: int  # seconds
    fraud_check_attempts: int
    waits: dict[str, int]  # seconds, by kind of task; without what the policy does not ask for


@dataclass(frozen=True)
class Assessed:
    outcome: Outcome


def step_begin(run: Attempt, step: Step) -> None:
    """Show that ``step`` is being worked on. One cheap statement; a late repeat does nothing."""
    earlier = list(Step)[: list(Step).index(step)]
    LoanApplication.objects.filter(
        reference=run.reference, attempt=run.attempt, current_step__in=earlier
    ).exclude(status__in=[*TERMINAL, Status.NEEDS_ATTENTION]).update(
        current_step=step, updated_at=timezone.now()
    )


@transaction.atomic(savepoint=False)
def validation_record(run: Attempt) -> Validated:
    """Check the case and pin the policy that is in force now.

    Raises ``CaseClosed``, ``NoPolicy``.
    """
    application, seen = begin_step(run, "validate")
    policy = application.policy if seen and application.policy else services.policy_current()
    problems = _problems(application, policy)
    result = Validated(
        valid=not problems,
        fraud_check_timeout=int(policy.fraud_check_timeout.total_seconds()),
        fraud_check_attempts=policy.fraud_check_attempts,
        waits={
            kind.value: int(getattr(policy, row.wait).total_seconds())
            for kind, row in REVIEW_KINDS.items()
            if not row.required_by or getattr(policy, row.required_by)
        },
    )
    if seen:
        return result
    application.policy = policy
    application.current_step = Step.VALIDATING
    if problems:
        _close_declined(
            application,
            [{"code": ReasonCode.INVALID_APPLICATION.value, "text": text} for text in problems],
        )
        message, level = f"Not valid: {' '.join(problems)}", Level.WARNING
    else:
        move(application, Status.IN_REVIEW)
        message, level = "The application is complete and valid.", Level.SUCCESS
    log(run, "validate", application, message, step=Step.VALIDATING, level=level)
    if not problems:
        application.current_step = Step.CREDIT_CHECK
    save(application, "policy")
    return result


@transaction.atomic(savepoint=False)
def credit_report_record(
    run: Attempt, *, bureau: Bureau, report: Report, bureau_reference: str
) -> None:
    """Keep one bureau's answer. The first answer of a run stands. Raises ``CaseClosed``."""
    application, seen = begin_step(run, bureau.value)
    if seen:
        return
    CreditReport.objects.create(
        application=application,
        attempt=run.attempt,
        bureau=bureau,
        score=report.score,
        derogatory_marks=report.derogatory_marks,
        bureau_reference=bureau_reference,
    )
    marks = report.derogatory_marks
    record = f"{marks} derogatory mark{'s' if marks > 1 else ''}" if marks else "a clean record"
    log(
        run,
        bureau.value,
        application,
        f"{bureau.label}: score {report.score}, {record}.",
        step=Step.CREDIT_CHECK,
    )


@transaction.atomic(savepoint=False)
def risk_record(run: Attempt) -> Assessed:
    """Apply the pinned policy to this run's reports.

    A decline ends the case. Raises ``CaseClosed``, and ``NoCreditReports`` when no bureau
    answered at all.
    """
    application, seen = begin_step(run, "risk_assessment")
    if seen:
        known = RiskAssessment.objects.get(application=application, attempt=run.attempt)
        return Assessed(outcome=Outcome(known.outcome))
    policy = pinned_policy(application)
    rows = list(CreditReport.objects.filter(application=application, attempt=run.attempt))
    if not rows:
        raise NoCreditReports(reference=run.reference)
    missing = tuple(b for b in Bureau if b.value not in {row.bureau for row in rows})
    assessment = assess(
        rules=services.policy_rules(policy),
        loan_amount=application.loan_amount,
        currency=application.currency,
        annual_income=application.annual_income,
        reports=tuple(Report(row.score, row.derogatory_marks) for row in rows),
        missing_bureaus=tuple(bureau.label for bureau in missing),
    )
    reasons = [reason.as_json() for reason in assessment.reasons]
    RiskAssessment.objects.create(
        application=application,
        attempt=run.attempt,
        policy=policy,
        average_score=assessment.average_score,
        derogatory_marks=assessment.derogatory_marks,
        missing_bureaus=[bureau.value for bureau in missing],
        tier=assessment.tier,
        annual_rate=assessment.annual_rate,
        debt_to_income=assessment.debt_to_income,
        outcome=assessment.outcome,
        reasons=reasons,
    )
    application.current_step = Step.RISK_ASSESSMENT
    said = {
        Outcome.APPROVE: "within the policy",
        Outcome.REFER: "referred to a manager",
        Outcome.DECLINE: "declined",
    }[assessment.outcome]
    why = " ".join(reason["text"] for reason in reasons)
    log(
        run,
        "risk_assessment",
        application,
        f"{assessment.tier.label} at {assessment.annual_rate} %, {said}. {why}".strip(),
        level=Level.WARNING if assessment.outcome == Outcome.DECLINE else Level.INFO,
    )
    if assessment.outcome == Outcome.DECLINE:
        _close_declined(application, reasons)
    elif assessment.outcome == Outcome.REFER:
        application.current_step = REVIEW_KINDS[REFERRED_KINDS[0]].step
    else:
        application.current_step = Step.FRAUD_CHECK
    save(application)
    return Assessed(outcome=assessment.outcome)


def review_open(run: Attempt, kind: TaskKind) -> ReviewTask | None:
    """Ask a person; ``None`` when this run has asked before. Call inside a transaction.

    Raises ``CaseClosed``.
    """
    application, seen = begin_step(run, f"open_{kind.value}")
    if seen:
        return None
    now = timezone.now()
    reasons = _why_asked(application, kind)
    task = tasks.task_open(
        application=application,
        kind=kind,
        policy=pinned_policy(application),
        reasons=reasons,
        now=now,
    )
    who = task.get_assigned_role_display().lower()
    log(run, f"open_{kind.value}", application, f"Waiting for {_article(who)} {who} to decide.")
    save(application)
    return task


def fraud_check_asked(run: Attempt, *, number: int) -> bool:
    """Whether this run has asked the fraud service this time before. Inside a transaction.

    Raises ``CaseClosed``.
    """
    return begin_step(run, f"fraud_check-{number}")[1]


def fraud_check_open(run: Attempt, *, number: int, until: datetime) -> bool:
    """Show that the fraud service is asked; false when this run has. Inside a transaction.

    Raises ``CaseClosed``.
    """
    application, seen = begin_step(run, f"fraud_check-{number}")
    if seen:
        return False
    application.current_step = Step.FRAUD_CHECK
    application.waiting_on = WaitingOn.FRAUD_SERVICE
    application.waiting_since = timezone.now()
    application.waiting_until = until
    again = "" if number == 1 else f" Try {number}: the last one was not answered."
    log(run, f"fraud_check-{number}", application, f"Fraud check requested.{again}")
    save(application)
    return True


@transaction.atomic(savepoint=False)
def offer_begin(run: Attempt, *, verdict: FraudVerdict) -> LoanApplication:
    """Note the fraud check's result and show that the offer is being made."""
    application, seen = begin_step(run, "fraud_answer")
    if not seen:
        if verdict == FraudVerdict.PASSED:
            message, level = "The fraud check passed.", Level.SUCCESS
        else:
            message, level = "The fraud check's flag was cleared on review.", Level.WARNING
        log(run, "fraud_answer", application, message, step=Step.FRAUD_CHECK, level=level)
        application.current_step = Step.GENERATING_OFFER
        stop_waiting(application)
        save(application)
    return application


@transaction.atomic(savepoint=False)
def declined_on_review(run: Attempt, kind: TaskKind) -> None:
    """End a case that a person declined, for the reason they gave. Raises ``CaseClosed``."""
    operation = f"declined_{kind.value}"
    application, seen = begin_step(run, operation)
    if seen:
        return
    decision = ReviewDecision.objects.get(
        task__application=application,
        task__attempt=run.attempt,
        task__kind=kind,
        outcome=Outcome.DECLINE,
        late=False,
    )
    reasons = reasons_shown(kind=kind, decision=decision)
    said = " ".join(reason["text"] for reason in reasons)
    _close_declined(application, reasons)
    log(run, operation, application, f"Declined. {said}", level=Level.WARNING)
    save(application)


@transaction.atomic(savepoint=False)
def expired(run: Attempt, kind: TaskKind) -> bool:
    """End a case that nobody decided in time: expiry never approves.

    False when somebody did decide, but the engine had stopped waiting before it heard of
    it: then the decision is kept as late, and a person has to look. Raises ``CaseClosed``.
    """
    operation = f"expired_{kind.value}"
    application, seen = begin_step(run, operation)
    if seen:
        return True
    task = task_lock(
        ReviewTask.objects.values_list("pk", flat=True).get(
            application=application, attempt=run.attempt, kind=kind
        )
    )
    if task.status == TaskStatus.DECIDED:
        decisions.decisions_undo_as_late(application=application, task=task)
        return False
    now = timezone.now()
    tasks.task_expire(task=task, now=now)
    move(application, Status.EXPIRED)
    application.closed_at = now
    stop_waiting(application)
    log(
        run,
        operation,
        application,
        f"{kind.label}: nobody decided in time, so the application expired.",
        level=Level.WARNING,
    )
    save(application)
    return True


@transaction.atomic(savepoint=False)
def needs_attention(run: Attempt, *, sentence: str) -> bool:
    """Hand a stuck case to Operations; false when it has closed or was handed over before."""
    try:
        application, seen = begin_step(run, "needs_attention")
    except CaseClosed:
        return False
    if seen:
        return False
    move(application, Status.NEEDS_ATTENTION)
    stop_waiting(application)
    log(run, "needs_attention", application, sentence, level=Level.ERROR, is_internal=True)
    save(application)
    return True


def _close_declined(application: LoanApplication, reasons: list[dict[str, str]]) -> None:
    move(application, Status.DECLINED)
    now = timezone.now()
    application.outcome = Outcome.DECLINE
    application.decision_reasons = reasons
    application.decided_at = application.closed_at = now
    stop_waiting(application)


def _problems(application: LoanApplication, policy: LendingPolicy) -> list[str]:
    found = []
    if not application.applicant_name.strip():
        found.append("The applicant's name is missing.")
    if application.loan_amount <= 0:
        found.append("The amount must be above zero.")
    if application.annual_income is not None and application.annual_income <= Decimal(0):
        found.append("The income must be above zero.")
    if application.currency != policy.currency:
        found.append(f"Loans are made in {policy.currency}, not in {application.currency}.")
    return found


def _why_asked(application: LoanApplication, kind: TaskKind) -> list[dict[str, str]]:
    row = REVIEW_KINDS[kind]
    if row.trigger is not Trigger.REFERRED:
        return [{"code": code.value, "text": text} for code, text in row.opening_reasons]
    assessment = RiskAssessment.objects.get(application=application, attempt=application.attempt)
    return list(assessment.reasons)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
