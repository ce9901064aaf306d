"""Puts an application where a test needs it, through the services that really do that."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from applications.models import LoanApplication, ReviewTask
from applications.services import drafting, funding, progress
from applications.services.gate import Run
from applications.underwriting import Report
from applications.vocabulary import Bureau, FraudVerdict, TaskKind
from tests.conftest import ALICE
from workflows import services

SCORES = {
    "1111": (782, 776, 784, 0),
    "3333": (642, 636, 645, 0),
    "4444": (761, 757, 764, 0),
}


def submit(user: User | None, **fields: Any) -> LoanApplication:
    """Create and submit; ``fields`` override Alice's."""
    return drafting.application_create_and_submit(user=user, **{**ALICE, **fields})


def run_of(application: LoanApplication) -> Run:
    return Run(reference=application.reference, attempt=application.attempt)


def assess(application: LoanApplication) -> None:
    """Validate, pull the reports and judge, as the workflow's first steps do."""
    run = run_of(application)
    services.execution_running(run, arn=f"arn:test:{run.name}")
    progress.validation_record(run)
    *scores, marks = SCORES.get(application.sin_last4, (700, 700, 700, 0))
    for bureau, score in zip(Bureau, scores, strict=True):
        progress.credit_report_record(
            run, bureau=bureau, report=Report(score, marks), bureau_reference="R"
        )
    progress.risk_record(run)


@transaction.atomic
def ask(application: LoanApplication, kind: TaskKind = TaskKind.MANAGER_APPROVAL) -> ReviewTask:
    """Open a review with its callback, as the workflow does when it goes to sleep."""
    run = run_of(application)
    task = progress.review_open(run, kind)
    assert task is not None
    services.callback_open(
        run,
        name=kind.value,
        callback_id=f"callback-{task.pk}",
        expires_at=task.expires_at + timedelta(hours=1),
        review_task=task,
    )
    application.refresh_from_db()
    return task


def waiting_for_manager(user: User | None, **fields: Any) -> LoanApplication:
    """An application that is pending approval; its task is ``review_tasks.get()``."""
    application = submit(user, **fields)
    assess(application)
    ask(application)
    assert application.waiting_until is not None
    assert application.waiting_until > timezone.now()
    return application


def offered(user: User | None = None, **fields: Any) -> LoanApplication:
    """Charlie's application, approved by the policy alone: an offer is made, nothing is paid."""
    application = submit(user, **{"sin_last4": "3333", "loan_amount": Decimal(25000), **fields})
    assess(application)
    progress.offer_begin(run_of(application), verdict=FraudVerdict.PASSED)
    funding.offer_make(run_of(application))
    application.refresh_from_db()
    return application


def disbursing(user: User | None = None, **fields: Any) -> LoanApplication:
    """As ``offered``, and the rail is about to be asked to pay."""
    application = offered(user, **fields)
    funding.disbursement_request(run_of(application))
    application.refresh_from_db()
    return application


def funded(user: User | None = None, **fields: Any) -> LoanApplication:
    """As ``disbursing``, and the rail paid."""
    application = disbursing(user, **fields)
    funding.disbursement_settle(run_of(application), rail_reference="RAIL-1")
    application.refresh_from_db()
    return application
