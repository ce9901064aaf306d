"""Case 08: the fraud answer comes twice, or contradicts itself; flagged never funds by itself.

The first answer stands. The same again is a no-op, another one an incident. Answers come
at the same moment from real threads.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.models import ApplicationEvent, Disbursement, LoanApplication
from reviews.models import ReviewTask
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office
from tests.hard_cases.together import together
from tests.waiting import eventually
from tests.workflows.callbacks import vendor
from tests.workflows.callbacks.conftest import path_of, wait_for_vendor
from workflows.callbacks import pending
from workflows.models import Incident, OutboxMessage, PendingCallback, SimulatedPayout

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]

Running = Callable[..., EngineProcess]
PASSED, FLAGGED = {"result": "passed"}, {"result": "flagged"}
MANY = 32


@pytest.fixture
def asked(officer: User) -> LoanApplication:
    """An application that waits for the fraud service under the callback ``F``."""
    application = casework.submit(officer)
    casework.assess(application)
    casework.ask_fraud_check(application, callback_id="F")
    return application


def answer(callback_id: str, result: dict[str, str]) -> bool:
    receipt = pending.callback_receive(callback_id=callback_id, answer=result)
    return receipt == pending.CallbackReceipt.COUNTED


def assert_one_answer() -> PendingCallback:
    """The answer that stands has left once, as it is; its callback is given back."""
    callback = PendingCallback.objects.get()
    message = OutboxMessage.objects.get(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert message.payload == callback.answer
    assert callback.status == "answered"
    return callback


@pytest.mark.parametrize("result", [PASSED, FLAGGED], ids=["passed", "flagged"])
def test_same_answer_from_32_threads_counts_once_and_is_no_incident(
    asked: LoanApplication, result: dict[str, str]
) -> None:
    counted = together([partial(answer, "F", result)] * MANY)

    assert sorted(map(str, counted)) == ["False"] * (MANY - 1) + ["True"]
    assert assert_one_answer().answer == result
    assert not Incident.objects.exists()


@pytest.mark.parametrize("round_", range(5))
def test_contradicting_answers_from_32_threads_leave_one_winner_and_one_incident(
    asked: LoanApplication, round_: int
) -> None:
    sent = [FLAGGED if number % 2 else PASSED for number in range(MANY)]

    counted = together([partial(answer, "F", result) for result in sent])

    assert sorted(map(str, counted)) == ["False"] * (MANY - 1) + ["True"]
    won = sent[counted.index(True)]
    assert assert_one_answer().answer == won
    incident = Incident.objects.get()
    assert (incident.kind, incident.application) == ("contradiction", asked)
    lost = PASSED if won == FLAGGED else FLAGGED
    assert incident.sentence == (
        f"fraud_check-1 was answered twice and differently: first {won}, then {lost}. "
        "The first answer stands."
    )


def test_contradiction_after_its_incident_was_resolved_is_an_incident_again(
    asked: LoanApplication,
) -> None:
    answer("F", PASSED)
    answer("F", FLAGGED)
    Incident.objects.update(status=Incident.Status.RESOLVED)

    answer("F", FLAGGED)

    assert sorted(Incident.objects.values_list("status", flat=True)) == ["open", "resolved"]


# --- A vendor, at its door --------------------------------------------------------------------


@pytest.fixture
def door(asked: LoanApplication, settings: Any) -> str:
    """The address at which a vendor answers the callback ``F``."""
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [vendor.SECRET]
    return path_of("F")


def status(door: str, said: dict[str, str], identifier: str | None = None) -> int:
    return vendor.send(door, said, identifier=identifier).status_code


@pytest.mark.parametrize("identifier", [None, "msg_1"], ids=["new ids", "one id"])
def test_vendor_answering_alike_from_32_threads_is_accepted_and_counts_once(
    door: str, identifier: str | None
) -> None:
    statuses = together([partial(status, door, vendor.FLAGGED, identifier)] * MANY)

    assert statuses == [202] * MANY
    assert assert_one_answer().answer == FLAGGED
    assert ApplicationEvent.objects.filter(kind="fraud_answered").count() == 1
    assert not Incident.objects.exists()


@pytest.mark.parametrize("round_", range(3))
def test_vendor_contradicting_itself_from_32_threads_leaves_one_winner_and_one_incident(
    door: str, round_: int
) -> None:
    sent = [vendor.FLAGGED if number % 2 else vendor.PASSED for number in range(MANY)]

    statuses = together([partial(status, door, said) for said in sent])

    won = assert_one_answer().answer
    assert won is not None
    assert statuses == [202 if said["verdict"] == won["result"] else 409 for said in sent]
    assert Incident.objects.get().kind == "contradiction"


@pytest.mark.parametrize("round_", range(3))
def test_one_identifier_with_two_bodies_from_32_threads_is_heard_once(
    door: str, round_: int
) -> None:
    sent = [vendor.FLAGGED if number % 2 else vendor.PASSED for number in range(MANY)]

    statuses = together([partial(status, door, said, "msg_1") for said in sent])

    won = assert_one_answer().answer
    assert won is not None
    assert statuses == [202 if said["verdict"] == won["result"] else 422 for said in sent]
    assert not Incident.objects.exists()


def test_one_request_sent_to_two_cases_at_once_answers_one_of_them(
    door: str, officer: User
) -> None:
    other = casework.submit(officer)
    casework.assess(other)
    doors = [door, wait_for_vendor(other, "G")]

    statuses = together(
        [partial(status, doors[number % 2], vendor.PASSED, "msg_1") for number in range(MANY)]
    )

    assert sorted(map(str, statuses)) == ["202"] * (MANY // 2) + ["422"] * (MANY // 2)
    found = PendingCallback.objects.values_list("status", flat=True)
    assert sorted(found) == ["answered", "open"]


# --- With the engine: what is flagged waits for a person ------------------------------------


def waits_for_analyst(office: Office, reference: str) -> bool:
    return (office.read(reference)["waiting_on"] or {}).get("who") == "risk_analyst"


def flagged_case(office: Office) -> str:
    """Dana's case, once its risk analyst is waited for."""
    reference = office.submit("dana")
    eventually(partial(waits_for_analyst, office, reference))
    return reference


