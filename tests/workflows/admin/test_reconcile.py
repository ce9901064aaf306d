"""The reconcile button: a look that changes nothing, a mend that says what it did."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.choices import Status
from applications.models import ApplicationEvent, LoanApplication
from tests import casework
from tests.applications.admin.conftest import Login, page, said
from tests.workflows.lambda_stub import LambdaStub
from workflows.models import Execution, Incident

ADDRESS = "/admin/workflows/incident/reconcile/"
LIST = "/admin/workflows/incident/"
NOTHING = {"DurableExecutions": []}
MISSING = (404, "ResourceNotFoundException")
# The engine runs nothing, does not know the one execution on record, and nothing ended.
LOST = [NOTHING, MISSING, NOTHING]


@pytest.fixture
def lost(officer: User) -> LoanApplication:
    """A case whose execution the engine knows nothing of."""
    return casework.waiting_for_manager(officer)


def record() -> list[Any]:
    return [
        list(LoanApplication.objects.values_list("status", "version", "updated_at")),
        list(Execution.objects.values_list("status", "ended_at")),
        Incident.objects.count(),
        ApplicationEvent.objects.count(),
    ]


def test_look_shows_what_differs_and_changes_nothing(
    login: Login, operations: User, lost: LoanApplication, aws: LambdaStub
) -> None:
    before = record()
    aws.pages += LOST

    answer = login(operations).get(ADDRESS)

    html = answer.content.decode()
    assert "1 compared, 1 differs: nothing is changed yet" in html
    assert "lost by the engine" in html
    assert f'<a href="{page("change", lost)}">{lost.reference}-1</a>' in html
    assert "Repair 1 finding<" in html
    assert record() == before
    assert aws.requests == []


@pytest.mark.usefixtures("decider")
def test_mend_does_it_shows_it_and_leaves_a_line_twice_it_agrees(
    login: Login, operations: User, lost: LoanApplication, aws: LambdaStub
) -> None:
    client = login(operations)
    aws.pages += LOST

    html = client.post(ADDRESS).content.decode()

    assert "1 compared, 1 repaired" in html
    assert 'id="press-repair"' not in html
    lost.refresh_from_db()
    assert lost.status == Status.NEEDS_ATTENTION
    assert Incident.objects.get().kind == Incident.Kind.ENGINE_DISAGREES
    line = ApplicationEvent.objects.get(kind="reconciled")
    assert (line.application, line.actor, line.is_internal) == (lost, operations, True)
    assert "lost by the engine" in line.message
    after = record()
    aws.pages += [NOTHING, NOTHING]
    again = client.post(ADDRESS).content.decode()
    assert "0 compared: the record and the engine agree." in again
    assert record() == after


def test_engine_that_is_down_is_said_and_nothing_is_mended(
    login: Login, operations: User, lost: LoanApplication
) -> None:
    before = record()
    client = login(operations)

    for answer in (client.get(ADDRESS), client.post(ADDRESS)):
        assert answer.status_code == 200
        html = answer.content.decode()
        assert "The engine cannot be asked now." in html
        assert 'id="press-repair"' not in html
        assert "agree" not in html
    assert record() == before


def test_what_was_mended_before_the_engine_went_away_is_shown(
    login: Login, operations: User, lost: LoanApplication, aws: LambdaStub
) -> None:
    aws.pages += [NOTHING, MISSING, (503, "ServiceException")]

    html = login(operations).post(ADDRESS).content.decode()

    assert "The engine cannot be asked now." in html
    assert "1 repaired before it went away" in html
    assert "lost by the engine" in html
    assert ApplicationEvent.objects.filter(kind="reconciled").count() == 1


def test_only_operations_sees_the_button_and_may_look_or_mend(
    login: Login, operations: User, onlookers: dict[str, User], lost: LoanApplication
) -> None:
    before = record()
    assert 'id="press-reconcile"' in login(operations).get(LIST).content.decode()

    for user in onlookers.values():
        client = login(user)
        assert 'id="press-reconcile"' not in client.get(LIST).content.decode()
        for answer in (client.get(ADDRESS), client.post(ADDRESS)):
            assert (answer.status_code, answer.url) == (302, LIST)
            assert "Only Operations compares" in said(answer)[-1]

    assert record() == before
    assert Client().post(ADDRESS).status_code == 302


def test_who_may_not_see_incidents_is_sent_away(
    login: Login, make_user: Any, lost: LoanApplication, aws: LambdaStub
) -> None:
    assert login(make_user("nobody")).post(ADDRESS).status_code == 403
    assert aws.reads == []
