"""Access is changed by superusers only; staff access follows the roles, and groups their table."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from accounts.errors import OnlySuperusers
from accounts.roles import Role
from tests.accounts.access import NEW_PASSWORD, change_roles, give, page, told
from tests.accounts.conftest import HOME, is_signed_in, sign_in
from tests.applications.admin.test_other_pages import typed_from
from tests.permissions import permit

pytestmark = pytest.mark.django_db


# --- Superusers only --------------------------------------------------------------------------


def test_permission_to_change_users_makes_nobody_a_superuser(
    officer: User, manager: User, senior: User
) -> None:
    permit(officer, "view_user", "add_user", "change_user", "delete_user", "change_group")
    client = Client()
    client.force_login(officer)
    everything = {"username": "officer", "is_superuser": "on", "is_staff": "on", "is_active": "on"}

    answers = [
        client.post(page("change", officer), everything),
        client.post(page("access", officer), everything),
        client.post(page("access", manager), {"is_active": ""}),
        client.post(page("password_change", senior), {"password1": "x", "password2": "x"}),
        client.post(reverse("admin:auth_user_add"), everything),
        client.post(
            reverse("admin:auth_group_change", args=[officer.groups.get(name="Loan officer").pk])
        ),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    officer.refresh_from_db()
    senior.refresh_from_db()
    assert not officer.is_superuser
    assert senior.check_password("demo")
    with pytest.raises(OnlySuperusers):
        give(officer, officer, Role.MANAGER, is_superuser=True)


def test_right_to_change_access_is_read_again(root: User, manager: User) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=False)

    with pytest.raises(OnlySuperusers):
        give(manager, root, Role.AUDITOR)


def test_page_of_a_person_changes_no_access(office: Client, officer: User) -> None:
    change = page("change", officer)
    groups = list(Group.objects.values_list("pk", flat=True))
    forged = {"is_superuser": "on", "groups": groups, "user_permissions": [1, 2, 3]}

    office.post(change, typed_from(office.get(change)) | forged | {"first_name": "Ann"})

    officer.refresh_from_db()
    assert officer.first_name == "Ann"
    assert not officer.is_superuser
    assert [group.name for group in officer.groups.all()] == ["Loan officer"]
    assert not officer.user_permissions.exists()


def test_own_password_is_changed_by_the_usual_page_and_nobody_is_told(manager: User) -> None:
    client = Client()
    sign_in(client, "manager")
    typed = {"old_password": "demo", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    client.post(reverse("admin:password_change"), typed)

    manager.refresh_from_db()
    assert manager.check_password(NEW_PASSWORD)
    assert told() == {}


# --- Staff access follows ---------------------------------------------------------------------


def test_new_manager_can_sign_in(office: Client, single_admin: None) -> None:
    typed = {"username": "newcomer", "email": "newcomer@example.com"}
    office.post(reverse("admin:auth_user_add"), typed)
    newcomer = User.objects.get(username="newcomer")
    assert not newcomer.is_staff
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    office.post(page("password_change", newcomer), typed)

    change_roles(office, newcomer, Role.MANAGER)

    client = Client()
    sign_in(client, "newcomer", NEW_PASSWORD)
    assert client.get(HOME).status_code == 200
    assert User.objects.get(username="newcomer").has_perm("reviews.decide_manager_approval")


def test_session_ends_with_the_last_role_and_not_before(
    office: Client, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.MANAGER, Role.AUDITOR)
    client = Client()
    sign_in(client, "both")
    approvals = reverse("admin:audit_auditentry_changelist")

    change_roles(office, both, Role.MANAGER)
    assert is_signed_in(client)
    assert client.get(approvals).status_code == 403
    change_roles(office, both)

    assert not User.objects.get(pk=both.pk).is_staff
    assert client.get(HOME).status_code == 302
    assert not is_signed_in(client)
    assert client.get("/api/v1/applications/").status_code in {401, 403}


def test_session_ends_when_somebody_is_deactivated(office: Client, manager: User) -> None:
    client = Client()
    sign_in(client, "manager")

    change_roles(office, manager, Role.MANAGER, is_active=False)

    assert not is_signed_in(client)
    assert client.get("/api/v1/applications/").status_code in {401, 403}


@pytest.mark.parametrize("way", ["groups", "user_set"])
def test_staff_access_follows_whatever_changes_the_groups(root: User, way: str) -> None:
    user = User.objects.create_user("newcomer")
    role = Group.objects.get(name=Role.AUDITOR)
    other = Group.objects.create(name="Interns")

    def is_staff() -> bool:
        return User.objects.get(pk=user.pk).is_staff

    if way == "groups":
        user.groups.add(other)
        assert not is_staff()
        user.groups.add(role)
        assert is_staff()
        user.groups.remove(other)
        assert is_staff()
        user.groups.clear()
    else:
        role.user_set.add(user)
        assert is_staff()
        role.user_set.clear()
    assert not is_staff()
    root.groups.add(role)
    root.groups.remove(role)
    assert User.objects.get(pk=root.pk).is_staff


# --- Groups -----------------------------------------------------------------------------------


def test_group_of_a_role_has_no_more_than_the_table(office: Client) -> None:
    group = Group.objects.get(name=Role.LOAN_OFFICER)
    before = set(group.permissions.values_list("codename", flat=True))
    decide = Role.MANAGER.grants[-1].partition(".")[2]
    where = reverse("admin:auth_group_change", args=[group.pk])
    shown = office.get(where).context["adminform"].form["permissions"]
    offered = {str(box.data["value"]) for box in shown}
    beyond = Group.objects.get(name=Role.MANAGER).permissions.get(codename=decide).pk
    assert str(beyond) not in offered

    refused = office.post(where, {"name": "Manager 2", "permissions": [*offered, beyond]})
    assert refused.status_code == 200
    assert set(group.permissions.values_list("codename", flat=True)) == before

    office.post(where, {"name": "Other", "permissions": sorted(offered)[:3]})
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Loan officer", 3)
    assert (
        office.post(
            reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    typed = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    office.post(reverse("admin:auth_group_changelist"), typed)
    assert Group.objects.filter(pk=group.pk).exists()


def test_other_group_has_no_permissions(office: Client) -> None:
    permission = Group.objects.get(name=Role.MANAGER).permissions.first()
    assert permission is not None

    office.post(
        reverse("admin:auth_group_add"), {"name": "Administrators", "permissions": [permission.pk]}
    )

    group = Group.objects.get(name="Administrators")
    assert not group.permissions.exists()
    where = reverse("admin:auth_group_change", args=[group.pk])
    office.post(where, {"name": "Admins", "permissions": [permission.pk]})
    assert not Group.objects.get(name="Admins").permissions.exists()