def fraud_callback(reference: str) -> PendingCallback | None:
    """Return the callback that the fraud check has to answer, once it was asked."""
    return PendingCallback.objects.filter(
        execution__application__reference=reference, name="fraud_check-1"
    ).first()


def test_flagged_case_is_not_funded_by_answers_that_say_passed_afterwards(
    running: Running, office: Office, analyst: User
) -> None:
    running()
    reference = flagged_case(office)
    callback = fraud_callback(reference)
    assert callback is not None

    counted = together([partial(answer, callback.callback_id, PASSED)] * 8)

    assert counted == [False] * 8
    assert Incident.objects.get().kind == "contradiction"
    assert waits_for_analyst(office, reference)
    assert not Disbursement.objects.exists()
    office.decide(reference, analyst, approved=False, reason="Two different addresses.")
    office.until(reference, status="declined")
    assert not SimulatedPayout.objects.exists()
    callback.refresh_from_db()
    assert callback.answer == FLAGGED


def test_flagged_case_is_funded_once_after_a_person_cleared_it(
    running: Running, office: Office, analyst: User
) -> None:
    running()
    reference = flagged_case(office)
    assert not Disbursement.objects.exists()

    office.decide(reference, analyst, approved=True)

    office.until(reference, status="funded")
    assert ReviewTask.objects.get().decisions.get().decided_by == analyst
    assert SimulatedPayout.objects.get().requests == 1
    assert not Incident.objects.exists()


def test_contradiction_at_once_is_left_to_an_analyst_whichever_answer_came_first(
    running: Running, office: Office, analyst: User
) -> None:
    running(latency=0.6)  # the fraud function itself answers three seconds later
    references = [office.submit("dana") for _ in range(4)]
    for reference in references:
        asked = eventually(partial(fraud_callback, reference))
        assert asked is not None
        sent = [FLAGGED if number % 2 else PASSED for number in range(8)]
        together([partial(answer, asked.callback_id, result) for result in sent])

    for reference in references:
        eventually(partial(waits_for_analyst, office, reference))
        assert Incident.objects.get(application__reference=reference).kind == "contradiction"
        assert not Disbursement.objects.filter(application__reference=reference).exists()
        office.decide(reference, analyst, approved=False, reason="It contradicts itself.")
        office.until(reference, status="declined")
    assert not SimulatedPayout.objects.exists()
