"""Case 12: an execution sleeps on the version that it started on, and a deploy would migrate.

The engine is a real process; the pending migration is a real module.
"""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, assert_funded_once
from tests.waiting import eventually
from tests.workflows.deploy_check.draining import Pending, drain
from workflows import engine
from workflows.models import Execution

pytestmark = pytest.mark.django_db(transaction=True)

Running = Callable[..., EngineProcess]
DROP_PHONE = "migrations.RemoveField('loanapplication', 'phone')"
ADD_NOTE = "migrations.AddField('loanapplication', 'note', models.TextField(null=True))"


@pytest.fixture
def asleep(running: Running, office: Office) -> str:
    """The reference of a case that waits for its manager."""
    running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    return reference


def test_dropping_what_a_sleeper_reads_is_refused_until_it_has_ended(
    asleep: str, office: Office, manager: User, pending: Pending
) -> None:
    migration = pending(DROP_PHONE)

    code, said = drain()

    assert code == 1
    assert f"{asleep}-1" in said
    assert f"{migration}: Remove field phone from loanapplication" in said
    assert "Refused: 1 unfinished execution on version" in said

    office.decide(asleep, manager, approved=True)
    office.until(asleep, status="funded")
    assert_funded_once(asleep)
    code, said = drain()
    assert code == 0
    assert f"{asleep}-1" not in said
    assert migration in said


def test_migration_that_a_sleeper_lives_with_passes(asleep: str, pending: Pending) -> None:
    pending(ADD_NOTE)

    code, said = drain()

    assert code == 0
    assert f"{asleep}-1" in said


def test_paused_sleeper_is_in_the_way_too(asleep: str, pending: Pending) -> None:
    pending(DROP_PHONE)
    arn = Execution.objects.get().arn
    engine._client().pause_durable_execution(DurableExecutionArn=arn)
    eventually(lambda: engine.get(arn=str(arn))["Status"] == "PAUSED")

    code, said = drain()

    assert code == 1
    assert f"{asleep}-1" in said


def test_engine_that_died_is_never_taken_for_one_without_sleepers(
    running: Running, office: Office, pending: Pending
) -> None:
    process = running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    pending(DROP_PHONE)
    process.kill()

    assert drain()[0] == 2

    process.start()
    assert drain()[0] == 1
