"""A step that runs again writes nothing; an old attempt may write nothing."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from applications.choices import Bureau, Step
from applications.errors import ApplicationClosed
from applications.models import (
    ApplicationEvent,
    CreditReport,
    Disbursement,
    Instalment,
    LoanApplication,
    LoanOffer,
)
from applications.services import attempts, intake
from applications.services.attempts import Attempt
from lending.choices import Outcome
from lending.models import LendingPolicy
from lending.underwriting import Report
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests.casework import (
    ask,
    assess,
    make_offer,
    offered,
    pass_fraud_check,
    run_of,
    submit,
    waiting_for_manager,
)
from tests.lending.publishing import copy_in_force, publish
from workflows.models import PendingCallback
from workflows.operations import NothingToHold, application_stop
from workflows.steps import credit, offer, payout, review, risk, validation

pytestmark = pytest.mark.django_db


def everything() -> list[object]:
    """Every row that a step may write, as values."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (
            LoanApplication,
            ApplicationEvent,
            CreditReport,
            ReviewTask,
            LoanOffer,
            Instalment,
        )
    ]


def test_each_step_run_again_writes_nothing(officer: User, manager: User) -> None:
    application = submit(officer)
    run = run_of(application)

    def twice(step: object) -> None:
        step()
        before = everything()
        step()
        assert everything() == before

    twice(lambda: validation.validation_record(run))
    for bureau in Bureau:
        twice(
            lambda bureau=bureau: credit.credit_report_record(
                run, bureau=bureau, report=Report(780, 0), bureau_reference="R"
            )
        )
    twice(lambda: attempts.show_step(run, Step.RISK_ASSESSMENT))
    twice(lambda: risk.risk_record(run))
    with transaction.atomic():
        twice(lambda: review.review_open(run, TaskKind.MANAGER_APPROVAL, callback_id="M"))


def test_task_opened_again_after_the_decision_does_not_reopen_the_case(
    officer: User, manager: User
) -> None:
    """Killed between commit and checkpoint, the publishing step runs again, later."""
    application = submit(officer)
    assess(application)
    run = run_of(application)
    task = ask(application)
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert review.review_open(run, TaskKind.MANAGER_APPROVAL, callback_id="M") is True
    assert ReviewTask.objects.get() == task
    assert PendingCallback.objects.get().callback_id != "M"
    application.refresh_from_db()
    assert application.status == "in_review"


def test_offer_and_payout_run_again_are_the_same_offer_and_payout(officer: User) -> None:
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    assess(application)
    run = run_of(application)
    pass_fraud_check(application)
    for _ in range(2):
        assert offer.offer_begin(run) is None
    first = make_offer(run)
    assert make_offer(run) == first
    assert Instalment.objects.count() == 60
    order = payout.disbursement_request(run)
    assert payout.disbursement_request(run) == order
    payout.disbursement_settle(run, rail_reference="PAY-1")
    payout.disbursement_settle(run, rail_reference="PAY-2")
    application.refresh_from_db()
    assert application.disbursement.rail_reference == "PAY-1"
    again = payout.disbursement_request(run)
    assert isinstance(again, payout.PayoutOrder)
    assert again.status == "paid"
    assert application.status == "funded"
    assert application.events.filter(kind="funded").count() == 1


def test_closed_case_turns_a_step_away(officer: User) -> None:
    application = submit(officer)
    intake.application_withdraw(reference=application.reference, user=officer)
    before = everything()
    with (
        pytest.raises(ApplicationClosed, match="the application is withdrawn"),
        transaction.atomic(),
    ):
        validation.validation_record(run_of(application))
    assert everything() == before


def test_older_attempt_is_turned_away(officer: User) -> None:
    application = submit(officer)
    LoanApplication.objects.update(attempt=2)
    with pytest.raises(ApplicationClosed, match="a newer attempt"), transaction.atomic():
        validation.validation_record(Attempt(application.reference, 1))


