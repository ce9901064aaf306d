"""A person enrols a second factor, shows its code, recovers, renews and removes it."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import LONGEST_THROTTLE, RecoveryCode, SecondFactor
from audit.models import Action, AuditEntry
from tests.accounts.conftest import (
    CODE,
    ENROL,
    HOME,
    Clock,
    Enrol,
    code_of,
    sign_in,
    wrong_code_of,
)

pytestmark = pytest.mark.django_db
QR = f"{ENROL}qr.svg"


def notes() -> list[str]:
    rows = AuditEntry.objects.filter(action=Action.SECOND_FACTOR).order_by("id")
    return list(rows.values_list("message", flat=True))


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
    html = client.get(asked.url).content.decode()
    # What leads back here until the code is given is not offered.
    assert [each in html for each in ('id="header-search"', 'id="menu"', 'id="bell-link"')] == [
        False,
        False,
        False,
    ]
    assert "each code once" in html
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
