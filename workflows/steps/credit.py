"""Ask the credit bureaus and keep their reports."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from applications.choices import Bureau, Step
from applications.models import CreditReport, LoanApplication
from applications.services.attempts import Attempt, begin_step, log
from lending.underwriting import Report
from workflows import accepted_terms
from workflows.db_threads import run_in_db_thread
from workflows.providers import registry
from workflows.providers.interfaces import Subject
from workflows.providers.measuring import measured


@dataclass(frozen=True)
class BureauAnswered:
    """A bureau's score, now or in the attempt whose offer holds."""

    bureau: str
    score: int


def pull_report(attempt: Attempt, bureau: Bureau) -> BureauAnswered | None:
    """Ask one bureau and keep its answer. Raises ``ProviderError`` while it is down.

    For an offer that holds no bureau is asked again: its report of then is kept for this attempt,
    and a bureau that had none is left out (``None``).
    """

    def begin() -> tuple[Subject, dict[str, CreditReport] | None]:
        application = LoanApplication.objects.get(reference=attempt.reference)
        return Subject.of(application), accepted_terms.reports_that_hold(application)

    subject, kept = run_in_db_thread(begin)
    if kept is not None:
        return _keep_again(attempt, bureau, kept.get(bureau.value))
    with measured(bureau.value):
        found = registry.bureau(bureau).pull(subject)
    run_in_db_thread(
        lambda: credit_report_record(
            attempt, bureau=bureau, report=found.report, bureau_reference=found.bureau_reference
        )
    )
    return BureauAnswered(bureau=bureau.value, score=found.report.score)


def _keep_again(
    attempt: Attempt, bureau: Bureau, report: CreditReport | None
) -> BureauAnswered | None:
    if report is None:
        return None
    run_in_db_thread(
        lambda: credit_report_record(
            attempt,
            bureau=bureau,
            report=Report(report.score, report.derogatory_marks),
            bureau_reference=report.bureau_reference,
            pulled_at=report.pulled_at,
        )
    )
    return BureauAnswered(bureau=bureau.value, score=report.score)


@transaction.atomic(savepoint=False)
def credit_report_record(
    attempt: Attempt,
    *,
    bureau: Bureau,
    report: Report,
    bureau_reference: str,
    pulled_at: datetime | None = None,
) -> None:
    """Keep one bureau's answer; the first answer of an attempt stands.

    ``pulled_at`` is given for a report of an earlier attempt that is used again.
    Raises ``ApplicationClosed``.
    """
    application, seen = begin_step(attempt, bureau.value)
    if seen:
        return
    marks = report.derogatory_marks
    record = f"{marks} derogatory mark{'s' if marks > 1 else ''}" if marks else "a clean record"
    if not log(
        attempt,
        bureau.value,
        application,
        f"{bureau.label}: score {report.score}, {record}."
        + (" Used again: the offer made on it holds." if pulled_at else ""),
        step=Step.CREDIT_CHECK,
    ):
        return
    CreditReport.objects.create(
        application=application,
        attempt=attempt.number,
        bureau=bureau,
        score=report.score,
        derogatory_marks=report.derogatory_marks,
        bureau_reference=bureau_reference,
        pulled_at=pulled_at or timezone.now(),
    )
