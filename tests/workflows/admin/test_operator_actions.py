"""Actions of Operations on an application: who sees each button, and what it does."""

from collections.abc import Callable
from itertools import product

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.choices import Status
from applications.models import LoanApplication
from reviews.choices import TaskStatus
from tests import casework
from tests.applications.admin.conftest import Login, page, said
from tests.sizes import some
from tests.workflows import trouble
from tests.workflows.admin.operator_actions import NOTE, PRESSES, REASON, buttons, facts, line
from tests.workflows.lambda_stub import LambdaStub
from workflows.models import Incident, OutboxMessage
from workflows.operations import execution_pause
from workflows.outbox import queue


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


def leaves() -> None:
    """Return the messages that the sweep sends."""
    OutboxMessage.objects.exclude(kind=OutboxMessage.Kind.EMAIL).update(leased_until=None)
    OutboxMessage.objects.filter(kind=OutboxMessage.Kind.EMAIL).delete()
    queue.send_due()


# --- Who sees them --------------------------------------------------------------------------


CASES = ("running", "paused", "stuck", "unknown", "refused")
SEEN = {
    "running": ["pause", "stop"],
    "paused": ["resume", "stop"],
    "stuck": ["restart"],
    "unknown": ["paid", "not_paid"],
    "refused": ["order_anew", "restart"],
}


@pytest.mark.long
@pytest.mark.parametrize("name", some(CASES, of=3))
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


@pytest.mark.long
@pytest.mark.parametrize(("name", "press"), some(product(CASES, PRESSES), of=5))
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


@pytest.mark.long
@pytest.mark.parametrize("name", some(CASES, of=3))
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
    login: Login, operations: User, stuck: LoanApplication, aws: LambdaStub
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
    assert f"{stuck.reference}-2" in {aws.name(index) for index in range(len(aws.requests))}


@pytest.mark.usefixtures("decider")
def test_stop_ends_the_workflow_once_and_says_so(
    login: Login, operations: User, running: LoanApplication, aws: LambdaStub
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
    assert [path for path, _, _ in aws.requests if path.endswith("/stop")]
    assert buttons(client, running) == ["restart"]


def test_pause_and_resume_leave_once_each(
    login: Login, operations: User, running: LoanApplication, aws: LambdaStub
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
    ends = [path.rpartition("/")[2] for path, _, _ in aws.requests]
    assert [end for end in ends if end in {"pause", "resume"}] == ["pause", "resume"]


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
