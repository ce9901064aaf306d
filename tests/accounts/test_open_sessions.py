"""One's own open sessions: listed with device, address and time, and ended."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts.devices import device_name
from audit.models import Action, AuditEntry
from tests.accounts.conftest import Clock, is_signed_in, sign_in

pytestmark = pytest.mark.django_db
ACCOUNT = "/admin/account/"
END = "/admin/account/sessions/end/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def browser(username: str, user_agent: str = FIREFOX, address: str = "198.51.100.1") -> Client:
    client = Client(headers={"User-Agent": user_agent})
    sign_in(client, username, address=address)
    return client


@pytest.fixture
def desk(manager: User) -> Client:
    return browser("manager")


@pytest.fixture
def telephone(manager: User, desk: Client) -> Client:
    return browser("manager", IPHONE, "203.0.113.9")


def rows(client: Client) -> list[str]:
    html = client.get(ACCOUNT).content.decode()
    table = re.search(r'id="sessions">(.*?)</table>', html, re.DOTALL)
    assert table is not None
    return re.findall(r"<tr>(.*?)</tr>", table[1], re.DOTALL)[1:]


def handles(client: Client) -> list[str]:
    return [
        found for row in rows(client) for found in re.findall(r'name="handle" value="(\w+)"', row)
    ]


def signed_out() -> list[str]:
    found = AuditEntry.objects.filter(action=Action.SIGNED_OUT).order_by("id")
    return list(found.values_list("message", flat=True))


def test_sessions_are_listed_with_device_and_address_and_without_their_keys(
    desk: Client, telephone: Client, officer: User
) -> None:
    browser("officer", address="192.0.2.1")

    listed = rows(desk)

    assert len(listed) == 2
    [own] = [row for row in listed if "This one" in row]
    [other] = [row for row in listed if "This one" not in row]
    assert "Firefox on Linux" in own
    assert "198.51.100.1" in own
    assert "Safari on iPhone" in other
    assert "203.0.113.9" in other
    html = desk.get(ACCOUNT).content.decode()
    assert not any(row.session_key in html for row in Session.objects.all())


def test_one_of_them_is_ended_and_the_others_go_on(desk: Client, telephone: Client) -> None:
    third = browser("manager")
    other = next(row for row in rows(desk) if "iPhone" in row)
    handle = re.findall(r'value="(\w{32})"', other)[0]

    desk.post(END, {"handle": handle})

    assert not is_signed_in(telephone)
    assert is_signed_in(desk)
    assert is_signed_in(third)
    assert signed_out() == ["Ended a session of theirs: Safari on iPhone, 203.0.113.9."]
    again: Any = desk.post(END, {"handle": handle}, follow=True)
    assert "over already" in again.content.decode()


def test_all_others_are_ended(desk: Client, telephone: Client) -> None:
    desk.post(END)

    assert is_signed_in(desk)
    assert not is_signed_in(telephone)
    assert len(rows(desk)) == 1
    assert signed_out() == ["Ended their other sessions: 1."]


def test_session_of_another_person_is_not_ended(desk: Client, officer: User) -> None:
    theirs = browser("officer")
    browser("officer")
    [handle] = handles(theirs)

    desk.post(END, {"handle": handle})

    assert len(rows(theirs)) == 2
    assert signed_out() == []


def test_link_that_is_followed_ends_nothing(desk: Client, telephone: Client) -> None:
    assert desk.get(END).status_code == 405
    assert is_signed_in(telephone)


def test_new_password_ends_the_others_for_good(desk: Client, telephone: Client) -> None:
    new = "correct horse battery"
    typed = {"old_password": "demo", "new_password1": new, "new_password2": new}

    desk.post(reverse("admin:password_change"), typed)

    assert is_signed_in(desk)
    assert len(rows(desk)) == 1
    assert Session.objects.count() == 1
    assert not is_signed_in(telephone)


def test_session_that_was_idle_too_long_is_not_listed(
    desk: Client, telephone: Client, clock: Clock
) -> None:
    clock.go_on(minutes=20)
    desk.get(ACCOUNT)
    clock.go_on(minutes=15)

    assert len(rows(desk)) == 1


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Safari/537.36", "Chrome on Android"),
        ("curl/8.1", "Another program"),
        ("", "Another program"),
    ],
)
def test_device_is_named_by_what_it_says_of_itself(said: str, name: str) -> None:
    assert device_name(said) == name
