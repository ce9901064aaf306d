"""E-mails about changed access, and the record of what a command on the host changed."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.errors import LastSuperuser
from accounts.roles import Role
from accounts.services import second_factor
from audit.models import Action, AuditEntry
from tests.accounts.access import NEW_PASSWORD, give, page, told
from tests.accounts.conftest import is_signed_in, sign_in
from tests.applications.admin.test_other_pages import typed_from
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


# --- Who is told ------------------------------------------------------------------------------


ALL = {"manager@example.com", "root@example.com", "other@example.com"}


def test_owner_and_superusers_are_told_of_changed_roles(
    root: User, other: User, manager: User, senior: User
) -> None:
    give(manager, root, Role.AUDITOR)

    letters = told()

    assert set(letters) == ALL
    for body in letters.values():
        assert "manager gets the role Auditor, loses the role Manager." in body
        assert "By root, at " in body


def test_owner_and_superusers_are_told_of_a_password_somebody_else_set(
    office: Client, other: User, manager: User
) -> None:
    client = Client()
    sign_in(client, "manager")
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

    office.post(page("password_change", manager), typed)

    letters = told()
    assert set(letters) == ALL
    assert "has another password" in letters["manager@example.com"]
    assert NEW_PASSWORD not in str(letters)
    assert not is_signed_in(client)


def test_disabled_password_is_on_record_and_told_as_that(office: Client, manager: User) -> None:
    typed = {"usable_password": "false", "unset-password": "yes"}

    office.post(page("password_change", manager), typed)

    manager.refresh_from_db()
    assert not manager.has_usable_password()
    entry = AuditEntry.objects.get(action=Action.PASSWORD)
    assert entry.message == "The user “manager” has no password now."
    assert entry.message in told()["manager@example.com"]


def test_earlier_address_is_told_of_a_changed_one(
    office: Client, other: User, manager: User
) -> None:
    change = page("change", manager)

    office.post(change, typed_from(office.get(change)) | {"email": "elsewhere@example.com"})

    assert set(told()) == ALL | {"elsewhere@example.com"}


def test_owner_and_superusers_are_told_of_a_reset_second_factor(
    root: User, other: User, manager: User
) -> None:
    second_factor.enrolment_begin(user=manager)

    second_factor.second_factor_reset(user=manager, by=root)

    letters = told()
    assert set(letters) == ALL
    assert "Reset the second factor of manager." in letters["manager@example.com"]


def test_superusers_are_told_of_a_changed_group(office: Client, other: User, manager: User) -> None:
    group = Group.objects.get(name=Role.MANAGER)

    office.post(reverse("admin:auth_group_change", args=[group.pk]), {"permissions": []})

    assert set(told()) == ALL - {"manager@example.com"}


def test_message_holds_no_address_and_no_name(root: User, manager: User) -> None:
    give(manager, root, Role.AUDITOR)

    message = OutboxMessage.objects.get(kind=OutboxMessage.Kind.EMAIL)
    assert message.payload == {"entry": AuditEntry.objects.get(action=Action.CHANGED).pk}


def test_refused_change_tells_nobody(root: User, manager: User) -> None:
    with pytest.raises(LastSuperuser):
        give(root, root, is_superuser=False)

    assert told() == {}


# --- Commands on the host ---------------------------------------------------------------------


def test_superuser_made_on_the_host_is_on_record_as_that(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW_PASSWORD)

    call_command(
        "createsuperuser", "--noinput", username="boss", email="boss@example.com", stdout=StringIO()
    )

    boss = User.objects.get(username="boss", is_superuser=True)
    entry = AuditEntry.objects.get(action=Action.CREATED, object_id=str(boss.pk))
    assert (entry.actor, entry.who) == (None, "host command (alice)")
    assert set(told()) == {"boss@example.com", "root@example.com"}


def test_password_changed_on_the_host_is_on_record_as_that(
    root: User, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setattr("getpass.getpass", lambda **_: NEW_PASSWORD)

    call_command("changepassword", "manager", stdout=StringIO())

    manager.refresh_from_db()
    assert manager.check_password(NEW_PASSWORD)
    entry = AuditEntry.objects.get(action=Action.PASSWORD)
    assert (entry.who, entry.object_name) == ("host command (alice)", "manager")
    assert set(told()) == {"manager@example.com", "root@example.com"}


def test_factor_reset_on_the_host_is_on_record_as_that(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 990)

    call_command("reset_second_factor", "root", stdout=StringIO())

    entry = AuditEntry.objects.get(action=Action.SECOND_FACTOR)
    assert (entry.actor, entry.who) == (None, "host command (uid 990)")
    assert set(told()) == {"root@example.com"}
