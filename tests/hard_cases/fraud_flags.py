"""Answers tries of the fraud check, and reviews the flags that a step missed."""

from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from workflows.callbacks import pending
from workflows.callbacks.pending import CallbackReceipt
from workflows.models import PendingCallback
from workflows.steps import review

PASSED, FLAGGED = {"result": "passed"}, {"result": "flagged"}
SMALL: dict[str, Any] = {"sin_last4": "3333", "loan_amount": Decimal(20_000)}
APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE


def receive(callback: PendingCallback, answer: dict[str, str]) -> CallbackReceipt:
    return pending.callback_receive(callback_id=callback.callback_id, answer=answer)


def review_flag(application: LoanApplication, user: User, outcome: Outcome) -> ReviewTask:
    """Open the review that a step missed, and decide it."""
    attempt = casework.run_of(application)
    number = ReviewTask.objects.filter(
        application=application, attempt=attempt.number, kind=TaskKind.FRAUD_REVIEW
    ).count()
    name = "open_fraud_review" + (f"-{number + 1}" if number else "")
    callback_id = f"{attempt.name}/{name}"
    waits = review.review_open(
        attempt, TaskKind.FRAUD_REVIEW, operation=name, callback_id=callback_id
    )
    assert waits is True
    task = ReviewTask.objects.get(callback__callback_id=callback_id)
    decisions.task_decide(task=task, user=user, outcome=outcome, reason="As it stands.")
    return task
