"""Case 07: the application is edited or withdrawn while a manager reads it.

What a withdrawal and a decision at the same moment may leave behind:

- the withdrawal came first: task and callback cancelled, nothing decided, nothing that
  answers; the decider is told that the case is withdrawn;
- the decision came first: it stands in the record with its answer, and the case is
  withdrawn all the same. A stop leaves in both, and a step of the run finds the case closed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.errors import StaleVersion
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.errors import NothingToDecide
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, deliver_what_waits
from tests.hard_cases.together import together
from tests.partners.api.calls import assert_problem, path
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution, OutboxMessage, PendingCallback, SimulatedPayout

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 20
ANSWER, STOP = OutboxMessage.Kind.ANSWER_CALLBACK, OutboxMessage.Kind.STOP_EXECUTION


def messages(application: LoanApplication, kind: OutboxMessage.Kind) -> int:
    return OutboxMessage.objects.filter(execution__application=application, kind=kind).count()


def nothing_was_decided() -> bool:
    return not (
        ReviewDecision.objects.exists()
        or OutboxMessage.objects.filter(kind=ANSWER).exists()
        or ReviewTask.objects.exclude(status="open").exists()
    )


def edit_in_the_office(client: Client, application: LoanApplication, phone: str) -> None:
    """Open the case's page, have its contact details shown, type a telephone number, save."""
    client.post(page("reveal", application))
    form = client.get(page("change", application)).context["adminform"].form
    typed = {name: form[name].value() for name in form.fields} | {"phone": phone}
    answer = client.post(page("change", application), {**typed, "_save": "yes"})
    assert answer.status_code == 302


# --- Edited -------------------------------------------------------------------------------


def test_api_answers_409_to_a_stale_version_until_it_is_read_again(
    login: Login, waiting: LoanApplication, officer: User, manager: User
) -> None:
    client = login(manager)
    read = client.get(path(waiting.reference)).json()["version"]
    edit_in_the_office(login(officer), waiting, "613-555-0199")

    def decide(version: int) -> Any:
        return client.post(
            path(waiting.reference, "decision/"),
            {"approved": True, "version": version},
            content_type="application/json",
        )

    problem = assert_problem(decide(read), 409, "stale-version")
    assert "is at version 2; you read version 1" in problem["detail"]
    assert nothing_was_decided()

    assert decide(client.get(path(waiting.reference)).json()["version"]).status_code == 200
    assert ReviewDecision.objects.get().application_version == 2


@pytest.mark.parametrize("outcome", ["approve", "decline"])
def test_office_says_that_it_changed_and_decides_after_it_was_read_again(
    login: Login, waiting: LoanApplication, officer: User, manager: User, outcome: str
) -> None:
    client = login(manager)
    address = decide_page(waiting, outcome)
    opened = client.get(address).context["form"]["version"].value()
    edit_in_the_office(login(officer), waiting, "613-555-0199")

    refused = client.post(address, {"version": opened, "reason": "Because."})

    assert refused.url == page("change", waiting)
    assert said(refused) == [
        f"{waiting.reference} is at version 2; you read version 1. Read it again, then decide."
    ]
    assert nothing_was_decided()
    opened = client.get(address).context["form"]["version"].value()
    client.post(address, {"version": opened, "reason": "Because."})
    assert ReviewDecision.objects.get().application_version == 2


@pytest.mark.both_databases
def test_edit_and_decision_at_once_never_leave_a_decision_on_facts_that_were_not_read(
    officer: User, manager: User
) -> None:
    cases = casework.many_waiting_for_manager(officer, ROUNDS)
    for number, application in enumerate(cases):
        task = application.review_tasks.get()
        decide = partial(
            decisions.task_decide, task=task, user=manager, outcome=Outcome.APPROVE, version=1
        )
        edit = partial(
            intake.application_edit,
            reference=application.reference,
            user=officer,
            phone="613-555-0199",
        )

        results = dict(zip("de", together([decide, edit]), strict=True))

        application.refresh_from_db()
        kinds = list(
            ApplicationEvent.objects.filter(
                application=application, kind__in=["edited", "manager_approval_approved"]
            ).values_list("kind", flat=True)
        )
        if isinstance(results["d"], StaleVersion):
            assert kinds == ["edited"], f"round {number}"
            assert (application.version, application.attempt) == (2, 1)
            assert not ReviewDecision.objects.filter(task=task).exists()
            assert messages(application, ANSWER) == 0
        else:
            assert kinds == ["manager_approval_approved", "edited"], f"round {number}"
            decision = ReviewDecision.objects.get(task=task)
            assert decision.application_version == 1
            # It is asked again, in an attempt of its own.
            assert decision.voided_at is not None
            assert (application.version, application.attempt) == (3, 2)
            assert messages(application, ANSWER) == 1


# --- Withdrawn ----------------------------------------------------------------------------


def assert_consistent(application: LoanApplication, decision: object) -> bool:
    """One of the two final states, told by what the decider got; true if they were first."""
    application.refresh_from_db()
    assert (application.status, application.waiting_on) == ("withdrawn", "")
    assert application.closed_at is not None
    assert messages(application, STOP) == 1
    task = application.review_tasks.get()
    callback = PendingCallback.objects.get(review_task=task)
    events = list(
        ApplicationEvent.objects.filter(
            application=application, kind__in=["withdrawn", "manager_approval_approved"]
        ).values_list("kind", flat=True)
    )
    if isinstance(decision, ReviewDecision):
        assert list(task.decisions.all()) == [decision]
        assert (task.status, task.outcome, callback.status) == ("decided", "approve", "cancelled")
        assert messages(application, ANSWER) == 1
        assert events == ["manager_approval_approved", "withdrawn"]
        return True
    assert isinstance(decision, NothingToDecide), decision
    assert "is withdrawn and is not waiting" in str(decision)
    assert (task.status, task.outcome, callback.status) == ("cancelled", "", "cancelled")
    assert not task.decisions.exists()
    assert messages(application, ANSWER) == 0
    assert events == ["withdrawn"]
    return False


