"""The applicant's answer to an offer, from the partner API through the real engine to the end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import Disbursement
from reviews.models import ReviewDecision, ReviewTask
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from webhooks.models import WebhookEvent
from workflows import sweep
from workflows.models import Incident, PendingCallback, SimulatedPayout
from workflows.operations import application_restart

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _applicant_is_asked(transactional_db: None) -> None:
    casework.change_policies(offer_acceptance_required=True)


def offered(office: Office) -> tuple[str, dict[str, Any]]:
    """Charlie's reference and the offer that waits for his answer."""
    reference = office.submit("charlie")
    case = office.until(reference, status="approved", current_step="offer_acceptance")
    assert case["waiting_on"]["who"] == "applicant"
    return reference, case["offer"]


def answer(office: Office, reference: str, what: str, **body: Any) -> Any:
    return office.partner.post(
        f"/api/v1/applications/{reference}/offer/{what}/", body, content_type="application/json"
    )


def told(reference: str) -> list[str]:
    """The types of what the partner is told about the case, in order."""
    events = WebhookEvent.objects.filter(application__reference=reference).order_by("id")
    return list(events.values_list("type", flat=True))


def test_accepted_offer_is_funded_once(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    running()
    reference, offer = offered(office)
    assert not Disbursement.objects.exists()

    answers = [answer(office, reference, "accept", offer_id=offer["offer_id"]) for _ in range(2)]

    assert [found.status_code for found in answers] == [200, 200]
    funded = office.until(reference, status="funded")
    assert funded["offer"] == offer
    assert_funded_once(reference)
    assert answer(office, reference, "accept").json() == funded
    assert answer(office, reference, "decline").status_code == 409
    assert told(reference)[-1] == "application.funded"
    assert ReviewDecision.objects.count() == 1


def test_declined_offer_ends_the_case_and_nothing_is_paid(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    running()
    reference, _ = offered(office)

    assert answer(office, reference, "decline", reason="Too dear.").status_code == 200

    declined = office.until(reference, status="declined")
    assert declined["decision"]["reasons"] == [
        {"code": "OFFER_DECLINED", "text": "The applicant declined the offer. Too dear."}
    ]
    assert told(reference)[-1] == "application.declined"
    assert not SimulatedPayout.objects.exists()
    assert answer(office, reference, "decline").json() == declined
    assert answer(office, reference, "accept").status_code == 409


def test_answer_given_while_the_engine_is_down_is_heard_later(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    process = running()
    reference, _ = offered(office)
    process.kill()

    assert answer(office, reference, "accept").status_code == 200
    assert PendingCallback.objects.get(name="offer_acceptance").status == "answered"

    process.start()
    deliver_what_waits()
    office.until(reference, status="funded")
    assert_funded_once(reference)


def test_offer_expires_an_answer_after_that_is_late_and_a_restart_makes_a_new_one(
    running: Callable[..., EngineProcess], office: Office, operations: User
) -> None:
    running()
    reference, offer = offered(office)
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep.sweep()
    office.until(reference, status="expired")

    late = answer(office, reference, "accept")

    assert (late.status_code, late.json()["type"]) == (409, "/problems/decision-expired")
    assert office.read(reference)["status"] == "expired"
    assert told(reference)[-1] == "application.expired"
    assert ReviewDecision.objects.get().late
    assert Incident.objects.get().kind == "decision_late"
    assert not SimulatedPayout.objects.exists()

    application_restart(reference=reference, user=operations)
    case = office.until(reference, status="approved", current_step="offer_acceptance")
    assert case["offer"]["offer_id"] != offer["offer_id"]
    stale = answer(office, reference, "accept", offer_id=offer["offer_id"])
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/stale-offer")
    current = case["offer"]["offer_id"]
    assert answer(office, reference, "accept", offer_id=current).status_code == 200
    office.until(reference, status="funded")
    assert SimulatedPayout.objects.count() == 1
