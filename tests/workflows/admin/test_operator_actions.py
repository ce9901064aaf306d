"""Actions of Operations on an application: who sees each button, and what it does."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import Proposal
from applications.choices import Status
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from reviews.choices import TaskStatus
from tests import casework
from tests.applications.admin.conftest import Login, page, said
from tests.workflows import trouble
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from workflows.models import Execution, Incident, OutboxMessage, SimulatedPayout
from workflows.operations import execution_pause
from workflows.outbox import queue

pytestmark = pytest.mark.both_databases

REASON = {"reason": "The bureau is down."}
NOTE = {"note": "The bank's statement of today."}
# The simulated rail looks into its books beside the test's transaction, as a bank would.
BESIDE = pytest.mark.django_db(transaction=True)
PRESSES = ("paid", "not_paid", "restart", "resume", "pause", "stop")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    with lambda_stub(monkeypatch) as serving:
        yield serving


@pytest.fixture
def running(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer)


@pytest.fixture
def paused(running: LoanApplication, operations: User) -> LoanApplication:
    execution_pause(reference=running.reference, user=operations, reason="The bureau is down.")
    return running


@pytest.fixture
def stuck(officer: User) -> LoanApplication:
    return trouble.stuck(officer).application


@pytest.fixture
def unknown(officer: User) -> LoanApplication:
    return trouble.payout_unknown(officer).application


def buttons(client: Client, application: LoanApplication) -> list[str]:
    html = client.get(page("change", application)).content.decode()
    return [name for name in PRESSES if f'id="press-{name.replace("_", "-")}"' in html]


def facts(application: LoanApplication) -> list[Any]:
    """Return all rows that an action may write about an application."""
    application.refresh_from_db()
    about = {"application": application}
    return [
        application.status,
        application.attempt,
        application.version,
        list(Execution.objects.filter(**about).values_list("name", "paused_at", "ended_at")),
        list(Incident.objects.filter(**about).order_by("pk").values_list("status", "sentence")),
        list(Disbursement.objects.filter(**about).values_list("status", "rail_reference")),
        list(OutboxMessage.objects.order_by("pk").values_list("key", "status")),
        ApplicationEvent.objects.filter(**about).count(),
    ]


def line(application: LoanApplication, kind: str) -> ApplicationEvent:
    """The one line that a press left in the audit trail."""
    return ApplicationEvent.objects.get(application=application, kind=kind)


def rail_has_paid(application: LoanApplication) -> None:
    SimulatedPayout.objects.create(
        idempotency_key=f"payout-{application.reference}",
        reference="PAY-9",
        amount=Decimal(25000),
        currency="CAD",
    )


def confirm(login: Login, user: User) -> Any:
    """Another person confirms the one open proposal."""
    proposal = Proposal.objects.get(status=Proposal.Status.OPEN)
    return login(user).post(reverse("admin:accounts_proposal_confirm", args=[proposal.pk]))


def leaves() -> None:
    """Return the messages that the sweep sends."""
    OutboxMessage.objects.exclude(kind=OutboxMessage.Kind.EMAIL).update(leased_until=None)
    OutboxMessage.objects.filter(kind=OutboxMessage.Kind.EMAIL).delete()
    queue.send_due()


# --- Who sees them --------------------------------------------------------------------------

CASES = ("running", "paused", "stuck", "unknown")
SEEN = {
    "running": ["pause", "stop"],
    "paused": ["resume", "stop"],
    "stuck": ["restart"],
    "unknown": ["paid", "not_paid"],
}


@pytest.mark.parametrize("name", CASES)
def test_operations_sees_what_may_be_pressed_now_and_nobody_else_sees_any(
    login: Login,
    operations: User,
    onlookers: dict[str, User],
    request: pytest.FixtureRequest,
    name: str,
) -> None:
    application = request.getfixturevalue(name)

    assert buttons(login(operations), application) == SEEN[name]
    assert {who: buttons(login(user), application) for who, user in onlookers.items()} == {
        who: [] for who in onlookers
    }


@pytest.mark.parametrize("press", PRESSES)
@pytest.mark.parametrize("name", CASES)
def test_who_may_not_press_is_refused_and_nothing_is_written(
    login: Login,
    onlookers: dict[str, User],
    request: pytest.FixtureRequest,
    name: str,
    press: str,
) -> None:
    application = request.getfixturevalue(name)
    before = facts(application)

    for user in onlookers.values():
        client = login(user)
        for answer in (
            client.get(page(press, application)),
            client.post(page(press, application), {**REASON, **NOTE, "rail_reference": "R-1"}),
        ):
            assert (answer.status_code, answer.url) == (302, page("change", application))
            assert "Only Operations" in said(answer)[-1]

    assert facts(application) == before


def test_who_may_not_see_the_case_may_press_nothing(
    login: Login, make_user: Callable[..., User], running: LoanApplication
) -> None:
    before = facts(running)
    client = login(make_user("nobody"))

    for press in PRESSES:
        assert client.post(page(press, running), REASON).status_code == 403
    assert Client().post(page("stop", running), REASON).status_code == 302

    assert facts(running) == before


@pytest.mark.parametrize("name", CASES)
def test_get_and_head_show_the_question_and_change_nothing(
    login: Login, operations: User, request: pytest.FixtureRequest, name: str
) -> None:
    application = request.getfixturevalue(name)
    client = login(operations)
    before = facts(application)

    for press in PRESSES:
        answer = client.get(page(press, application))
        client.head(page(press, application))
        if press in SEEN[name]:
            assert answer.status_code == 200
            assert '<form method="post"' in answer.content.decode()
            assert f"{application.loan_amount:,.2f}" in answer.content.decode()
        else:
            assert (answer.status_code, answer.url) == (302, page("change", application))
        assert client.put(page(press, application)).status_code == 405

    assert facts(application) == before


# --- What they do ---------------------------------------------------------------------------


def test_restart_begins_a_new_attempt_once(
    login: Login, operations: User, stuck: LoanApplication, stub: LambdaStub
) -> None:
    client = login(operations)

    answer = client.post(page("restart", stuck), {"reason": "The service is back."})

    assert said(answer) == [f"{stuck.reference} is restarted as attempt 2."]
    stuck.refresh_from_db()
    assert (stuck.status, stuck.attempt) == (Status.SUBMITTED, 2)
    left = line(stuck, "restarted")
    assert (left.actor, left.is_internal) == (operations, True)
    assert "The service is back." in left.message
    assert Incident.objects.get().status == Incident.Status.RESOLVED
    assert OutboxMessage.objects.filter(key=f"start/{stuck.reference}-2").count() == 1
    before = facts(stuck)
    again = client.post(page("restart", stuck), REASON)
    assert "cannot become submitted" in said(again)[-1]
    assert facts(stuck) == before
    leaves()
    assert f"{stuck.reference}-2" in {stub.name(index) for index in range(len(stub.requests))}


def test_stop_ends_the_workflow_once_and_says_so(
    login: Login, operations: User, running: LoanApplication, stub: LambdaStub
) -> None:
    client = login(operations)
    assert "This field is required." in client.post(page("stop", running)).content.decode()
    assert running.executions.get().ended_at is None

    client.post(page("stop", running), REASON)

    running.refresh_from_db()
    assert running.status == Status.NEEDS_ATTENTION
    assert running.review_tasks.get().status == TaskStatus.CANCELLED
    left = line(running, "stopped")
    assert (left.actor, left.is_internal, left.data) == (operations, True, REASON)
    assert Incident.objects.get().kind == Incident.Kind.STOPPED
    before = facts(running)
    again = client.post(page("stop", running), REASON)
    assert said(again)[-1] == f"No workflow runs for {running.reference}."
    assert facts(running) == before
    leaves()
    assert [path for path, _, _ in stub.requests if path.endswith("/stop")]
    assert buttons(client, running) == ["restart"]


def test_pause_and_resume_leave_once_each(
    login: Login, operations: User, running: LoanApplication, stub: LambdaStub
) -> None:
    client = login(operations)
    assert "This field is required." in client.post(page("pause", running)).content.decode()

    client.post(page("pause", running), REASON)
    paused = facts(running)
    again = client.post(page("pause", running), REASON)

    assert said(again)[-1] == f"The workflow of {running.reference} is paused already."
    assert facts(running) == paused
    left = line(running, "paused")
    assert (left.actor, left.is_internal, left.data) == (operations, True, REASON)
    leaves()
    client.post(page("resume", running))
    resumed = facts(running)
    client.post(page("resume", running))
    assert facts(running) == resumed
    assert line(running, "resumed").actor == operations
    leaves()
    ends = [path.rpartition("/")[2] for path, _, _ in stub.requests]
    assert [end for end in ends if end in {"pause", "resume"}] == ["pause", "resume"]


def test_paid_with_the_rails_reference_funds_the_case_once_when_another_confirms(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    client = login(operations)

    asked = client.post(page("paid", unknown), {**NOTE, "rail_reference": " WIRE-7 "}, follow=True)

    unknown.refresh_from_db()
    assert (unknown.status, unknown.disbursement.status) == (Status.NEEDS_ATTENTION, "unknown")
    html = asked.content.decode()
    assert "It waits for one of: senior." in html
    for shown in ("25,000.00 CAD", "Outcome unknown", "Paid", "WIRE-7 (as typed", *NOTE.values()):
        assert shown in html.replace("&#x27;", "'")
    assert buttons(client, unknown) == []
    for each in (client, login(senior)):
        assert 'id="to-proposal"' in each.get(page("change", unknown)).content.decode()
    confirm(login, senior)

    unknown.refresh_from_db()
    assert unknown.status == Status.FUNDED
    assert (unknown.disbursement.status, unknown.disbursement.rail_reference) == ("paid", "WIRE-7")
    left = line(unknown, "payout_settled")
    assert (left.actor, left.is_internal) == (senior, True)
    people = {"proposed_by": "operations", "confirmed_by": "senior"}
    assert left.data == {"paid": True, "rail_reference": "WIRE-7", **NOTE, **people}
    assert Incident.objects.get().status == Incident.Status.RESOLVED
    assert OutboxMessage.objects.filter(key=f"closed/{unknown.reference}-1").count() == 1
    before = facts(unknown)
    again = client.post(page("paid", unknown), NOTE)
    assert "is not of unknown outcome: paid." in said(again)[-1]
    assert facts(unknown) == before


@BESIDE
def test_paid_takes_the_reference_from_a_rail_that_knows_it(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    rail_has_paid(unknown)

    login(operations).post(page("paid", unknown), {**NOTE, "rail_reference": "typed wrongly"})
    confirm(login, senior)

    assert Disbursement.objects.get().rail_reference == "PAY-9"


def test_paid_asks_for_the_reference_where_the_rail_does_not_know_it(
    login: Login, operations: User, unknown: LoanApplication
) -> None:
    before = facts(unknown)

    answer = login(operations).post(page("paid", unknown), NOTE)

    assert answer.status_code == 200
    assert "enter the reference" in answer.context["form"].errors["rail_reference"][0]
    assert NOTE["note"] in answer.content.decode().replace("&#x27;", "'")
    assert facts(unknown) == before


def test_not_paid_is_recorded_once_and_the_case_can_be_restarted(
    login: Login, operations: User, senior: User, unknown: LoanApplication
) -> None:
    client = login(operations)

    client.post(page("not_paid", unknown), NOTE)
    confirm(login, senior)

    unknown.refresh_from_db()
    assert (unknown.status, unknown.disbursement.status) == (Status.NEEDS_ATTENTION, "not_paid")
    assert line(unknown, "payout_settled").data["paid"] is False
    assert "was not made" in Incident.objects.get().sentence
    before = facts(unknown)
    client.post(page("not_paid", unknown), NOTE)
    assert facts(unknown) == before
    assert buttons(client, unknown) == ["restart"]
    assert "Not paid, as two people found" in client.get(page("change", unknown)).content.decode()


@BESIDE
def test_not_paid_is_refused_where_the_rail_has_paid(
    login: Login, operations: User, unknown: LoanApplication
) -> None:
    rail_has_paid(unknown)
    before = facts(unknown)

    answer = login(operations).post(page("not_paid", unknown), NOTE)

    assert answer.status_code == 200
    shown = answer.context["form"].non_field_errors()[0]
    assert f"it paid {unknown.reference} as PAY-9" in shown
    assert "Say that it was paid instead." in shown
    assert facts(unknown) == before


@pytest.mark.parametrize("press", ["not_paid", "paid"])
def test_rail_that_cannot_be_asked_is_shown_and_only_paid_goes_without_it(
    login: Login, operations: User, senior: User, unknown: LoanApplication, press: str
) -> None:
    nowhere = {"payout": {"url": "http://127.0.0.1:9", "token": ""}}
    before = facts(unknown)

    with override_settings(LOANOFFICE_PROVIDERS=nowhere):
        answer = login(operations).post(page(press, unknown), {**NOTE, "rail_reference": "R-1"})

        if press == "paid":
            confirm(login, senior)

    if press == "paid":
        unknown.refresh_from_db()
        assert unknown.status == Status.FUNDED
    else:
        assert answer.status_code == 200
        assert "cannot be asked" in answer.context["form"].non_field_errors()[0]
        assert facts(unknown) == before


@pytest.mark.parametrize("press", ["paid", "not_paid"])
def test_payout_is_not_settled_without_a_note(
    login: Login, operations: User, unknown: LoanApplication, press: str
) -> None:
    before = facts(unknown)

    answer = login(operations).post(page(press, unknown), {"rail_reference": "R", "note": "  "})

    assert answer.context["form"].errors["note"]
    assert facts(unknown) == before


# --- The way back ---------------------------------------------------------------------------


def test_press_from_an_incident_leads_back_to_it_and_from_elsewhere_to_the_case(
    login: Login, operations: User, stuck: LoanApplication, officer: User
) -> None:
    mine = Incident.objects.get(application=stuck)
    foreign = trouble.stuck(officer)
    client = login(operations)
    home = f"/admin/workflows/incident/{mine.pk}/change/"

    asked = client.get(page("restart", stuck), {"incident": mine.pk})
    assert f'href="{home}">Cancel</a>' in asked.content.decode()
    for wrong in (foreign.pk, "0", "999999999999999999999", "//evil.example", ""):
        html = client.get(page("restart", stuck), {"incident": wrong}).content.decode()
        assert f'href="{page("change", stuck)}">Cancel</a>' in html
    done = client.post(f"{page('restart', stuck)}?incident={mine.pk}")

    assert done.url == home
