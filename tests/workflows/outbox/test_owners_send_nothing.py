"""A message that a step commits leaves at once, and no owner of a connection waits for it."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.services import intake
from tests.casework import ALICE
from tests.workflows.lambda_stub import LambdaStub
from workflows import engine
from workflows.db_threads import run_in_db_thread
from workflows.models import OutboxMessage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.mark.parametrize(
    "fails", [False, True], ids=["body returns", "body fails after its commit"]
)
def test_what_a_body_commits_is_sent_by_the_thread_that_handed_it_over(
    aws: LambdaStub, officer: User, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    draft = intake.application_create(user=officer, **ALICE)
    start, senders = engine.start, []

    def noted(**sent: Any) -> Any:
        senders.append(threading.current_thread())
        return start(**sent)

    def body() -> None:
        intake.application_submit(reference=draft.reference, user=officer)
        if fails:
            raise RuntimeError("after the commit")

    monkeypatch.setattr(engine, "start", noted)
    if fails:
        with pytest.raises(RuntimeError, match="after the commit"):
            run_in_db_thread(body)
    else:
        run_in_db_thread(body)
    assert senders == [threading.current_thread()]
    message = OutboxMessage.objects.get(kind="start_execution")
    assert (message.status, message.attempts) == ("sent", 1)
    assert [aws.name(0)] == [f"{draft.reference}-1"]
