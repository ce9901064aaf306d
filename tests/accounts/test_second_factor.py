"""The second factor with an authenticator app: enrolled, required everywhere, recovered, reset."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import RoutePattern, URLPattern, URLResolver

from accounts.models import LONGEST_THROTTLE, RecoveryCode, SecondFactor
from accounts.services import second_factor
from audit.models import Action, AuditEntry
from tests.accounts.conftest import (
    HOME,
    Clock,
    code_of,
    is_signed_in,
    sign_in,
    wrong_code_of,
)

pytestmark = pytest.mark.django_db
CODE, ENROL = "/admin/account/code/", "/admin/account/second-factor/"
QR = f"{ENROL}qr.svg"
Enrol = Callable[[User], tuple[SecondFactor, list[str]]]
API = "/api/v1/applications/"


def notes() -> list[str]:
    rows = AuditEntry.objects.filter(action=Action.SECOND_FACTOR).order_by("id")
    return list(rows.values_list("message", flat=True))


@pytest.fixture
def signed_in(manager: User) -> Client:
    client = Client()
    sign_in(client, "manager")
    return client


def test_person_sets_one_up_from_their_account(signed_in: Client, manager: User) -> None:
    assert signed_in.get(QR).status_code == 404
    signed_in.get(ENROL)
    assert not SecondFactor.objects.exists()  # a link that is followed changes nothing

    signed_in.post(ENROL, {"begin": "yes"})
    html = signed_in.get(ENROL).content.decode()
    device = SecondFactor.objects.get()
    picture = signed_in.get(QR)
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert b"style=" not in picture.content
    assert "no-store" in picture.headers["Cache-Control"]
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', html)
    assert secret
    assert secret[1].replace(" ", "") in device.config_url
    assert not device.confirmed

    answer = signed_in.post(ENROL, {"code": code_of(device)})

    codes = re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", answer.content.decode())
    assert len(set(codes)) == 10
    assert RecoveryCode.objects.filter(user=manager).count() == 10
    assert not RecoveryCode.objects.filter(code_hash__in=codes).exists()
    assert codes[0] not in signed_in.get(reverse("account:home")).content.decode()
    assert signed_in.get(HOME).status_code == 200
    assert notes() == ["Set up a second factor."]


def test_wrong_code_sets_nothing_up(signed_in: Client) -> None:
    signed_in.post(ENROL, {"begin": "yes"})
    device = SecondFactor.objects.get()

    answer = signed_in.post(ENROL, {"code": wrong_code_of(device)})

    assert "That code is not right" in answer.content.decode()
    assert not SecondFactor.objects.get().confirmed
    assert not RecoveryCode.objects.exists()


def test_code_is_asked_for_after_the_password_and_leads_where_one_was_going(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    device, _ = enrol(manager)
    clock.go_on(seconds=30)
    client = Client()
    sign_in(client, "manager")
    where = "/admin/applications/loanapplication/?status__exact=draft"

    asked = client.get(where)
    assert asked.url == reverse("account:code", query={"next": where})
    before = client.session.session_key
    answer = client.post(asked.url, {"code": code_of(device), "next": where})

    assert answer.url == where
    assert client.session.session_key != before
    assert client.get(where).status_code == 200
    assert notes()[-1] == "Showed the second factor."


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example/", "javascript:1"])
def test_code_leads_to_no_other_site(
    manager: User, enrol: Enrol, clock: Clock, next_page: str
) -> None:
    device, _ = enrol(manager)
    clock.go_on(seconds=30)
    client = Client()
    sign_in(client, "manager")

    assert client.post(CODE, {"code": code_of(device), "next": next_page}).url == HOME


def test_same_code_opens_once(manager: User, enrol: Enrol, clock: Clock) -> None:
    device, _ = enrol(manager)
    clock.go_on(seconds=30)
    code = code_of(device)
    clients = Client(), Client()
    for client in clients:
        sign_in(client, "manager")

    opened = [client.post(CODE, {"code": code}).status_code for client in clients]

    assert opened == [302, 200]
    assert clients[1].get(HOME).url.startswith(CODE)


FULL_WIDTH = "".join(chr(0xFF10 + digit) for digit in range(6))


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", FULL_WIDTH, "12_456", "-12345", "abcdef"]
)
def test_what_is_no_code_is_refused(manager: User, enrol: Enrol, clock: Clock, typed: str) -> None:
    enrol(manager)
    clock.go_on(seconds=30)
    client = Client()
    sign_in(client, "manager")

    assert client.post(CODE, {"code": typed}).status_code == 200
    assert client.get(HOME).url.startswith(CODE)


def test_wrong_codes_are_slowed_down_and_a_right_one_waits_too(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    device, _ = enrol(manager)
    clock.go_on(seconds=30)
    client = Client()
    sign_in(client, "manager")
    for _ in range(4):
        client.post(CODE, {"code": wrong_code_of(device)})
        clock.go_on(seconds=9)
    client.post(CODE, {"code": wrong_code_of(device)})

    refused = client.post(CODE, {"code": code_of(device)})
    assert "Too many wrong codes" in refused.content.decode()

    clock.go_on(seconds=17)
    assert client.post(CODE, {"code": code_of(device)}).status_code == 302
    assert notes().count("A code of the second factor was refused.") == 5


def test_owner_waits_a_quarter_of_an_hour_at_most_whoever_guessed(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    device, _ = enrol(manager)
    SecondFactor.objects.update(throttling_failure_count=40)
    device.refresh_from_db()
    device.throttle_increment()
    client = Client()
    sign_in(client, "manager")
    clock.go_on(minutes=14)
    assert client.post(CODE, {"code": code_of(device)}).status_code == 200

    clock.go_on(seconds=LONGEST_THROTTLE.total_seconds() - 14 * 60)

    assert client.post(CODE, {"code": code_of(device)}).status_code == 302


def test_recovery_code_opens_once(manager: User, enrol: Enrol) -> None:
    _, codes = enrol(manager)
    clients = Client(), Client()
    for client in clients:
        sign_in(client, "manager")

    opened = [client.post(CODE, {"code": codes[3].lower()}).status_code for client in clients]

    assert opened == [302, 200]
    assert "Used a recovery code; 9 are left." in notes()


def test_new_recovery_codes_take_the_place_of_the_old_ones(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    device, old = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": old[0]})
    renew = reverse("account:renew")
    assert client.post(renew, {"code": wrong_code_of(device)}).status_code == 200
    assert RecoveryCode.objects.filter(used_at__isnull=True).count() == 9
    clock.go_on(seconds=30)

    client.post(renew, {"code": code_of(device)})

    assert RecoveryCode.objects.filter(used_at__isnull=True).count() == 10
    again = Client()
    sign_in(again, "manager")
    assert again.post(CODE, {"code": old[1]}).status_code == 200


def test_own_one_is_removed_against_a_code_only(manager: User, enrol: Enrol, clock: Clock) -> None:
    device, codes = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": codes[0]})
    remove = reverse("account:remove")
    client.post(remove, {"code": ""})
    client.post(remove, {"code": wrong_code_of(device)})
    assert SecondFactor.objects.exists()
    clock.go_on(seconds=30)

    client.post(remove, {"code": code_of(device)})

    assert not SecondFactor.objects.exists()
    assert notes()[-1] == "Removed the second factor."
    assert client.get(HOME).status_code == 200


def test_another_app_takes_the_place_of_the_first_against_a_code_of_it(
    manager: User, enrol: Enrol, clock: Clock
) -> None:
    first, codes = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": codes[0]})
    client.post(ENROL, {"begin": "yes"})
    client.post(ENROL, {"begin": "yes", "code": wrong_code_of(first)})
    assert SecondFactor.objects.get() == first
    clock.go_on(seconds=30)

    client.post(ENROL, {"begin": "yes", "code": code_of(first)})
    second = SecondFactor.objects.get(confirmed=False)
    client.post(ENROL, {"code": code_of(second)})

    assert SecondFactor.objects.get() == second
    assert client.get(HOME).status_code == 200
    again = Client()
    sign_in(again, "manager")
    assert again.post(CODE, {"code": codes[1]}).status_code == 200  # the old ones are no good


# --- Needed by a role -------------------------------------------------------------------------


def test_member_without_one_is_led_to_it_before_anything_else(
    manager: User, needs_second_factor: Callable[[User], None]
) -> None:
    needs_second_factor(manager)
    client = Client()
    sign_in(client, "manager")

    assert client.get(HOME).url == reverse("account:enrol", query={"next": HOME})
    client.post(ENROL, {"begin": "yes"})
    assert client.get(HOME).url.startswith(ENROL)
    client.post(ENROL, {"code": code_of(SecondFactor.objects.get())})

    assert client.get(HOME).status_code == 200


def test_session_that_is_there_already_is_led_to_it_too(
    signed_in: Client, manager: User, needs_second_factor: Callable[[User], None]
) -> None:
    assert signed_in.get(HOME).status_code == 200

    needs_second_factor(manager)

    assert signed_in.get(HOME).url.startswith(ENROL)


def test_nobody_else_is_asked_for_one(
    manager: User, officer: User, needs_second_factor: Callable[[User], None]
) -> None:
    needs_second_factor(manager)
    client = Client()
    sign_in(client, "officer")

    assert client.get(HOME).status_code == 200


def routes(patterns: list[Any], prefix: str = "/") -> list[str]:
    """Every address of the project, with a 1 for whatever it takes."""
    found = []
    for pattern in patterns:
        if isinstance(pattern.pattern, RoutePattern):
            route = prefix + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
            if isinstance(pattern, URLResolver):
                found += routes(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                found.append(route)
    return found


def test_without_the_code_every_page_and_every_post_leads_to_it(
    make_user: Callable[..., User], enrol: Enrol
) -> None:
    enrol(make_user("root", is_superuser=True))
    client = Client()
    sign_in(client, "root")
    open_to_all = {CODE, "/admin/login/", "/admin/logout/", "/health/live/", "/health/ready/"}
    addresses = set(routes(get_resolver().url_patterns)) - open_to_all
    assert len(addresses) > 80

    for address in sorted(addresses):
        for call in (client.get, client.post):
            answer = call(address)
            if address.startswith("/api/"):
                assert answer.status_code in {200, 401, 403, 404, 405}, address
                is_public = address in {"/api/v1/schema/", "/api/v1/docs/"}
                assert answer.status_code != 200 or is_public, address
            else:
                assert answer.status_code == 302, address
                assert answer.url.startswith(CODE), address


@pytest.mark.parametrize("lacking", ["code", "enrolment"])
def test_api_refuses_a_staff_session_that_lacks_it(
    manager: User,
    enrol: Enrol,
    needs_second_factor: Callable[[User], None],
    lacking: str,
) -> None:
    if lacking == "code":
        enrol(manager)
    else:
        needs_second_factor(manager)
    client = Client()
    sign_in(client, "manager")

    answers = [client.get(API), client.post(f"{API}LOAN-22222222/decision/", {"approved": True})]

    for answer in answers:
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/second-factor-needed"


def test_api_takes_a_staff_session_that_showed_it_and_a_partner_with_a_cookie_of_one_that_did_not(
    manager: User, enrol: Enrol, partner_key: str
) -> None:
    _, codes = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    bearer = {"Authorization": f"Bearer {partner_key}"}
    assert client.get(API, headers=bearer).status_code == 200

    client.post(CODE, {"code": codes[0]})

    assert client.get(API).status_code == 200


def test_code_of_one_person_does_not_verify_another_in_the_same_browser(
    manager: User, senior: User, enrol: Enrol
) -> None:
    _, codes = enrol(manager)
    enrol(senior)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": codes[0]})
    assert client.get(HOME).status_code == 200

    sign_in(client, "senior")

    assert client.get(HOME).url.startswith(CODE)
    assert client.post(CODE, {"code": codes[1]}).status_code == 200


# --- Reset ------------------------------------------------------------------------------------


def test_superuser_resets_one_and_its_sessions_are_led_to_another(
    manager: User,
    enrol: Enrol,
    needs_second_factor: Callable[[User], None],
    make_user: Callable[..., User],
) -> None:
    needs_second_factor(manager)
    device, codes = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": codes[0]})
    root = make_user("root", is_superuser=True)
    office = Client()
    office.force_login(root)
    pages = "/admin/accounts/secondfactor/"
    html = office.get(f"{pages}{device.pk}/change/").content.decode()
    assert device.key not in html
    assert office.get(f"{pages}{device.pk}/reset/").status_code == 200
    assert SecondFactor.objects.exists()

    office.post(f"{pages}{device.pk}/reset/")

    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert client.get(HOME).url.startswith(ENROL)
    entry = AuditEntry.objects.filter(action=Action.SECOND_FACTOR).latest("id")
    assert (entry.actor, entry.object_name) == (root, "manager")


@pytest.mark.parametrize("who", ["auditor", "operations", "manager"])
def test_nobody_else_resets_one(
    enrol: Enrol, senior: User, who: str, request: pytest.FixtureRequest
) -> None:
    device, _ = enrol(senior)
    client = Client()
    client.force_login(request.getfixturevalue(who))

    assert client.get("/admin/accounts/secondfactor/").status_code == 403
    assert client.post(f"/admin/accounts/secondfactor/{device.pk}/reset/").status_code == 403
    assert SecondFactor.objects.exists()
    with pytest.raises(second_factor.OnlySuperusers):
        second_factor.second_factor_reset(user=senior, by=request.getfixturevalue(who))


def test_superuser_says_which_group_needs_one_and_that_is_on_record(
    manager: User, make_user: Callable[..., User]
) -> None:
    office = Client()
    office.force_login(make_user("root", is_superuser=True))
    group = manager.groups.get()

    office.post("/admin/accounts/requiredsecondfactor/add/", {"group": group.pk})

    client = Client()
    sign_in(client, "manager")
    assert client.get(HOME).url.startswith(ENROL)
    entry = AuditEntry.objects.get(object_kind="accounts.requiredsecondfactor")
    assert entry.changes == {"group": [None, "Manager"]}


def test_demo_logins_need_none(manager: User) -> None:
    client = Client()
    sign_in(client, "manager")

    assert is_signed_in(client)
    assert client.get(HOME).status_code == 200


def test_command_resets_that_of_the_last_superuser(
    make_user: Callable[..., User], enrol: Enrol
) -> None:
    enrol(make_user("root", is_superuser=True))

    call_command("reset_second_factor", "root", stdout=StringIO())

    assert not SecondFactor.objects.exists()
    assert AuditEntry.objects.filter(action=Action.SECOND_FACTOR).latest("id").actor is None
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("reset_second_factor", "nobody")
