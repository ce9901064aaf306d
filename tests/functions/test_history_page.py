"""The history page against the real engine: a case that ran, and one that it has forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from applications.choices import Status
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[EngineProcess]:
    """An engine that this test's boto3 speaks to."""
    started = EngineProcess(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", started.url)
    engine.forget_client()
    started.start()
    yield started
    started.stop()
    engine.forget_client()


def ended(execution: Execution) -> bool:
    execution.refresh_from_db()
    told = engine.get(arn=execution.arn) if execution.arn else {}
    return told.get("Status") == "SUCCEEDED"


def test_history_of_a_funded_case_is_told_in_words_and_without_data(
    process: EngineProcess, officer: User, auditor: User
) -> None:
    application = casework.submit(officer, sin_last4="3333", loan_amount=25_000)
    execution = application.executions.get()
    eventually(lambda: ended(execution), seconds=60, what=f"{execution} ends")
    application.refresh_from_db()
    assert application.status == Status.FUNDED
    client = Client()
    client.force_login(auditor)

    answer: Any = client.get(reverse("admin:workflows_execution_history", args=[execution.pk]))

    events = answer.context["events"]
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert (events[0].event, events[-1].event) == ("Execution started", "Execution succeeded")
    assert "may take" in events[0].details
    done = {event.name for event in events if event.event == "Step succeeded"}
    assert {"validate", "equifax", "risk_assessment", "disbursing"} <= done
    waited = next(event for event in events if event.event == "Callback started")
    assert (waited.name, waited.details) == ("fraud_check-1", "waits for 5 min")
    assert all(event.details for event in events if event.event.endswith("succeeded"))
    html = answer.content.decode()
    for secret in ("Alice", "Maple Street", application.sin_last4, "callback_id"):
        assert secret not in html.partition('id="history"')[2].partition("</table>")[0]


def test_execution_that_the_engine_does_not_know_and_an_engine_that_died_are_sentences(
    process: EngineProcess, officer: User, auditor: User
) -> None:
    application = casework.submit(officer, sin_last4="3333", loan_amount=25_000)
    execution = application.executions.get()
    eventually(lambda: ended(execution), seconds=60, what=f"{execution} ends")
    client = Client()
    client.force_login(auditor)
    address = reverse("admin:workflows_execution_history", args=[execution.pk])
    arn = str(execution.arn)
    Execution.objects.update(arn=arn.replace(execution.name, "LOAN-FORGOTTEN-1"))
    assert "keeps history for a limited time" in client.get(address).content.decode()

    Execution.objects.update(arn=arn)
    process.kill()

    answer = client.get(address)
    assert answer.status_code == 200
    assert "The engine cannot be reached now" in answer.content.decode()
