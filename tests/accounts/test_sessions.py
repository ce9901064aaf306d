"""A session ends when idle, and after a working day; a password change ends the others."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import password_validation
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.services import sign_in as sign_in_service
from audit.models import Action, AuditEntry
from tests import casework
from tests.accounts.conftest import HOME, Clock, is_signed_in, sign_in
from tests.applications.admin.conftest import page

pytestmark = pytest.mark.django_db
POLL = {"X-Requested-With": "fetch"}
NEW = "a long walk by the river"


@pytest.fixture
def client(manager: User) -> Client:
    client = Client()
    sign_in(client, "manager")
    return client


def last_sign_out(user: User) -> str:
    return AuditEntry.objects.filter(actor=user, action=Action.SIGNED_OUT).latest("id").message


def test_session_that_is_used_goes_on(client: Client, clock: Clock) -> None:
    for _ in range(6):
        clock.go_on(minutes=29)
        assert client.get(HOME).status_code == 200


def test_session_that_is_left_alone_ends_and_the_person_is_told(
    client: Client, manager: User, clock: Clock
) -> None:
    clock.go_on(minutes=30)

    answer = client.get(HOME)

    assert answer.url == "/admin/login/?next=/admin/"
    assert "without activity" in client.get(answer.url).content.decode()
    assert last_sign_out(manager).startswith("You were signed out after a while")


def test_polls_are_no_activity(client: Client, officer: User, clock: Clock) -> None:
    live = page("live", casework.waiting_for_manager(officer))
    for _ in range(5):
        clock.go_on(minutes=5)
        assert client.get(live, headers=POLL).status_code == 200
    clock.go_on(minutes=5)

    answer = client.get(live, headers=POLL)

    assert answer.status_code == 302
    assert answer.url.startswith("/admin/login/")


def test_page_that_polls_says_what_it_is() -> None:
    """The script of the live page sends the header that the limits look for."""
    from django.contrib.staticfiles import finders  # noqa: PLC0415

    path = finders.find("core/polling.js")
    assert path
    with open(path, encoding="utf-8") as script:
        assert '"X-Requested-With": "fetch"' in script.read()


def test_session_ends_after_a_days_work_however_much_it_is_used(
    client: Client, manager: User, clock: Clock
) -> None:
    for _ in range(24):  # a page that costs little
        clock.go_on(minutes=29)
        assert client.get("/admin/open-tasks/").status_code == 200
    clock.go_on(minutes=24)

    assert client.get(HOME).status_code == 302
    assert "a day's work" in last_sign_out(manager)


def test_limits_are_settings(client: Client, clock: Clock, settings: Any) -> None:
    settings.LOANOFFICE_SESSION_IDLE = timedelta(minutes=5)
    clock.go_on(minutes=5)

    assert not is_signed_in(client)


def test_api_ends_the_session_too(client: Client, clock: Clock) -> None:
    assert client.get("/api/v1/applications/").status_code == 200
    clock.go_on(minutes=30)

    assert client.get("/api/v1/applications/").status_code == 401


def test_session_from_before_there_were_limits_begins_now(client: Client, clock: Clock) -> None:
    session = client.session
    del session["signed_in_at"], session["active_at"]
    session.save()

    assert is_signed_in(client)
    clock.go_on(minutes=30)
    assert not is_signed_in(client)


def test_sign_in_takes_another_session_key(manager: User) -> None:
    client = Client()
    client.get("/admin/login/")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key

    sign_in(client, "manager")

    assert client.session.session_key != planted
    assert is_signed_in(client)


def change_password(client: Client, new: str, old: str = "demo") -> Any:
    typed = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(reverse("admin:password_change"), typed)


def test_password_change_ends_the_other_sessions_and_is_on_record(
    client: Client, manager: User
) -> None:
    elsewhere = Client()
    sign_in(elsewhere, "manager")
    assert is_signed_in(elsewhere)

    assert change_password(client, NEW).status_code == 302

    assert is_signed_in(client)
    assert not is_signed_in(elsewhere)
    entry = AuditEntry.objects.get(action=Action.PASSWORD)
    assert (entry.actor, entry.object_name) == (manager, "manager")
    assert NEW not in f"{entry.changes}{entry.details}{entry.message}"


@pytest.mark.parametrize("new", ["short", "passwordpassword", "12345678901234", "manager-manager"])
def test_password_that_is_easily_guessed_is_refused(client: Client, new: str) -> None:
    assert change_password(client, new).status_code == 200
    assert not AuditEntry.objects.filter(action=Action.PASSWORD).exists()


def test_password_has_to_be_another_one(manager: User, client: Client) -> None:
    change_password(client, NEW)
    manager.refresh_from_db()

    with pytest.raises(ValidationError) as refused:
        password_validation.validate_password(NEW, manager)

    assert refused.value.error_list[0].code == "same-again"
    assert change_password(client, NEW, old=NEW).status_code == 200


def test_password_that_somebody_else_changed_meanwhile_is_not_the_old_one_any_more(
    manager: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = sign_in_service.password_check

    def overtaken(**typed: Any) -> str:
        found = check(**typed)
        User.objects.filter(pk=manager.pk).update(password="changed by another session")
        return found

    monkeypatch.setattr(sign_in_service, "password_check", overtaken)
    refused = change_password(client, NEW)

    assert refused.status_code == 200
    assert "That is not your password." in refused.content.decode()
    manager.refresh_from_db()
    assert manager.password == "changed by another session"
    assert not AuditEntry.objects.filter(action=Action.PASSWORD).exists()


def test_superuser_sets_a_password_and_that_is_on_record_without_it(
    manager: User, make_user: Callable[..., User]
) -> None:
    root = make_user("root", is_superuser=True)
    office = Client()
    office.force_login(root)

    office.post(
        f"/admin/auth/user/{manager.pk}/password/",
        {"password1": NEW, "password2": NEW, "usable_password": "true"},
    )

    manager.refresh_from_db()
    assert manager.check_password(NEW)
    entry = AuditEntry.objects.get(action=Action.PASSWORD)
    assert (entry.actor, entry.object_name) == (root, "manager")
    assert NEW not in f"{entry.changes}{entry.details}{entry.message}"


def test_signing_in_and_out_is_on_record_with_where_from(client: Client, manager: User) -> None:
    client.post(reverse("admin:logout"))

    entries = AuditEntry.objects.filter(actor=manager).order_by("id")
    assert [entry.action for entry in entries] == [Action.SIGNED_IN, Action.SIGNED_OUT]
    assert entries[0].address == "198.51.100.1"
    assert all(entry.request_id for entry in entries)
