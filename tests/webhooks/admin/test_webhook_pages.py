"""Endpoints and deliveries in the admin: who may press what, and what is never shown again."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from audit.models import AuditEntry
from partners.models import Partner
from tests.applications.admin.conftest import Login, page, said
from tests.hard_cases.stored import everything_stored
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver, receiving
from webhooks import endpoints, url_safety
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.events import RESEND
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

pytestmark = pytest.mark.django_db
ADD = "/admin/webhooks/webhookendpoint/add/"
ENDPOINTS = "/admin/webhooks/webhookendpoint/"
DELIVERIES = "/admin/webhooks/webhookdelivery/"
URL = "https://hooks.example.invalid/loans"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def endpoint(partner: Partner, receiver: Receiver) -> WebhookEndpoint:
    return endpoint_create(partner=partner, url=receiver.url)[0]


def of(endpoint: WebhookEndpoint, name: str) -> str:
    return reverse(f"admin:webhooks_webhookendpoint_{name}", args=[endpoint.pk])


def of_delivery(delivery: WebhookDelivery, name: str) -> str:
    return reverse(f"admin:webhooks_webhookdelivery_{name}", args=[delivery.pk])


def given_up(partner: Partner) -> WebhookDelivery:
    submit(partner)
    WebhookDelivery.objects.filter(status="pending").update(status="failed")
    return WebhookDelivery.objects.latest("pk")


# --- Adding -------------------------------------------------------------------------------


def test_secret_is_shown_once_on_the_page_that_answers_and_nowhere_after(
    login: Login, partner_manager: User, partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    client = login(partner_manager)

    answer = client.post(
        ADD, {"partner": partner.pk, "url": URL, "event_types": ["application.funded"]}
    )

    made = WebhookEndpoint.objects.get()
    assert SECRET.findall(answer.content.decode()) == [made.secret]
    assert "no-store" in answer["Cache-Control"]
    assert (made.url, made.partner, made.event_types) == (URL, partner, ["application.funded"])
    for where in (ENDPOINTS, of(made, "change"), of(made, "history"), "/admin/audit/auditentry/"):
        assert made.secret not in client.get(where).content.decode()
    entries = str(list(AuditEntry.objects.values()))
    assert made.secret not in entries
    assert made.secret not in caplog.text
    assert AuditEntry.objects.latest("id").message == (
        f"A webhook endpoint of {partner} was added: {URL}"
    )


def test_none_chosen_is_everything(login: Login, partner_manager: User, partner: Partner) -> None:
    login(partner_manager).post(ADD, {"partner": partner.pk, "url": URL})

    assert WebhookEndpoint.objects.get().event_types == []
    assert "Everything" in login(partner_manager).get(ENDPOINTS).content.decode()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://hooks.example.com/", "it has to begin with https://"),
        ("https://user:word@hooks.example.com/", "leave name and password out of it"),
        ("https://10.0.0.1/", "10.0.0.1 leads to no public address"),
        ("https://[::ffff:169.254.169.254]/", "leads to no public address"),
        ("https://0.0.0.0/", "leads to no public address"),
        ("https://2130706434.example.invalid:22/", "use port 443"),
        ("http://8.8.8.8/", "http:// is for this machine alone"),
        ("http://hooks.example.invalid/", "http:// is for this machine alone"),
        ("https://", "it names no host"),
    ],
)
def test_url_that_is_never_called_is_refused_where_it_is_entered(
    login: Login, partner_manager: User, partner: Partner, url: str, sentence: str
) -> None:
    answer = login(partner_manager).post(ADD, {"partner": partner.pk, "url": url})

    assert sentence in answer.content.decode()
    assert "whsec_" not in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("is_demo", [True, False])
def test_loopback_is_for_the_demo(
    login: Login, partner_manager: User, partner: Partner, settings: Any, is_demo: bool
) -> None:
    settings.LOANOFFICE_DEMO = is_demo

    for url in ("http://127.0.0.1:9000/in", "https://127.0.0.1:9000/in"):
        login(partner_manager).post(ADD, {"partner": partner.pk, "url": url})

    assert WebhookEndpoint.objects.count() == (2 if is_demo else 0)


def test_name_with_private_addresses_alone_is_refused_and_one_with_a_public_one_is_not(
    login: Login,
    partner_manager: User,
    partner: Partner,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.LOANOFFICE_DEMO = False
    client = login(partner_manager)
    known = {"inside.example.com": ["10.0.0.1", "fd00::1"], "both.example.com": ["10.0.0.1"]}
    known["both.example.com"].append("93.184.216.34")

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (ip, port)) for ip in known[host]]

    monkeypatch.setattr(url_safety.socket, "getaddrinfo", look_up)
    for host in known:
        client.post(ADD, {"partner": partner.pk, "url": f"https://{host}/"})

    assert [row.url for row in WebhookEndpoint.objects.all()] == ["https://both.example.com/"]
    # Before anything is sent it is judged again, by the stricter rule.
    with pytest.raises(url_safety.AddressRefusedError):
        url_safety.target_of("https://both.example.com/")


def test_unknown_type_or_partner_is_refused(
    login: Login, partner_manager: User, partner: Partner
) -> None:
    client = login(partner_manager)

    client.post(ADD, {"partner": partner.pk, "url": URL, "event_types": ["application.lost"]})
    client.post(ADD, {"partner": 0, "url": URL})

    assert not WebhookEndpoint.objects.exists()


# --- Rotating, disabling, enabling ----------------------------------------------------------


def test_rotation_shows_the_new_secret_once_and_keeps_the_old_one_as_long_as_was_said(
    login: Login, partner_manager: User, endpoint: WebhookEndpoint
) -> None:
    client, before = login(partner_manager), endpoint.secret
    asked = client.get(of(endpoint, "rotate"))
    until = timezone.localtime(timezone.now() + timedelta(hours=3)).replace(second=0, microsecond=0)

    answer = client.post(of(endpoint, "rotate"), {"until": f"{until:%Y-%m-%dT%H:%M}"})

    endpoint.refresh_from_db()
    assert asked.context["form"].initial["until"] > timezone.now() + timedelta(hours=23)
    assert SECRET.findall(answer.content.decode()) == [endpoint.secret]
    assert "no-store" in answer["Cache-Control"]
    assert endpoint.secret != before
    assert (endpoint.previous_secret, endpoint.previous_until) == (before, until)
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action) == (partner_manager, "issued")
    assert before not in str(entry.__dict__)
    assert endpoint.secret not in str(entry.__dict__)
    shown = client.get(of(endpoint, "change")).content.decode()
    assert before not in shown
    assert endpoint.secret not in shown
    assert "still signs, and stops now" in client.get(of(endpoint, "rotate")).content.decode()


@pytest.mark.parametrize(("days", "refused"), [(-1, "in the future"), (31, "the next 30 days")])
def test_rotation_until_a_time_that_makes_no_sense_is_refused(
    login: Login, partner_manager: User, endpoint: WebhookEndpoint, days: int, refused: str
) -> None:
    until = timezone.localtime(timezone.now() + timedelta(days=days))

    answer = login(partner_manager).post(
        of(endpoint, "rotate"), {"until": f"{until:%Y-%m-%dT%H:%M}"}
    )

    assert refused in answer.content.decode()
    assert WebhookEndpoint.objects.get().secret == endpoint.secret


def test_rotation_without_a_time_ends_the_old_secret_at_once(
    login: Login, partner_manager: User, endpoint: WebhookEndpoint
) -> None:
    login(partner_manager).post(of(endpoint, "rotate"), {"until": ""})

    row = WebhookEndpoint.objects.get()
    assert row.secret != endpoint.secret
    assert (row.previous_secret, row.previous_until) == ("", None)


def test_endpoint_is_disabled_and_enabled_with_a_reason(
    login: Login, partner_manager: User, endpoint: WebhookEndpoint
) -> None:
    client = login(partner_manager)

    client.post(of(endpoint, "disable"), {"reason": " "})
    assert WebhookEndpoint.objects.get().status == "active"
    client.post(of(endpoint, "disable"), {"reason": "Their certificate ran out."})
    row = WebhookEndpoint.objects.get()
    assert (row.status, row.disabled_why) == ("disabled", "Their certificate ran out.")
    assert "press-enable" in client.get(of(endpoint, "change")).content.decode()
    client.post(of(endpoint, "enable"), {"reason": "It is renewed."})
    row.refresh_from_db()
    assert (row.status, row.disabled_why, row.disabled_at) == ("active", "", None)

    messages = list(AuditEntry.objects.order_by("id").values_list("message", flat=True))
    assert messages[-2:] == [
        f"The webhook endpoint {row.url} was disabled: Their certificate ran out.",
        f"The webhook endpoint {row.url} was enabled: It is renewed.",
    ]


def test_nobody_but_an_administrator_sets_up_endpoints(
    login: Login,
    operations: User,
    auditor: User,
    manager: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
) -> None:
    before = list(WebhookEndpoint.objects.values())
    for user in (operations, auditor, manager):
        client = login(user)
        shown = client.get(of(endpoint, "change"))
        assert shown.status_code == 200
        assert "press-" not in shown.content.decode()
        assert client.post(ADD, {"partner": partner.pk, "url": URL}).status_code == 403
        for name in ("rotate", "disable", "enable"):
            assert client.get(of(endpoint, name)).status_code == 403
            assert client.post(of(endpoint, name), {"reason": "x"}).status_code == 403
    assert list(WebhookEndpoint.objects.values()) == before


def test_get_changes_nothing_and_no_page_edits_or_deletes(
    login: Login,
    partner_manager: User,
    operations: User,
    endpoint: WebhookEndpoint,
    partner: Partner,
) -> None:
    client, operator = login(partner_manager), login(operations)
    delivery = given_up(partner)
    before = everything_stored()

    for where in (ADD, *(of(endpoint, name) for name in ("rotate", "disable", "enable"))):
        assert client.get(where).status_code == 200
    assert operator.get(of_delivery(delivery, "resend")).status_code == 200
    for where in (of(endpoint, "change"), of_delivery(delivery, "change")):
        assert client.post(where, {"url": URL}).status_code == 403
    for where in (of(endpoint, "delete"), of_delivery(delivery, "delete")):
        assert client.post(where, {"post": "yes"}).status_code == 403

    assert everything_stored() == before


def test_list_of_endpoints_has_the_last_outcome_in_as_many_queries_however_long(
    login: Login, auditor: User, partner: Partner, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    client = login(auditor)
    assert "None yet" in client.get(ENDPOINTS).content.decode()
    submit(partner)
    sweep_webhooks()
    given_up(partner)
    client.get(ENDPOINTS)
    with CaptureQueriesContext(connection) as few:
        shown = client.get(ENDPOINTS).content.decode()
    assert 'tone-bad">Failed' in shown
    assert "Delivered" not in shown.split("<tbody>")[1]
    for number in range(5):
        endpoint_create(partner=partner, url=f"{URL}{number}")
    submit(partner)

    with CaptureQueriesContext(connection) as many:
        client.get(ENDPOINTS)

    assert len(few) == len(many)


# --- Deliveries -----------------------------------------------------------------------------


def test_page_of_a_delivery_shows_the_payload_and_every_try_and_escapes_the_answer(
    login: Login,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    receiver.answers.extend([(500, {}), (200, {})])
    application = submit(partner)
    sweep_webhooks()
    sweep_webhooks()
    WebhookAttempt.objects.filter(status_code=500).update(
        response="<script>alert(1)</script> & more"
    )

    shown = login(auditor).get(of_delivery(WebhookDelivery.objects.get(), "change"))

    html = shown.content.decode()
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert html.count('class="panel try"') == 2
    assert f"&quot;reference&quot;: &quot;{application.reference}&quot;" in html
    assert "webhook-signature: v1," in html
    assert "127.0.0.1" in html
    assert endpoint.secret not in html
    assert endpoint.secret.removeprefix("whsec_") not in html
    assert "press-resend" not in html


def test_operations_resend_what_failed_and_it_is_on_record(
    login: Login,
    operations: User,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    delivery = given_up(partner)
    client = login(operations)
    assert "press-resend" in client.get(of_delivery(delivery, "change")).content.decode()
    assert login(auditor).post(of_delivery(delivery, "resend")).status_code == 302
    delivery.refresh_from_db()
    assert delivery.status == "failed"

    answer = client.post(of_delivery(delivery, "resend"))

    assert said(answer) == ["It is on its way again."]
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.object_id) == (
        operations,
        "operated",
        str(delivery.pk),
    )
    assert sweep_webhooks() >= 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.round) == ("delivered", 2)


def test_what_is_on_its_way_or_whose_endpoint_is_disabled_is_not_resent(
    login: Login, operations: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    client = login(operations)
    submit(partner)
    under_way = WebhookDelivery.objects.get()

    assert "is on its way already" in said(client.post(of_delivery(under_way, "resend")))[-1]
    WebhookDelivery.objects.update(status="failed")
    endpoint_disable(endpoint=endpoint, why="By hand.")
    assert "is disabled" in said(client.post(of_delivery(under_way, "resend")))[-1]

    under_way.refresh_from_db()
    assert (under_way.status, under_way.round) == ("failed", 1)


def resend_selected(client: Client, rows: list[WebhookDelivery]) -> Any:
    typed = {"action": "resend_selected", "index": "0"}
    return client.post(DELIVERIES, {**typed, "_selected_action": [row.pk for row in rows]})


def test_failed_ones_of_the_selected_are_resent_together_and_the_others_left_alone(
    login: Login, operations: User, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    for _ in range(3):
        submit(partner)
    rows = list(WebhookDelivery.objects.order_by("pk"))
    WebhookDelivery.objects.filter(pk=rows[0].pk).update(status="delivered")
    WebhookDelivery.objects.filter(pk=rows[1].pk).update(status="failed")

    resend_selected(login(auditor), rows)
    assert WebhookDelivery.objects.get(pk=rows[1].pk).status == "failed"
    answer = resend_selected(login(operations), rows)

    assert said(answer) == [
        "1 on the way again.",
        "2 left alone: not failed, or the endpoint is disabled.",
    ]
    found = list(WebhookDelivery.objects.order_by("pk").values_list("status", "round"))
    assert found == [("delivered", 1), ("pending", 2), ("pending", 1)]
    assert AuditEntry.objects.filter(message__startswith="Sent again").count() == 1


def test_too_many_at_once_are_refused_and_none_is_sent(
    login: Login,
    operations: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.admin.deliveries.MOST_AT_ONCE", 2)
    for _ in range(3):
        submit(partner)
    WebhookDelivery.objects.update(status="failed")

    answer = resend_selected(login(operations), list(WebhookDelivery.objects.all()))

    assert "choose at most 2" in said(answer)[0]
    assert not WebhookDelivery.objects.exclude(status="failed").exists()


def test_list_is_filtered_and_searched(
    login: Login, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    other = Partner.objects.create(name="Other")
    endpoint_create(partner=other, url=URL)
    mine, theirs = submit(partner), submit(other)
    first, second = WebhookDelivery.objects.order_by("pk")
    WebhookDelivery.objects.filter(pk=second.pk).update(status="failed")
    client = login(auditor)

    def found(query: str) -> list[int]:
        answer = client.get(f"{DELIVERIES}?{query}")
        assert answer.status_code == 200
        return [row.pk for row in answer.context["cl"].result_list]

    assert found("") == [second.pk, first.pk]
    assert found("status__exact=failed") == [second.pk]
    assert found(f"partner__id__exact={partner.pk}") == [first.pk]
    assert found("partner__id__exact=x") == []
    assert found("event_type__exact=application.submitted") == [second.pk, first.pk]
    assert found("event_type__exact=application.funded") == []
    assert found(f"q={mine.reference.lower()}") == [first.pk]
    assert found(f"q={second.event.public_id}") == [second.pk]
    assert found("q=nothing") == []
    assert theirs.reference in client.get(DELIVERIES).content.decode()


def test_list_of_deliveries_costs_the_same_queries_however_many_there_are(
    login: Login, auditor: User, partner: Partner, endpoint: WebhookEndpoint
) -> None:
    client = login(auditor)
    numbers = []
    for _ in range(2):
        for _ in range(4):
            submit(partner)
        client.get(DELIVERIES)
        with CaptureQueriesContext(connection) as captured:
            client.get(DELIVERIES)
        numbers.append(len(captured))

    assert numbers[0] == numbers[1]


# --- The case -------------------------------------------------------------------------------


def test_case_and_its_timeline_show_what_its_partner_was_told(
    login: Login,
    auditor: User,
    partner: Partner,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
) -> None:
    receiver.answers.append((503, {}))
    application = submit(partner)
    client = login(auditor)
    sweep_webhooks()

    html = client.get(page("change", application)).content.decode()
    assert f'id="delivery-{WebhookDelivery.objects.get().pk}"' in html
    days = client.get(page("timeline", application)).context["days"]
    lines = [line for _, day in days for line in day if line.what.startswith("Webhook")]
    assert [line.what for line in lines] == [
        "Webhook application.submitted: queued",
        "Webhook application.submitted: to be tried again",
    ]
    assert ("last answer", "503") in lines[1].facts
    sweep_webhooks()
    days = client.get(page("timeline", application)).context["days"]
    assert any(
        line.what == "Webhook application.submitted: delivered" for _, day in days for line in day
    )


def test_page_that_polls_is_told_when_a_webhook_arrived(
    auditor: User, partner: Partner, endpoint: WebhookEndpoint, rf: RequestFactory
) -> None:
    application = submit(partner)
    request = rf.get("/")
    request.user = auditor
    case = admin.site._registry[LoanApplication]
    now = timezone.now()

    before = case.application_fingerprint(application, request, now)
    WebhookDelivery.objects.update(status="delivered")

    assert case.application_fingerprint(application, request, now) != before


# --- Grants -----------------------------------------------------------------------------------


def test_every_role_sees_webhooks_operations_resend_and_partner_managers_set_up_endpoints(
    make_user: Callable[..., User],
) -> None:
    for role in Role:
        if not Group.objects.filter(name=role.value).exists():
            continue
        user = make_user(role.name, role)
        assert user.has_perm("webhooks.view_webhookdelivery"), role
        assert user.has_perm("webhooks.view_webhookendpoint"), role
        assert user.has_perm(RESEND) == (role == Role.OPERATIONS), role
        assert user.has_perm(endpoints.ADD) == (role == Role.PARTNER_MANAGER), role
        assert user.has_perm(endpoints.CHANGE) == (role == Role.PARTNER_MANAGER), role
