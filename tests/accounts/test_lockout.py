"""Lockouts: too many failures lock a name out; nobody can lock out somebody elsewhere."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.devices import COOKIE
from accounts.lockouts import ADDRESS, ANYWHERE, HERE, KNOWN_DEVICE
from accounts.models import FailedSignIn
from accounts.services.sign_in import LOCKED_EVERY
from audit.models import Action, AuditEntry
from tests.accounts.conftest import Clock, is_signed_in, sign_in
from tests.sizes import some

pytestmark = pytest.mark.django_db
ELSEWHERE = "203.0.113.9"


def fail(username: str, times: int, *, address: str = "198.51.100.1") -> list[int]:
    return [sign_in(Client(), username, "wrong", address=address).status_code for _ in range(times)]


def test_name_is_locked_out_at_its_address_and_told_so(manager: User) -> None:
    assert fail("manager", HERE) == [200] * (HERE - 1) + [429]

    client = Client()
    answer = sign_in(client, "manager")

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "900"
    assert "for 15 minutes" in answer.content.decode()
    assert not is_signed_in(client)


def test_another_address_and_another_name_are_not_locked_out(manager: User, officer: User) -> None:
    fail("manager", HERE)

    for username, address in (("manager", ELSEWHERE), ("officer", "198.51.100.1")):
        client = Client()
        sign_in(client, username, address=address)
        assert is_signed_in(client), username


def test_another_browser_at_the_same_address_is_locked_out_too(manager: User) -> None:
    fail("manager", HERE)

    client = Client(headers={"User-Agent": "another"})

    assert sign_in(client, "manager").status_code == 429


def test_lockout_is_over_after_a_quarter_of_an_hour_however_often_one_tried_meanwhile(
    manager: User, clock: Clock
) -> None:
    fail("manager", HERE)
    clock.go_on(minutes=14)
    assert fail("manager", 3) == [429] * 3
    clock.go_on(minutes=1, seconds=1)

    client = Client()
    sign_in(client, "manager")

    assert is_signed_in(client)


def test_sign_in_forgives_what_failed_before(manager: User) -> None:
    fail("manager", HERE - 1)
    sign_in(Client(), "manager")

    assert fail("manager", HERE - 1) == [200] * (HERE - 1)


def fail_from_everywhere(username: str) -> None:
    for number in range(ANYWHERE):
        fail(username, 1, address=f"203.0.113.{number}")


def test_guessing_from_many_addresses_locks_the_name_out_at_a_new_one(manager: User) -> None:
    fail_from_everywhere("manager")

    assert sign_in(Client(), "manager", address="192.0.2.77").status_code == 429


def test_person_at_their_usual_address_cannot_be_kept_out_from_elsewhere(manager: User) -> None:
    sign_in(Client(), "manager")
    fail_from_everywhere("manager")

    client = Client()
    sign_in(client, "manager")

    assert is_signed_in(client)
    # Nor does that give whoever guesses from elsewhere another round.
    assert sign_in(Client(), "manager", address="192.0.2.77").status_code == 429


def test_usual_address_is_locked_out_by_what_fails_there(manager: User) -> None:
    sign_in(Client(), "manager")

    assert fail("manager", HERE)[-1] == 429


def test_what_a_client_says_of_its_address_counts_for_nothing(manager: User) -> None:
    for number in range(HERE):
        last = Client(headers={"X-Forwarded-For": f"10.0.0.{number}"}).post(
            "/admin/login/", {"username": "manager", "password": "wrong"}
        )

    assert last.status_code == 429


def test_failures_and_the_lockout_are_on_record_once_each(manager: User) -> None:
    fail("manager", HERE + 10)

    entries = AuditEntry.objects.filter(who="manager").order_by("id")
    assert [entry.action for entry in entries] == [
        *[Action.SIGN_IN_FAILED] * HERE,
        Action.LOCKED_OUT,
    ]
    assert {entry.address for entry in entries} == {"198.51.100.1"}
    assert {entry.actor for entry in entries} == {None}


def test_password_typed_as_a_name_is_kept_nowhere(manager: User) -> None:
    for _ in range(3):
        sign_in(Client(), "correct horse battery", "manager")

    entry = AuditEntry.objects.get(action=Action.SIGN_IN_FAILED)
    assert "horse" not in f"{entry.who}{entry.message}{entry.details}{entry.changes}"


def test_password_is_not_kept_with_a_failure(manager: User) -> None:
    sign_in(Client(), "manager", "correct horse battery")

    [attempt] = AccessAttempt.objects.values()
    assert "horse" not in str(attempt)


def test_superuser_lifts_a_lockout_and_that_is_on_record(
    manager: User, make_user: Callable[..., User]
) -> None:
    fail("manager", HERE)
    root = make_user("root", is_superuser=True)
    client = Client()
    client.force_login(root)
    pages = "/admin/accounts/failedsignin/"
    failed = FailedSignIn.objects.get()
    assert "Locked out" in client.get(pages).content.decode()
    assert client.get(f"{pages}{failed.pk}/change/").status_code == 200
    assert client.get(f"{pages}{failed.pk}/lift/").status_code == 200
    assert FailedSignIn.objects.exists()

    client.post(f"{pages}{failed.pk}/lift/")

    assert sign_in(Client(), "manager").status_code == 302
    entry = AuditEntry.objects.get(action=Action.UNLOCKED)
    assert (entry.actor, entry.details) == (root, {"username": "manager"})


def test_list_shows_what_counts_what_locks_out_and_what_is_over(
    manager: User, officer: User, make_user: Callable[..., User]
) -> None:
    fail("manager", 1)
    fail("officer", 1)
    client = Client()
    client.force_login(make_user("root", is_superuser=True))
    ended = timezone.now() - LOCKED_EVERY
    FailedSignIn.objects.filter(username="officer").update(attempt_time=ended)
    pages = "/admin/accounts/failedsignin/"

    shown = client.get(pages).text

    for badge in ('tone-info">Counted', 'tone-quiet">Over'):
        assert shown.count(badge) == 1
    for failed in FailedSignIn.objects.all():
        assert client.get(f"{pages}{failed.pk}/change/").status_code == 200


@pytest.mark.parametrize("who", ["auditor", "operations", "manager"])
def test_nobody_else_sees_or_lifts_one(who: str, request: pytest.FixtureRequest) -> None:
    user = request.getfixturevalue(who)
    fail("somebody", HERE)
    client = Client()
    client.force_login(user)
    pages = "/admin/accounts/failedsignin/"

    assert client.get(pages).status_code == 403
    assert client.post(f"{pages}{FailedSignIn.objects.get().pk}/lift/").status_code == 403
    assert FailedSignIn.objects.exists()


# --- Known devices, whole addresses, the old password -------------------------------------


def known_device(username: str) -> Client:
    """A browser in which this person signed in before, and is signed out."""
    client = Client()
    sign_in(client, username)
    client.post("/admin/logout/")
    return client


def test_stranger_at_the_same_address_cannot_lock_a_known_device_out(manager: User) -> None:
    own = known_device("manager")
    assert fail("manager", HERE + 1)[-1] == 429  # at the same address
    fail_from_everywhere("manager")

    sign_in(own, "manager")

    assert is_signed_in(own)


def test_known_device_is_locked_out_by_what_fails_on_it_and_by_nothing_else(manager: User) -> None:
    own = known_device("manager")

    answers = [sign_in(own, "manager", "wrong").status_code for _ in range(HERE)]

    assert answers == [200] * (HERE - 1) + [429]
    assert sign_in(own, "manager").status_code == 429
    stranger = Client()
    sign_in(stranger, "manager")  # what failed on the device is not counted against others
    assert is_signed_in(stranger)


def test_device_is_known_for_the_person_who_signed_in_there_alone(
    manager: User, officer: User
) -> None:
    own = known_device("officer")
    fail("manager", HERE)

    assert sign_in(own, "manager").status_code == 429
    assert sign_in(own, "officer").status_code == 302


def test_cookie_that_is_not_ours_counts_for_nothing(manager: User) -> None:
    own = known_device("manager")
    cookie = own.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/admin/")
    fail("manager", HERE)

    for forged in ("x", cookie.value[:-1] + ("A" if cookie.value[-1] != "A" else "B"), ""):
        client = Client()
        client.cookies[COOKIE] = forged
        assert sign_in(client, "manager").status_code == 429


def test_name_of_a_known_device_as_a_browser_counts_for_nothing(manager: User) -> None:
    for number in range(HERE):
        client = Client(headers={"User-Agent": f"{KNOWN_DEVICE}{number}"})
        last = sign_in(client, "manager", "wrong")

    assert last.status_code == 429


def test_one_address_is_locked_out_whatever_the_names(manager: User) -> None:
    own = known_device("manager")
    for number in range(ADDRESS):
        fail(f"name{number}", 1)

    assert sign_in(Client(), "manager").status_code == 429
    assert sign_in(Client(), "manager", address=ELSEWHERE).status_code == 302
    assert sign_in(own, "manager").status_code == 302


def test_addresses_of_one_ipv6_network_count_as_one(manager: User) -> None:
    for number in range(HERE):
        fail("manager", 1, address=f"2001:db8:1:2::{number:x}")

    assert sign_in(Client(), "manager", address="2001:db8:1:2:ffff::1").status_code == 429
    assert sign_in(Client(), "manager", address="2001:db8:1:3::1").status_code == 302


def test_ipv4_address_written_as_ipv6_is_the_same(manager: User) -> None:
    fail("manager", HERE, address="::ffff:198.51.100.1")

    assert sign_in(Client(), "manager").status_code == 429


@pytest.mark.long
@pytest.mark.parametrize(
    ("demo", "address"), some(product([True, False], ["127.0.0.1", "::1"]), of=3)
)
def test_this_machine_is_exempt_from_the_limit_of_an_address_in_the_demo_only(
    manager: User, settings: Any, address: str, demo: bool
) -> None:
    settings.LOANOFFICE_DEMO = demo
    for number in range(ADDRESS):
        fail(f"name{number}", 1, address=address)

    answer = sign_in(Client(), "manager", address=address)

    assert answer.status_code == (302 if demo else 429)


def test_tries_of_the_old_password_are_limited_and_on_record(manager: User) -> None:
    client = Client()
    sign_in(client, "manager")
    new = "correct horse battery"
    typed = {"old_password": "wrong", "new_password1": new, "new_password2": new}

    answers = [client.post("/admin/password_change/", typed).status_code for _ in range(HERE)]

    assert answers == [200] * (HERE - 1) + [429]
    right = client.post("/admin/password_change/", {**typed, "old_password": "demo"})
    assert right.status_code == 429
    manager.refresh_from_db()
    assert manager.check_password("demo")
    assert AuditEntry.objects.filter(action=Action.SIGN_IN_FAILED).count() == HERE
    assert AuditEntry.objects.filter(action=Action.LOCKED_OUT).count() == 1