@pytest.mark.parametrize("status", ["withdrawn", "needs_attention"])
def test_step_of_a_case_that_nothing_carries_is_not_shown(officer: User, status: str) -> None:
    application = submit(officer)
    validation.validation_record(run_of(application))
    LoanApplication.objects.update(status=status)
    attempts.show_step(run_of(application), Step.RISK_ASSESSMENT)
    application.refresh_from_db()
    assert application.current_step == "credit_check"


def test_step_shown_never_moves_back(officer: User) -> None:
    application = waiting_for_manager(officer)
    attempts.show_step(run_of(application), Step.VALIDATING)
    application.refresh_from_db()
    assert application.current_step == "manager_approval"


def test_policy_published_while_a_case_sleeps_does_not_touch_it(officer: User) -> None:
    application = submit(officer)
    assess(application)
    policy = LendingPolicy.objects.get()
    newer = publish(copy_in_force(approval_threshold=Decimal("1.00")))
    application.refresh_from_db()
    assert application.policy == policy
    assert validation.validation_record(run_of(application)).valid
    later = submit(officer)
    validation.validation_record(run_of(later))
    later.refresh_from_db()
    assert later.policy == newer


def test_loan_below_the_smallest_is_declined_with_a_sentence(officer: User) -> None:
    application = submit(officer, loan_amount=Decimal("499.99"))
    assert not validation.validation_record(run_of(application)).valid
    application.refresh_from_db()
    assert application.status == "declined"
    assert application.decision_reasons == [
        {"code": "INVALID_APPLICATION", "text": "The smallest loan is 500.00 CAD."}
    ]
    smallest = submit(officer, loan_amount=Decimal("500.00"))
    assert validation.validation_record(run_of(smallest)).valid


def test_loan_too_small_for_its_term_is_declined_with_the_figures(officer: User) -> None:
    application = submit(officer, loan_amount=Decimal("1000.00"), term_months=360)
    assess(application)
    application.refresh_from_db()
    assert application.status == "declined"
    assert application.decision_reasons == [
        {
            "code": "INSTALMENT_TOO_SMALL",
            "text": "The amount is too small for the term. 360 monthly instalments would be 5.52 "
            "CAD each; the smallest is 15.00 CAD. A shorter term has larger ones.",
        }
    ]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_run_of_a_case_in_the_hands_of_operations_writes_nothing_and_pays_nothing(
    officer: User, operations: User
) -> None:
    application = offered(officer)
    run = run_of(application)
    application_stop(reference=application.reference, user=operations, reason="Wait.")
    before = everything()
    for step in (
        lambda: payout.disbursement_request(run),
        lambda: payout.disbursement_settle(run, rail_reference="R"),
        lambda: review.declined_on_review(run, TaskKind.MANAGER_APPROVAL),
    ):
        with pytest.raises(ApplicationClosed, match="needs attention"):
            step()
    assert everything() == before
    assert not Disbursement.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_stop_and_payout_at_once_leave_one_of_the_two(officer: User, operations: User) -> None:
    for _ in range(10):
        application = offered(officer)
        run = run_of(application)
        together = Barrier(2)

        def stop(run: Attempt = run, together: Barrier = together) -> bool:
            together.wait(30)
            try:
                application_stop(reference=run.reference, user=operations, reason="Wait.")
            except NothingToHold:
                return False
            finally:
                connection.close()
            return True

        def pay(run: Attempt = run, together: Barrier = together) -> bool:
            together.wait(30)
            try:
                payout.disbursement_request(run)
            except ApplicationClosed:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(2) as pool:
            stopped, paying = (future.result() for future in [pool.submit(stop), pool.submit(pay)])
        assert stopped is not paying
        application.refresh_from_db()
        assert application.status == ("needs_attention" if stopped else "approved")
        assert Disbursement.objects.filter(application=application).exists() is paying
