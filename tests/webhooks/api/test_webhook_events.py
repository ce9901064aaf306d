"""GET /webhook-events/ and POST /webhook-events/{id}/resend/: own events, sent again."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.services import intake
from audit.models import AuditEntry
from partners.models import Partner
from tests.partners.api.calls import Caller, assert_problem
from tests.plans import SORTS, plans
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver, receiving, verified
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.events import events_of
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.models import OutboxMessage

EVENTS = "/api/v1/webhook-events/"
pytestmark = pytest.mark.django_db


def resend_path(event: WebhookEvent) -> str:
    return f"{EVENTS}{event.public_id}/resend/"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def public_ids() -> list[str]:
    """All ids, the newest first."""
    return list(WebhookEvent.objects.order_by("-id").values_list("public_id", flat=True))


# --- The list -----------------------------------------------------------------------------


def test_event_is_shown_as_it_was_sent_with_what_became_of_it(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    application = submit(partner)
    receiver.answers.append((503, {}))
    sweep_webhooks()
    sweep_webhooks()

    (row,) = api.get(EVENTS).json()["results"]

    (_, received) = receiver.received
    sent = json.loads(received.body)
    assert row == {
        "id": received.headers["webhook-id"],
        "type": "application.submitted",
        "timestamp": sent["timestamp"],
        "data": {"reference": application.reference, "status": "submitted"},
        "deliveries": [
            {
                "url": receiver.url,
                "status": "delivered",
                "attempts": 2,
                "last_attempt_at": row["deliveries"][0]["last_attempt_at"],
                "response_status": 204,
            }
        ],
    }


def test_what_nobody_answered_and_what_was_not_tried_has_no_status(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    WebhookEndpoint.objects.update(url="http://127.0.0.1:9/")
    submit(partner)
    (before,) = api.get(EVENTS).json()["results"][0]["deliveries"]
    sweep_webhooks()
    (after,) = api.get(EVENTS).json()["results"][0]["deliveries"]

    assert (before["attempts"], before["last_attempt_at"], before["response_status"]) == (
        0,
        None,
        None,
    )
    assert (after["attempts"], after["status"], after["response_status"]) == (1, "pending", None)


def test_event_that_nobody_listened_to_is_there_without_deliveries(
    api: Caller, partner: Partner
) -> None:
    submit(partner)

    assert api.get(EVENTS).json()["results"][0]["deliveries"] == []


def test_neither_a_secret_nor_an_address_nor_what_an_endpoint_answered_is_told(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    WebhookEndpoint.objects.update(url=receiver.url.replace("127.0.0.1", "localhost"))
    receiver.answers.append((500, {}))
    submit(partner)
    sweep_webhooks()

    said = api.get(EVENTS).content.decode()

    assert "whsec_" not in said
    assert endpoint.secret.removeprefix("whsec_") not in said
    assert "127.0.0.1" not in said
    assert "no thanks" not in said
    assert "v1," not in said


def test_events_are_the_partners_own_newest_first_on_pages(
    api: Caller,
    other_api: Caller,
    partner: Partner,
    other_partner: Partner,
) -> None:
    for _ in range(3):
        submit(partner)
    submit(other_partner)
    mine = [pk for pk in public_ids() if WebhookEvent.objects.get(public_id=pk).partner == partner]

    first = api.get(EVENTS, {"page_size": 2})
    second = api.get(first.json()["next"].removeprefix("http://testserver"))

    assert ids(first) + ids(second) == mine
    assert second.json()["next"] is None
    assert ids(api.get(second.json()["previous"].removeprefix("http://testserver"))) == mine[:2]
    assert len(ids(other_api.get(EVENTS))) == 1


def test_filters_leave_the_others_out(api: Caller, partner: Partner) -> None:
    first, second = submit(partner), submit(partner)
    intake.application_withdraw(reference=first.reference, partner=partner)
    withdrawn, latest, earliest = public_ids()
    noon = timezone.now().replace(microsecond=0)
    for days, public_id in enumerate((earliest, latest, withdrawn)):
        WebhookEvent.objects.filter(public_id=public_id).update(
            created_at=noon + timedelta(days=days)
        )
    at = (noon + timedelta(days=1)).isoformat()

    assert ids(api.get(EVENTS, {"type": "application.withdrawn"})) == [withdrawn]
    assert ids(api.get(EVENTS, {"reference": first.reference})) == [withdrawn, earliest]
    assert ids(api.get(EVENTS, {"reference": second.reference})) == [latest]
    assert ids(api.get(EVENTS, {"created_after": at})) == [withdrawn]
    assert ids(api.get(EVENTS, {"created_before": at})) == [earliest]
    assert ids(api.get(EVENTS, {"reference": "LOAN-0000", "type": "application.funded"})) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"type": "funded"}, "type"),
        ({"type": ""}, "type"),
        ({"reference": "x" * 21}, "reference"),
        ({"reference": "a\0b"}, "reference"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_before": ""}, "created_before"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"page_size": "201"}, "page_size"),
        ({"partner": "1"}, "partner"),
        ({"type_": "application.funded"}, "type_"),
    ],
)
def test_bad_filter_is_named_and_refused(api: Caller, query: dict[str, Any], name: str) -> None:
    problem = assert_problem(api.get(EVENTS, query), 400, "invalid-request")

    assert list(problem["errors"]) == [name]


def test_list_needs_the_scope_and_is_no_page_for_staff(
    anonymous: Caller,
    api_with: Callable[..., Caller],
    as_staff: Callable[[User], Caller],
    auditor: User,
    partner: Partner,
) -> None:
    submit(partner)
    event = WebhookEvent.objects.get()

    assert_problem(anonymous.get(EVENTS), 401, "not-authenticated")
    assert_problem(api_with("applications:write").get(EVENTS), 403, "missing-scope")
    assert_problem(as_staff(auditor).get(EVENTS), 403, "not-permitted")
    only_read = api_with("applications:read")
    assert only_read.get(EVENTS).status_code == 200
    assert_problem(only_read.post(resend_path(event)), 403, "missing-scope")


def test_queries_of_the_list_do_not_grow_with_it(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    submit(partner)
    api.get(EVENTS)
    with CaptureQueriesContext(connection) as few:
        api.get(EVENTS)
    endpoint_create(partner=partner, url="https://hooks.example.com/")
    for _ in range(5):
        submit(partner)

    with CaptureQueriesContext(connection) as many:
        assert len(ids(api.get(EVENTS))) == 6

    assert len(few) == len(many) == 3  # the key, the page, its deliveries with their endpoints


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("only", "index"),
    [
        ({}, "webhook_event_newest"),
        ({"created_after": timezone.now() - timedelta(days=2)}, "webhook_event_newest"),
        ({"type_": "application.expired"}, "webhook_event_by_type"),
    ],
)
def test_page_is_found_in_an_index_and_never_sorted(
    partner: Partner, only: dict[str, Any], index: str
) -> None:
    application = submit(partner)
    other = Partner.objects.create(name="Other")
    WebhookEvent.objects.bulk_create(
        WebhookEvent(
            public_id=f"evt_{number}",
            partner=other if number % 50 else partner,
            application=application,
            type="application.expired" if number % 1000 == 0 else "application.funded",
            payload="{}",
            created_at=timezone.now() - timedelta(minutes=number),
        )
        for number in range(5000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    asked = plans(
        WebhookEvent._meta.db_table,
        lambda: list(
            events_of(partner=partner, **only)
            .prefetch_related(None)
            .order_by("-created_at", "-id")[:51]
        ),
    )

    ((_, how),) = asked
    assert index in how, how
    assert not [word for word in SORTS if word in how], how


# --- Sending again ------------------------------------------------------------------------


def test_event_that_was_delivered_is_sent_again_under_its_id(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    sweep_webhooks()
    event = WebhookEvent.objects.get()

    answer = api.post(resend_path(event), {})

    assert answer.status_code == 202
    assert answer.json()["id"] == event.public_id
    assert answer.json()["deliveries"][0]["status"] == "pending"
    assert sweep_webhooks() == 1
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == event.public_id
    assert first.body == second.body
    verified(second, endpoint.secret, now=time.time())
    (row,) = api.get(EVENTS).json()["results"]
    assert (row["deliveries"][0]["status"], row["deliveries"][0]["attempts"]) == ("delivered", 2)
    entry = AuditEntry.objects.latest("id")
    assert (entry.who, entry.is_partner, entry.reference) == (
        partner.name,
        True,
        event.application.reference,
    )
    assert event.public_id in entry.message


def test_endpoint_that_was_made_after_the_event_gets_it_too(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    submit(partner)
    sweep_webhooks()
    with receiving() as later:
        _, secret = endpoint_create(partner=partner, url=later.url)

        answer = api.post(resend_path(WebhookEvent.objects.get()))

        assert len(answer.json()["deliveries"]) == 2
        assert sweep_webhooks() == 2
        verified(later.received[0], secret, now=time.time())


def test_what_is_on_its_way_is_not_put_on_the_way_twice(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    event = WebhookEvent.objects.get()

    assert api.post(resend_path(event)).status_code == 202
    assert api.post(resend_path(event)).status_code == 202

    assert OutboxMessage.objects.filter(kind="webhook").count() == 1
    assert WebhookDelivery.objects.get().round == 1


def test_resend_is_done_once_under_its_idempotency_key(
    api: Caller, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    submit(partner)
    sweep_webhooks()
    event = WebhookEvent.objects.get()
    key = {"Idempotency-Key": "again-1"}

    first = api.post(resend_path(event), {}, **key)
    sweep_webhooks()
    second = api.post(resend_path(event), {}, **key)

    assert (first.status_code, second.status_code) == (202, 202)
    assert second["Idempotent-Replayed"] == "true"
    assert first.content == second.content
    assert sweep_webhooks() == 0
    assert len(receiver.received) == 2


@pytest.mark.parametrize("how", ["none", "disabled", "another type", "another partner's"])
def test_resend_to_nobody_is_refused_and_writes_nothing(
    api: Caller, partner: Partner, other_partner: Partner, receiver: Receiver, how: str
) -> None:
    submit(partner)
    event = WebhookEvent.objects.get()
    if how == "disabled":
        made, _ = endpoint_create(partner=partner, url=receiver.url)
        endpoint_disable(endpoint=made, why="By hand.")
    elif how == "another type":
        endpoint_create(partner=partner, url=receiver.url, event_types=["application.funded"])
    elif how == "another partner's":
        endpoint_create(partner=other_partner, url=receiver.url)
    entries = AuditEntry.objects.count()

    assert_problem(api.post(resend_path(event)), 409, "no-webhook-endpoint")

    assert not WebhookDelivery.objects.exists()
    assert AuditEntry.objects.count() == entries


def test_event_of_another_partner_is_not_there(
    api: Caller, other_api: Caller, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    submit(partner)
    event = WebhookEvent.objects.get()

    assert_problem(other_api.post(resend_path(event)), 404, "not-found")
    assert_problem(api.post(f"{EVENTS}evt_nothing/resend/"), 404, "not-found")
    assert_problem(api.post(f"{EVENTS}{'x' * 41}/resend/"), 404, "not-found")
    assert_problem(api.get(resend_path(event)), 405, "method-not-allowed")
    assert_problem(api.post(resend_path(event), {"force": True}), 400, "invalid-request")
