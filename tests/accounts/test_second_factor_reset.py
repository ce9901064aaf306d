"""Superusers reset a second factor, and say which groups need one; nobody else does."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import RecoveryCode, SecondFactor
from accounts.services import second_factor
from audit.models import Action, AuditEntry
from tests.accounts.conftest import (
    CODE,
    ENROL,
    HOME,
    Enrol,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


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