def approve(application: LoanApplication, user: User) -> ReviewDecision | Exception:
    try:
        return decisions.task_decide(
            task=application.review_tasks.get(), user=user, outcome=Outcome.APPROVE
        )
    except NothingToDecide as refused:
        return refused


def test_withdrawal_before_the_decision(
    waiting: LoanApplication, officer: User, manager: User
) -> None:
    intake.application_withdraw(reference=waiting.reference, user=officer)

    assert assert_consistent(waiting, approve(waiting, manager)) is False


def test_withdrawal_after_the_decision(
    waiting: LoanApplication, officer: User, manager: User
) -> None:
    decision = approve(waiting, manager)
    intake.application_withdraw(reference=waiting.reference, user=officer)

    assert assert_consistent(waiting, decision) is True


@pytest.mark.both_databases
def test_withdrawal_and_decision_at_once_leave_one_of_the_two_whoever_was_first(
    officer: User, manager: User
) -> None:
    for application in casework.many_waiting_for_manager(officer, ROUNDS):
        withdraw = partial(
            intake.application_withdraw, reference=application.reference, user=officer
        )

        decision, withdrawn = together([partial(approve, application, manager), withdraw])

        assert isinstance(withdrawn, LoanApplication), withdrawn
        assert_consistent(application, decision)


@pytest.mark.both_databases
def test_withdrawals_at_once_are_one(officer: User) -> None:
    for application in casework.many_waiting_for_manager(officer, 5):
        withdraw = partial(
            intake.application_withdraw, reference=application.reference, user=officer
        )

        results = together([withdraw] * 6)

        assert all(isinstance(result, LoanApplication) for result in results), results
        application.refresh_from_db()
        assert (application.status, application.version) == ("withdrawn", 2)
        assert application.events.filter(kind="withdrawn").count() == 1
        assert messages(application, STOP) == 1


@pytest.mark.parametrize("way", ["api", "office"])
def test_decider_of_a_withdrawn_case_is_told_at_each_door(
    login: Login, waiting: LoanApplication, officer: User, manager: User, way: str
) -> None:
    client = login(manager)
    address = decide_page(waiting, "approve")
    opened = client.get(address).context["form"]["version"].value()
    login(officer).post(page("withdraw", waiting), {"reason": "Found another lender."})

    if way == "api":
        answer = client.post(
            path(waiting.reference, "decision/"),
            {"approved": True, "version": opened},
            content_type="application/json",
        )
        sentence = assert_problem(answer, 409, "nothing-to-decide")["detail"]
    else:
        [sentence] = said(client.post(address, {"version": opened}))

    assert sentence == f"{waiting.reference} is withdrawn and is not waiting for this decision."
    assert not ReviewDecision.objects.exists()


# --- With the engine ----------------------------------------------------------------------


def test_withdrawal_stops_the_execution_that_sleeps(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")

    office.partner.post(path(reference, "withdraw/"), {}, content_type="application/json")

    execution = Execution.objects.get()
    assert OutboxMessage.objects.get(kind=STOP).status == "sent"
    assert execution.status == "STOPPED"
    eventually(lambda: engine.get(arn=str(execution.arn))["Status"] == "STOPPED")
    assert office.read(reference)["status"] == "withdrawn"


STAGES = ("manager_approval", "fraud_check", "generating_offer", "disbursing", "complete")


@pytest.mark.both_databases
def test_approved_case_that_is_withdrawn_on_its_way_is_paid_or_withdrawn_and_never_both(
    running: Callable[..., EngineProcess], office: Office, partner_key: str, manager: User
) -> None:
    running(latency=0.1)
    cases = {office.submit("alice"): stage for stage in STAGES for _ in range(2)}
    for reference in cases:
        office.until(reference, status="pending_approval")

    def approve_then_withdraw(reference: str, stage: str) -> int:
        application = LoanApplication.objects.get(reference=reference)
        assert isinstance(approve(application, manager), ReviewDecision)
        reached = STAGES[STAGES.index(stage) :]
        rows = LoanApplication.objects.filter(reference=reference, current_step__in=reached)
        eventually(rows.exists)
        answer = Client(headers={"Authorization": f"Bearer {partner_key}"}).post(
            path(reference, "withdraw/"), {}, content_type="application/json"
        )
        return int(answer.status_code)

    answers = together([partial(approve_then_withdraw, *case) for case in cases.items()])
    deliver_what_waits()

    for (reference, stage), answer in zip(cases.items(), answers, strict=True):
        execution = Execution.objects.get(application__reference=reference)
        eventually(lambda arn=execution.arn: engine.get(arn=str(arn))["Status"] != "RUNNING")
        status = office.read(reference)["status"]
        paid = SimulatedPayout.objects.filter(idempotency_key=f"payout-{reference}").count()
        ledger = Disbursement.objects.filter(application__reference=reference)
        assert (answer, status, paid, ledger.count()) in [
            (200, "withdrawn", 0, 0),
            (409, "funded", 1, 1),
        ]
        if stage in {"disbursing", "complete"}:
            assert status == "funded", "money was on its way when it was withdrawn"
