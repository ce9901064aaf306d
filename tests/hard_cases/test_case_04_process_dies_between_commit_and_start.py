"""Hard case 4: the process dies between commit and start; nothing is lost, nothing runs twice."""

import os
import signal
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from applications.models import LoanApplication
from tests.casework import submit
from tests.functions.engine_process import EngineProcess, database_url
from tests.functions.office import Office, deliver_what_waits
from tests.spawned import Spawned
from tests.waiting import eventually
from workflows import engine
from workflows.errors import AlreadyStarted
from workflows.models import Execution, Incident, OutboxMessage, SimulatedPayout
from workflows.outbox import queue

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]


def submit_in_a_process_that_dies(user: User, when: str) -> int:
    """The exit code of the process; ``-9`` is SIGKILL."""
    return Spawned(
        ["-m", "tests.hard_cases.submitting_process", user.username, when],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "DATABASE_URL": database_url(),
        },
    ).wait(timeout=60)


def test_start_leaves_with_the_sweep_after_the_web_process_was_killed(
    running: Callable[..., EngineProcess], officer: User
) -> None:
    running()
    assert submit_in_a_process_that_dies(officer, "after-commit") == -signal.SIGKILL
    application = LoanApplication.objects.get()
    assert application.status == "submitted"
    message = OutboxMessage.objects.get(kind="start_execution")
    assert (message.status, message.attempts) == ("pending", 0)

    assert queue.send_due() >= 1

    eventually(lambda: LoanApplication.objects.get().status == "pending_approval", seconds=60)
    assert Execution.objects.get().status == "RUNNING"


def test_process_killed_before_the_commit_leaves_nothing_at_all(officer: User) -> None:
    assert submit_in_a_process_that_dies(officer, "before-commit") == -signal.SIGKILL
    assert not LoanApplication.objects.exists()
    assert not Execution.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_submission_that_is_rolled_back_starts_nothing(
    running: Callable[..., EngineProcess], officer: User
) -> None:
    running()

    @transaction.atomic
    def submit_but_not_after_all() -> None:
        submit(officer)
        raise RuntimeError("not after all")

    with pytest.raises(RuntimeError, match="after all"):
        submit_but_not_after_all()
    deliver_what_waits()
    assert list(engine.executions()) == []


def test_start_that_was_sent_twice_is_one_execution(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    running()
    reference = office.submit("charlie")
    office.until(reference, status="funded")
    arn = Execution.objects.get().arn
    # Killed between the engine's answer and the note of it: the message is due again.
    OutboxMessage.objects.filter(kind="start_execution").update(status="pending", sent_at=None)
    deliver_what_waits()
    assert [listed.arn for listed in engine.executions()] == [arn]
    assert OutboxMessage.objects.get(kind="start_execution").status == "sent"
    assert SimulatedPayout.objects.count() == 1


def test_name_that_another_payload_has_is_an_incident_and_starts_nothing(
    running: Callable[..., EngineProcess], officer: User
) -> None:
    running()
    with transaction.atomic():
        application = submit(officer)
        name = f"{application.reference}-1"
        engine.start(
            function=settings.LOAN_APPROVAL_FUNCTION,
            name=name,
            payload={"application": "LOAN-OTHEROTH", "attempt": 1},
        )
        with pytest.raises(AlreadyStarted):
            engine.start(
                function=settings.LOAN_APPROVAL_FUNCTION, name=name, payload={"another": 1}
            )
    message = OutboxMessage.objects.get(kind="start_execution")
    assert message.status == "dead"
    assert Incident.objects.get().message == message
    assert LoanApplication.objects.get().status == "submitted"
