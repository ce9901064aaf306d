"""Lockouts: too many failures lock a name out; nobody can lock out somebody elsewhere."""

from collections.abc import Callable

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client

from accounts.lockouts import ANYWHERE, HERE
from accounts.models import FailedSignIn
from audit.models import Action, AuditEntry
from tests.accounts.conftest import Clock, is_signed_in, sign_in

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
