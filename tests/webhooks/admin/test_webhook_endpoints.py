"""Webhook endpoints in the admin: who sets them up, and secrets that are never shown again."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from audit.models import AuditEntry
from partners.models import Partner
from tests.applications.admin.conftest import Login
from tests.hard_cases.stored import everything_stored
from tests.webhooks.admin.pages import ADD, ENDPOINTS, URL, given_up, of, of_delivery
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import Receiver
from webhooks import endpoints, url_safety
from webhooks.endpoints import endpoint_create
from webhooks.events import RESEND
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


# --- Adding --------------------------------------------------------------------------------


def test_secret_is_shown_once_on_the_page_that_answers_and_nowhere_after(
    login: Login, partner_manager: User, partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    client = login(partner_manager)

    answer = client.post(
        ADD, {"partner": partner.pk, "url": URL, "event_types": ["application.funded"]}
    )

    made = WebhookEndpoint.objects.get()
    assert SECRET.findall(answer.content.decode()) == [made.secret]
    assert f'action="{of(made, "test")}"' in answer.content.decode()
    assert answer.context["title"] == "The webhook endpoint was added"
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


# --- Rotating, disabling, enabling ---------------------------------------------------------


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


# --- Grants --------------------------------------------------------------------------------


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
