"""Ask the credit bureaus and keep their reports."""

from dataclasses import dataclass

from django.db import transaction

from applications.choices import Bureau, Step
from applications.models import CreditReport, LoanApplication
from applications.services.attempts import Attempt, begin_step, log
from lending.underwriting import Report
from workflows.db_threads import run_in_db_thread
from workflows.providers import registry
from workflows.providers.interfaces import Subject


@dataclass(frozen=True)
class BureauAnswered:
    bureau: str
    score: int


def pull_report(attempt: Attempt, bureau: Bureau) -> BureauAnswered:
    """Ask one bureau and keep its answer. Raises ``ProviderError`` while it is down."""
    subject = run_in_db_thread(
        lambda: Subject.of(LoanApplication.objects.get(reference=attempt.reference))
    )
    found = registry.bureau(bureau).pull(subject)
    run_in_db_thread(
        lambda: credit_report_record(
            attempt, bureau=bureau, report=found.report, bureau_reference=found.bureau_reference
        )
    )
    return BureauAnswered(bureau=bureau.value, score=found.report.score)


@transaction.atomic(savepoint=False)
def credit_report_record(
    attempt: Attempt, *, bureau: Bureau, report: Report, bureau_reference: str
) -> None:
    """Keep one bureau's answer; the first answer of an attempt stands.

    Raises ``ApplicationClosed``.
    """
    application, seen = begin_step(attempt, bureau.value)
    if seen:
        return
    CreditReport.objects.create(
        application=application,
        attempt=attempt.number,
        bureau=bureau,
        score=report.score,
        derogatory_marks=report.derogatory_marks,
        bureau_reference=bureau_reference,
    )
    marks = report.derogatory_marks
    record = f"{marks} derogatory mark{'s' if marks > 1 else ''}" if marks else "a clean record"
    log(
        attempt,
        bureau.value,
        application,
        f"{bureau.label}: score {report.score}, {record}.",
        step=Step.CREDIT_CHECK,
    )
