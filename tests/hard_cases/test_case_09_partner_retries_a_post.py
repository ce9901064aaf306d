"""Hard case 9: a partner retries a POST, and there is one application in all cases.

In sequence, with another body, fifty times at once, and after a ``kill -9`` in the middle
of the transaction or between its commit and the answer.
"""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from applications.models import LoanApplication
from partners.models import IdempotencyKey
from tests.hard_cases.serving import KEY, Got, WebProcess
from tests.hard_cases.web_process import AFTER_COMMIT, IN_TRANSACTION
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem
from tests.waiting import eventually
from workflows.models import Execution, OutboxMessage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]

AT_ONCE = 50


def assert_one_application() -> LoanApplication:
    """One application, one execution that carries it, one message that starts it, one key."""
    application = LoanApplication.objects.get()
    assert Execution.objects.get().application == application
    assert OutboxMessage.objects.get().kind == OutboxMessage.Kind.START_EXECUTION
    assert list(application.events.values_list("kind", flat=True)) == ["created", "submitted"]
    assert IdempotencyKey.objects.get().response_status == 201
    return application


def test_in_sequence(partner_key: str) -> None:
    answers = [Caller(partner_key).post(BASE, ALICE, **KEY) for _ in range(5)]

    application = assert_one_application()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["reference"] == application.reference
    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, *["true"] * 4]


def test_with_another_body(partner_key: str) -> None:
    first = Caller(partner_key).post(BASE, ALICE, **KEY)

    other = Caller(partner_key).post(BASE, {**ALICE, "loan_amount": "1.00"}, **KEY)

    assert_problem(other, 422, "idempotency-key-reused")
    application = assert_one_application()
    assert str(application.loan_amount) == "150000.00"
    assert Caller(partner_key).post(BASE, ALICE, **KEY).content == first.content


def test_fifty_at_once(partner_key: str) -> None:
    together = threading.Barrier(AT_ONCE)

    def send(_: int) -> Any:
        try:
            client = Client(headers={"Authorization": f"Bearer {partner_key}", **KEY})
            together.wait(60)
            return client.post(BASE, ALICE, content_type="application/json")
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, range(AT_ONCE)))

    application = assert_one_application()
    assert {answer.status_code for answer in answers} == {201}
    bodies = {answer.content for answer in answers}
    assert len(bodies) == 1
    assert json.loads(bodies.pop())["reference"] == application.reference
    assert {answer["Location"] for answer in answers} == {
        f"http://testserver{BASE}{application.reference}/"
    }
    assert [answer.get("Idempotent-Replayed") for answer in answers].count("true") == AT_ONCE - 1


# --- After a crash --------------------------------------------------------------------------


@pytest.fixture
def serve(tmp_path: Path, transactional_db: None) -> Iterator[Callable[..., WebProcess]]:
    """``serve(IN_TRANSACTION)``: a process that is killed then; ``serve()``: one that is not."""
    started: list[WebProcess] = []

    def start(when: str = "") -> WebProcess:
        process = WebProcess(tmp_path, when)
        started.append(process)
        eventually(process.listening, seconds=60, what=f"the web process; see {process.log}")
        return process

    yield start
    for process in started:
        process.stop()


def submit_and_be_killed(process: WebProcess, key: str) -> str:
    """Send the POST to a process that does not survive it; returns its last words."""
    with pytest.raises(ConnectionError):
        process.submit(key)
    assert process.popen.wait(timeout=30) == -signal.SIGKILL
    return process.log.read_text()


def test_after_a_crash_in_the_middle_of_the_transaction(
    serve: Callable[..., WebProcess], partner_key: str
) -> None:
    last_words = submit_and_be_killed(serve(IN_TRANSACTION), partner_key)
    assert "written=(1, 1) in_transaction=True" in last_words
    assert (LoanApplication.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    assert not OutboxMessage.objects.exists()

    healthy = serve()
    first, second = (healthy.submit(partner_key) for _ in range(2))

    application = assert_one_application()
    assert (first.status, first.replayed) == (201, False)
    assert json.loads(first.body)["reference"] == application.reference
    assert second == Got(201, first.body, replayed=True)


def test_after_a_crash_between_the_commit_and_the_answer(
    serve: Callable[..., WebProcess], partner_key: str
) -> None:
    last_words = submit_and_be_killed(serve(AFTER_COMMIT), partner_key)
    assert "written=(1, 1) in_transaction=False" in last_words
    application = assert_one_application()

    healthy = serve()
    first, second = (healthy.submit(partner_key) for _ in range(2))

    assert assert_one_application() == application
    assert (first.status, first.replayed) == (201, True)
    assert json.loads(first.body)["reference"] == application.reference
    assert second == first
