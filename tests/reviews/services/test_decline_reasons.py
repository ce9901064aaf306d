"""Decline reasons: the catalogue, free text, and the applicant's wording."""

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import IntegrityError, transaction

from applications import selectors
from applications.models import ApplicationEvent, LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.errors import ReasonRequired, UnknownReason
from reviews.models import DeclineReason, ReviewDecision
from reviews.services import decisions
from reviews.services.decline_reasons import reasons_for
from tests import casework
from workflows import executions
from workflows.outbox import queue
from workflows.steps import review

pytestmark = pytest.mark.django_db
DECLINE = Outcome.DECLINE
INCOME = "We could not verify your income."


def decline(application: LoanApplication, user: User, **reason: str) -> ReviewDecision:
    return decisions.task_decide(
        task=application.review_tasks.get(status="open"), user=user, outcome=DECLINE, **reason
    )


def told(application: LoanApplication, kind: TaskKind = TaskKind.MANAGER_APPROVAL) -> list[object]:
    """The workflow ends the declined case; what its partner is told."""
    review.declined_on_review(casework.run_of(application), kind)
    case = selectors.application_get(reference=application.reference, partner=None)
    assert case.decision is not None
    return list(case.decision.reasons)


def test_chosen_reason_and_own_words_are_kept_and_told_to_the_applicant(
    waiting: LoanApplication, manager: User
) -> None:
    decision = decline(
        waiting, manager, reason_code="INCOME_NOT_VERIFIED", reason="  No pay slip came. "
    )

    decision.refresh_from_db()
    assert (decision.reason_code, decision.reason_text) == ("INCOME_NOT_VERIFIED", INCOME)
    assert decision.reason == f"{INCOME} No pay slip came."
    event = ApplicationEvent.objects.get(kind="manager_approval_declined")
    assert event.data["reason_code"] == "INCOME_NOT_VERIFIED"
    assert told(waiting) == [
        {"code": "MANAGER_DECLINED", "text": "Declined on review."},
        {"code": "INCOME_NOT_VERIFIED", "text": f"{INCOME} No pay slip came."},
    ]
    executions.closing_notice(casework.run_of(waiting))
    queue.send_due()
    closing = [letter for letter in mail.outbox if letter.to == ["alice@example.com"]]
    assert [INCOME in str(letter.body) for letter in closing] == [True]


def test_own_words_alone_are_told_as_they_were_before_there_was_a_catalogue(
    waiting: LoanApplication, manager: User
) -> None:
    decision = decline(waiting, manager, reason="Out of appetite.")

    assert (decision.reason, decision.reason_code, decision.reason_text) == (
        "Out of appetite.",
        "",
        "",
    )
    assert told(waiting) == [
        {"code": "MANAGER_DECLINED", "text": "Declined on review. Out of appetite."}
    ]


def test_decision_keeps_its_reason_when_the_catalogue_changes(
    waiting: LoanApplication, manager: User
) -> None:
    decision = decline(waiting, manager, reason_code="INCOME_NOT_VERIFIED")

    DeclineReason.objects.filter(code="INCOME_NOT_VERIFIED").update(text="New.", active=False)

    decision.refresh_from_db()
    assert (decision.reason, decision.reason_text) == (INCOME, INCOME)
    assert told(waiting)[1] == {"code": "INCOME_NOT_VERIFIED", "text": INCOME}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("LATE", "The catalogue has no such reason."),
        ("PURPOSE_NOT_ELIGIBLE", "This reason is retired."),
        ("FRAUD_CONFIRMED", "This is no reason to decline a manager approval."),
    ],
)
def test_reason_that_cannot_be_chosen_is_refused_and_nothing_is_written(
    waiting: LoanApplication, manager: User, code: str, why: str
) -> None:
    DeclineReason.objects.filter(code="PURPOSE_NOT_ELIGIBLE").update(active=False)

    with pytest.raises(UnknownReason) as refused:
        decline(waiting, manager, reason_code=code, reason="Words do not help.")

    assert refused.value.errors == {"reason_code": [why]}
    assert not ReviewDecision.objects.exists()
    assert waiting.review_tasks.get().status == "open"


def test_reason_that_says_too_little_asks_for_own_words(
    waiting: LoanApplication, manager: User
) -> None:
    with pytest.raises(ReasonRequired):
        decline(waiting, manager, reason_code="OTHER", reason=" ")

    decision = decline(waiting, manager, reason_code="OTHER", reason="The house burned down.")

    assert decision.reason == "The house burned down."
    assert told(waiting)[1] == {"code": "OTHER", "text": "The house burned down."}


def test_approval_takes_no_reason_of_the_catalogue(waiting: LoanApplication, manager: User) -> None:
    with pytest.raises(UnknownReason):
        decisions.task_decide(
            task=waiting.review_tasks.get(),
            user=manager,
            outcome=Outcome.APPROVE,
            reason_code="OTHER",
        )
    assert not ReviewDecision.objects.exists()


def test_fraud_review_is_declined_for_reasons_of_its_own(officer: User, analyst: User) -> None:
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)

    decline(flagged, analyst, reason_code="FRAUD_CONFIRMED")

    assert [reason["code"] for reason in told(flagged, TaskKind.FRAUD_REVIEW)] == [
        "FRAUD_SUSPECTED",
        "FRAUD_CONFIRMED",
    ]


def test_catalogue_is_offered_by_kind_in_its_order_without_what_is_retired() -> None:
    DeclineReason.objects.filter(code="DEBT_TOO_HIGH").update(active=False)

    approval = [found.code for found in reasons_for([TaskKind.MANAGER_APPROVAL])]

    assert approval[:2] == ["INCOME_NOT_VERIFIED", "EMPLOYMENT_NOT_VERIFIED"]
    assert approval[-1] == "OTHER"
    assert not {"DEBT_TOO_HIGH", "FRAUD_CONFIRMED", "TERMS_NOT_ACCEPTED"} & set(approval)
    offer = [found.code for found in reasons_for([TaskKind.OFFER_ACCEPTANCE])]
    assert offer == ["INTEREST_WITHDRAWN", "TERMS_NOT_ACCEPTED", "OTHER"]
    assert not reasons_for([])


@pytest.mark.both_databases
def test_reason_that_fits_nothing_is_refused_by_the_database() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        DeclineReason.objects.create(code="NOTHING", text="For nothing.", kinds=[])
