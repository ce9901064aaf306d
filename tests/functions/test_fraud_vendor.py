"""The fraud check by a vendor, the whole path: asked by the engine, answered at our door.

Engine, web server and vendor are real, each speaks HTTP to the others.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import ApplicationEvent, Disbursement, LoanApplication
from functions import fraud_check
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from tests.functions.vendor_server import VendorServer
from tests.waiting import eventually
from tests.workflows.callbacks.conftest import wait_for_vendor
from tests.workflows.callbacks.vendor import FLAGGED, HEARTBEAT, PASSED, SECRET
from workflows.errors import ProviderError
from workflows.models import Incident, PendingCallback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vendor(settings: Any, transactional_db: None) -> Iterator[VendorServer]:
    with VendorServer() as server:
        settings.LOANOFFICE_FRAUD_VENDOR_URL = server.url
        settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET]
        yield server


@pytest.fixture
def engine_with_vendor(
    running: Callable[..., EngineProcess], vendor: VendorServer, live_server: Any
) -> Callable[[], EngineProcess]:
    """Starts an engine whose fraud check asks the vendor, and names our web server to it."""
    return partial(
        running,
        LOANOFFICE_FRAUD_VENDOR_URL=vendor.url,
        LOANOFFICE_FRAUD_VENDOR_SECRET=SECRET,
        SITE_URL=live_server.url,
    )


def statuses(reference: str) -> dict[str, str]:
    rows = PendingCallback.objects.filter(execution__application__reference=reference)
    return dict(rows.values_list("name", "status"))


def test_vendor_that_beats_and_then_passes_funds_the_case(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    engine_with_vendor()
    reference = office.submit("charlie")

    asked = vendor.question()
    assert asked.is_signed
    assert asked.headers["webhook-id"] == f"{reference}-1-fraud_check-1"
    assert asked.said == {
        "type": "fraud_check.requested",
        "reference": reference,
        "applicant_name": "Charlie Wilson",
        "address": "",
        "sin_last4": "3333",
        "loan_amount": "25000.00",
        "currency": "CAD",
        "callback_url": asked.said["callback_url"],
        "answer_by": asked.said["answer_by"],
    }
    assert office.read(reference)["waiting_on"]["who"] == "fraud_service"
    for _ in range(3):
        assert vendor.say(asked, HEARTBEAT) == 202
    assert vendor.say(asked, PASSED) == 202

    office.until(reference, status="funded")
    assert_funded_once(reference)
    assert len(vendor.asked) == 1
    assert vendor.say(asked, PASSED) == 202  # again, and nothing comes of it
    assert vendor.say(asked, HEARTBEAT) == 410
    assert not Incident.objects.exists()


def test_vendor_that_flags_leaves_the_case_to_an_analyst(
    engine_with_vendor: Callable[[], EngineProcess],
    vendor: VendorServer,
    office: Office,
    analyst: User,
) -> None:
    engine_with_vendor()
    reference = office.submit("charlie")
    asked = vendor.question()

    assert vendor.say(asked, {**FLAGGED, "reasons": ["The address is a mailbox"]}) == 202

    eventually(lambda: (office.read(reference)["waiting_on"] or {}).get("who") == "risk_analyst")
    assert vendor.say(asked, PASSED) == 409
    assert Incident.objects.get().kind == "contradiction"
    assert not Disbursement.objects.exists()
    office.decide(reference, analyst, approved=False, reason="A mailbox.")
    office.until(reference, status="declined")
    assert (
        "The address is a mailbox"
        in ApplicationEvent.objects.filter(kind="fraud_answered").order_by("pk")[0].message
    )


def test_heartbeats_keep_the_wait_alive_beyond_the_silence_that_would_end_it(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    silence = 3  # seconds
    casework.change_policies(fraud_check_timeout=timedelta(seconds=silence))
    engine_with_vendor()
    reference = office.submit("charlie")
    asked = vendor.question()
    beyond = time.monotonic() + silence + 0.5

    def beat() -> bool:
        assert vendor.say(asked, HEARTBEAT) == 202
        return time.monotonic() > beyond

    eventually(beat)
    assert statuses(reference) == {"fraud_check-1": "open"}
    assert vendor.say(asked, PASSED) == 202

    office.until(reference, status="funded")
    assert_funded_once(reference)
    assert len(vendor.asked) == 1


def test_silent_vendor_is_asked_again_and_its_late_answer_is_not_applied(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    casework.change_policies(fraud_check_timeout=timedelta(seconds=1))
    engine_with_vendor()
    reference = office.submit("charlie")
    first = vendor.question(1)

    vendor.question(2)  # nothing was said to the first
    casework.change_policies(fraud_check_timeout=timedelta(minutes=5))

    assert vendor.say(first, FLAGGED) == 410
    late = ApplicationEvent.objects.get(application__reference=reference, kind="late_answer")
    assert late.data == {"answer": {"result": "flagged"}}
    newest = vendor.question(len(vendor.asked))
    assert newest.said["callback_url"] != first.said["callback_url"]
    assert newest.headers["webhook-id"] != first.headers["webhook-id"]


def test_vendor_that_never_answers_leaves_an_incident(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    casework.change_policies(fraud_check_timeout=timedelta(seconds=1))
    engine_with_vendor()

    reference = office.submit("charlie")

    office.until(reference, status="needs_attention")
    assert Incident.objects.get().kind == "fraud_unanswered"
    assert len(vendor.asked) == 3
    assert {vendor.say(asked, PASSED) for asked in vendor.asked} == {410}
    assert not Disbursement.objects.exists()


def test_answer_given_while_the_engine_is_down_is_kept_and_delivered_by_the_sweep(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    process = engine_with_vendor()
    reference = office.submit("charlie")
    asked = vendor.question()
    process.kill()

    assert vendor.say(asked, HEARTBEAT) == 503
    assert vendor.say(asked, PASSED) == 202

    assert statuses(reference) == {"fraud_check-1": "answered"}
    process.start()
    deliver_what_waits()
    office.until(reference, status="funded")
    assert_funded_once(reference)
    assert len(vendor.asked) == 1


def test_engine_restarted_while_the_vendor_works_still_gets_the_answer(
    engine_with_vendor: Callable[[], EngineProcess], vendor: VendorServer, office: Office
) -> None:
    process = engine_with_vendor()
    reference = office.submit("charlie")
    asked = vendor.question()
    process.kill()
    process.start()

    assert vendor.say(asked, PASSED) == 202

    office.until(reference, status="funded")
    assert_funded_once(reference)


# --- The function that asks -----------------------------------------------------------------


@pytest.fixture
def event(vendor: VendorServer, officer: User) -> dict[str, str]:
    """Return the event that the function is invoked with."""
    application = casework.submit(officer)
    casework.assess(application)
    wait_for_vendor(application)
    return {"application": application.reference, "callback_id": "F"}


@pytest.mark.parametrize("status", [500, 429, 404, 302])
def test_vendor_that_does_not_take_the_question_is_asked_the_same_again(
    vendor: VendorServer, event: dict[str, str], status: int
) -> None:
    vendor.answers = [status]
    with pytest.raises(ProviderError, match=str(status)):
        fraud_check.handler(event, None)

    assert fraud_check.handler(event, None) == {"result": "asked", "applied": False}

    first, second = vendor.asked
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.is_signed
    assert second.is_signed


def test_vendor_that_is_not_there_is_a_provider_error(
    vendor: VendorServer, event: dict[str, str], settings: Any
) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_URL = "http://127.0.0.1:9/"

    with pytest.raises(ProviderError):
        fraud_check.handler(event, None)


def test_nobody_is_asked_once_the_callback_is_closed(
    vendor: VendorServer, event: dict[str, str]
) -> None:
    PendingCallback.objects.update(status="expired")

    assert fraud_check.handler(event, None) == {"result": "closed", "applied": False}
    assert vendor.asked == []


def test_vendor_is_told_nothing_that_a_screening_does_not_need(
    vendor: VendorServer, event: dict[str, str]
) -> None:
    fraud_check.handler(event, None)

    application = LoanApplication.objects.get()
    text = vendor.asked[0].body.decode()
    for personal in (application.phone, application.email, str(application.annual_income)):
        assert personal
        assert personal not in text


def test_without_a_vendor_the_fraud_service_answers_as_ever(
    vendor: VendorServer, event: dict[str, str], settings: Any
) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_URL = ""

    assert fraud_check.handler(event, None) == {"result": "passed", "applied": True}

    assert vendor.asked == []
    assert PendingCallback.objects.get().answer == {"result": "passed"}


def test_each_live_secret_signs_the_question(
    vendor: VendorServer, event: dict[str, str], settings: Any
) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = ["whsec_" + "A" * 44, SECRET]

    fraud_check.handler(event, None)

    assert vendor.asked[0].is_signed
    assert len(vendor.asked[0].headers["webhook-signature"].split()) == 2


def test_address_of_a_question_leads_to_our_door(
    vendor: VendorServer, event: dict[str, str]
) -> None:
    fraud_check.handler(event, None)

    url = vendor.asked[0].said["callback_url"]
    assert url.startswith("http://127.0.0.1:8000/callbacks/")
    assert Client().get(url.removeprefix("http://127.0.0.1:8000")).status_code == 405
