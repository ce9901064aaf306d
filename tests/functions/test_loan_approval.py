"""Every branch of the workflow, on the durable SDK's own test runner."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from accounts.roles import Role
from applications.choices import Bureau
from applications.models import CreditReport, Disbursement, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.casework import submit
from tests.functions.wire import Wire, wire
from tests.waiting import eventually
from workflows.callbacks import pending
from workflows.models import Execution, Incident, PendingCallback, SimulatedPayout
from workflows.operations import application_restart
from workflows.outbox import queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


def state(application: LoanApplication) -> tuple[str, str]:
    application.refresh_from_db()
    return application.status, application.current_step


def open_task(application: LoanApplication, kind: TaskKind) -> ReviewTask:
    return eventually(
        lambda: ReviewTask.objects.filter(
            application=application, kind=kind, status="open", callback__isnull=False
        ).first(),
        what=f"{kind} of {application}",
    )


def finish(aws: Wire, application: LoanApplication) -> dict[str, Any]:
    name = f"{application.reference}-{application.attempt}"
    result = aws.result(name)
    application.refresh_from_db()
    return {"status": result.status.value, "result": result.result, "operations": result}


def change_policy(**fields: Any) -> None:
    casework.change_policies(**fields)


def test_small_clean_case_is_funded_without_a_person(aws: Wire, officer: User) -> None:
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("25000.00"))
    assert finish(aws, application)["status"] == "SUCCEEDED"
    assert state(application) == ("funded", "complete")
    assert not ReviewTask.objects.exists()
    offer = application.offers.get()
    assert offer.annual_rate == Decimal("11.00")
    assert offer.instalments.count() == 60
    assert offer.letter is not None
    with offer.letter.file.open() as letter:
        assert letter.read(5) == b"%PDF-"
    ledger = application.disbursement
    assert (ledger.status, ledger.amount) == ("paid", Decimal("25000.00"))
    assert SimulatedPayout.objects.get().idempotency_key == f"payout-{application.reference}"
    execution = Execution.objects.get()
    assert (execution.status, execution.result) == ("SUCCEEDED", {"status": "funded"})
    assert execution.arn == aws.arns[execution.name]


def test_subprime_above_its_limit_is_declined_with_the_reason(aws: Wire, officer: User) -> None:
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("25001.00"))
    finish(aws, application)
    assert state(application) == ("declined", "risk_assessment")
    assert [reason["code"] for reason in application.decision_reasons] == [
        "AMOUNT_ABOVE_TIER_LIMIT"
    ]
    assert not Disbursement.objects.exists()


def test_poor_record_is_declined_with_every_reason(aws: Wire, officer: User) -> None:
    application = submit(officer, sin_last4="2222", loan_amount=Decimal("50000.00"))
    finish(aws, application)
    assert state(application) == ("declined", "risk_assessment")
    assert [reason["code"] for reason in application.decision_reasons] == [
        "SCORE_TOO_LOW",
        "DEROGATORY_MARKS",
    ]


def test_large_amount_waits_for_a_manager_and_costs_twelve_operations(
    aws: Wire, officer: User, manager: User
) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    assert state(application) == ("pending_approval", "manager_approval")
    assert application.waiting_on == "manager"
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    ended = finish(aws, application)
    assert state(application) == ("funded", "complete")
    names = sorted(str(operation.name) for operation in ended["operations"].get_all_operations())
    assert names == sorted(
        [
            "validate",
            "credit_check",
            *Bureau.values,
            "risk_assessment",
            "manager_approval",
            "open_manager_approval",
            "fraud_check-1",
            "request_fraud_check-1",
            "generating_offer",
            "disbursing",
        ]
    )
    assert len(names) == 9 + len(Bureau)
    assert set(PendingCallback.objects.values_list("status", flat=True)) == {"delivered"}


def test_manager_declines_and_the_reason_is_kept(aws: Wire, officer: User, manager: User) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    decisions.task_decide(
        task=task, user=manager, outcome=Outcome.DECLINE, reason="Income not proven."
    )
    finish(aws, application)
    assert state(application) == ("declined", "manager_approval")
    assert application.decision_reasons == [
        {"code": "MANAGER_DECLINED", "text": "Declined on review. Income not proven."}
    ]
    assert not SimulatedPayout.objects.exists()


def test_two_people_approve_at_the_second_threshold(
    aws: Wire, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    second = make_user("senior2", Role.SENIOR_MANAGER)
    application = submit(officer, loan_amount=Decimal("500000.00"))
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    assert (task.approvals_required, task.assigned_role) == (2, "senior_manager")
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    assert state(application) == ("pending_approval", "manager_approval")
    assert PendingCallback.objects.get().status == "open"
    decisions.task_decide(task=task, user=second, outcome=Outcome.APPROVE)
    finish(aws, application)
    assert state(application) == ("funded", "complete")


def test_flagged_fraud_check_waits_for_an_analyst_who_clears_it(
    aws: Wire, officer: User, analyst: User
) -> None:
    application = submit(officer, sin_last4="4444", loan_amount=Decimal("40000.00"))
    task = open_task(application, TaskKind.FRAUD_REVIEW)
    assert state(application) == ("in_review", "fraud_check")
    assert application.waiting_on == "risk_analyst"
    assert not SimulatedPayout.objects.exists()
    decisions.task_decide(task=task, user=analyst, outcome=Outcome.APPROVE)
    finish(aws, application)
    assert state(application) == ("funded", "complete")


def test_flagged_fraud_check_is_declined_by_the_analyst(
    aws: Wire, officer: User, analyst: User
) -> None:
    application = submit(officer, sin_last4="4444", loan_amount=Decimal("40000.00"))
    task = open_task(application, TaskKind.FRAUD_REVIEW)
    decisions.task_decide(
        task=task, user=analyst, outcome=Outcome.DECLINE, reason="Not the person."
    )
    finish(aws, application)
    assert state(application) == ("declined", "fraud_check")
    assert application.decision_reasons[0]["code"] == "FRAUD_SUSPECTED"


def test_bureau_that_stays_down_makes_a_referral_that_names_it(
    aws: Wire, officer: User, manager: User
) -> None:
    application = submit(officer, sin_last4="5555", loan_amount=Decimal("30000.00"))
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    assert task.reasons == [
        {
            "code": "BUREAU_UNAVAILABLE",
            "text": "A credit bureau did not answer. Missing: Experian.",
        }
    ]
    reported = set(CreditReport.objects.values_list("bureau", flat=True))
    assert reported == {*Bureau.values} - {"experian"}
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    finish(aws, application)
    assert state(application) == ("funded", "complete")


def test_no_bureau_at_all_needs_attention(aws: Wire, officer: User, settings: Any) -> None:
    nowhere = {"url": "http://127.0.0.1:9", "token": ""}
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        **dict.fromkeys(Bureau.values, nowhere),
    }
    application = submit(officer)
    assert finish(aws, application)["status"] == "FAILED"
    assert state(application)[0] == "needs_attention"
    assert "No credit bureau answered" in Incident.objects.get().sentence


def test_case_without_an_income_is_referred(aws: Wire, officer: User) -> None:
    application = submit(
        officer, sin_last4="9001", annual_income=None, loan_amount=Decimal("5000.00")
    )
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    assert "INCOME_NOT_STATED" in [reason["code"] for reason in task.reasons]
    intake.application_withdraw(reference=application.reference, user=officer)


def test_unanswered_manager_expires_when_the_engine_stops_waiting(
    aws: Wire, officer: User, settings: Any
) -> None:
    settings.LOANOFFICE_DELIVERY_GRACE = timedelta(0)
    change_policy(approval_due=timedelta(hours=1), approval_expires=timedelta(hours=1))
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    ReviewTask.objects.update(expires_at=task.opened_at)
    assert aws.time_out(task.callback.callback_id) == 60 * 60
    finish(aws, application)
    assert state(application) == ("expired", "manager_approval")
    assert ReviewTask.objects.get().status == "expired"
    assert PendingCallback.objects.get().status == "expired"


def test_unanswered_manager_expires_by_the_sweep(aws: Wire, officer: User) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    ReviewTask.objects.update(expires_at=task.opened_at)
    assert pending.task_time_out(task_id=task.pk) is True
    finish(aws, application)
    assert state(application) == ("expired", "manager_approval")
    assert PendingCallback.objects.get().status == "delivered"


def test_decision_that_never_reached_the_engine_needs_attention(
    aws: Wire, officer: User, manager: User, settings: Any
) -> None:
    settings.LOANOFFICE_DELIVERY_GRACE = timedelta(minutes=1)
    change_policy(approval_due=timedelta(hours=1), approval_expires=timedelta(hours=1))
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    aws.down = True
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    callback = PendingCallback.objects.get()
    assert callback.status == "answered"
    assert aws.time_out(callback.callback_id) == 61 * 60
    finish(aws, application)
    assert state(application)[0] == "needs_attention"
    task.refresh_from_db()
    assert (task.status, task.outcome) == ("expired", "")
    assert [decision.late for decision in task.decisions.all()] == [True]
    assert Incident.objects.get().kind == "decision_late"


def test_fraud_check_that_never_answers_is_asked_three_times_then_an_incident(
    aws: Wire, officer: User
) -> None:
    change_policy(fraud_check_timeout=timedelta(minutes=1))
    waited: list[int] = []
    aws.fraud_check = lambda event, _: waited.append(aws.time_out(event["callback_id"]))
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    finish(aws, application)
    assert state(application) == ("needs_attention", "fraud_check")
    assert waited == [60, 60, 60]
    assert sum("/fraud-check" in path for path, _ in aws.requests) == 3
    incident = Incident.objects.get()
    assert (incident.kind, incident.status) == ("fraud_unanswered", "open")
    assert not Disbursement.objects.exists()


def test_flag_that_did_not_reach_the_engine_in_time_is_not_lost(
    aws: Wire, officer: User, analyst: User
) -> None:
    """The answer is on record, its delivery fails, and the next try would have passed."""
    change_policy(fraud_check_attempts=2)

    def flag_unheard(event: dict[str, Any], _: object) -> None:
        aws.down = True
        pending.callback_receive(callback_id=event["callback_id"], answer={"result": "flagged"})
        connection.close()
        aws.time_out(event["callback_id"])

    aws.fraud_check = flag_unheard
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    task = open_task(application, TaskKind.FRAUD_REVIEW)
    aws.down = False
    assert sum("/fraud-check" in path for path, _ in aws.requests) == 1
    decisions.task_decide(
        task=task, user=analyst, outcome=Outcome.DECLINE, reason="Not the person."
    )
    finish(aws, application)
    assert state(application) == ("declined", "fraud_check")


def test_case_that_needed_attention_is_restarted_and_paid_once(
    aws: Wire, officer: User, operations: User
) -> None:
    change_policy(fraud_check_attempts=1)
    answering = aws.fraud_check
    aws.fraud_check = lambda event, _: aws.time_out(event["callback_id"])
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    finish(aws, application)
    aws.fraud_check = answering
    application_restart(reference=application.reference, user=operations)
    application.refresh_from_db()
    assert application.attempt == 2
    finish(aws, application)
    assert state(application) == ("funded", "complete")
    assert SimulatedPayout.objects.count() == 1
    assert not Incident.objects.exclude(status="resolved").exists()


def test_offer_waits_for_the_applicant_when_the_policy_asks(aws: Wire, officer: User) -> None:
    change_policy(offer_acceptance_required=True)
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    task = open_task(application, TaskKind.OFFER_ACCEPTANCE)
    assert state(application) == ("approved", "offer_acceptance")
    assert application.waiting_on == "applicant"
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=task, user=officer, outcome=Outcome.APPROVE)
    finish(aws, application)
    assert state(application) == ("funded", "complete")


def test_applicant_declines_the_offer(aws: Wire, officer: User) -> None:
    change_policy(offer_acceptance_required=True)
    application = submit(officer, sin_last4="3333", loan_amount=Decimal("20000.00"))
    task = open_task(application, TaskKind.OFFER_ACCEPTANCE)
    decisions.task_decide(task=task, user=officer, outcome=Outcome.DECLINE, reason="Too dear.")
    finish(aws, application)
    assert state(application) == ("declined", "offer_acceptance")
    assert application.decision_reasons[0]["code"] == "OFFER_DECLINED"


def test_case_withdrawn_while_it_starts_is_left_alone(aws: Wire, officer: User) -> None:
    aws.down = True
    application = submit(officer)
    aws.down = False
    LoanApplication.objects.update(status="withdrawn")
    queue.OutboxMessage.objects.update(due_at="2020-01-01T00:00:00Z")
    queue.send_due()
    assert finish(aws, application)["result"] == '{"status": "superseded"}'
    assert state(application)[0] == "withdrawn"
    assert not CreditReport.objects.exists()


def test_start_that_failed_is_sent_later_and_runs_once(aws: Wire, officer: User) -> None:
    aws.down = True
    application = submit(officer, sin_last4="2222")
    message = queue.OutboxMessage.objects.get(kind="start_execution")
    assert (message.status, message.attempts) == ("pending", 1)
    aws.down = False
    queue.OutboxMessage.objects.update(due_at="2020-01-01T00:00:00Z")
    queue.send_due()
    finish(aws, application)
    assert state(application)[0] == "declined"
    assert len(aws.arns) == 1
