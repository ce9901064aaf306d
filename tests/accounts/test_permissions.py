"""A superuser has the permissions of administration, and everything else comes from roles."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.test import RequestFactory

from accounts.permissions import ADMINISTRATIVE
from accounts.proposal_kinds import KINDS, SUPERUSER
from accounts.roles import DECIDING, EVERY_ROLE, Role
from reviews.kinds import ROWS

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
BACKEND = "accounts.backends.StaffBackend"
# A superuser reads besides the accounts: who did what, and who decides for whom.
SHOWN = {
    "auth.User",
    "auth.Group",
    "accounts.RequiredSecondFactor",
    "accounts.SecondFactor",
    "accounts.FailedSignIn",
    "accounts.Proposal",
    "audit.AuditEntry",
    "reviews.Delegation",
}


def every_permission() -> list[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return [f"{label}.{codename}" for label, codename in rows]


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True)


def test_superuser_without_a_role_has_what_administers_and_nothing_else(root: User) -> None:
    everything = every_permission()
    assert set(everything) >= ADMINISTRATIVE

    assert {name for name in everything if root.has_perm(name)} == ADMINISTRATIVE
    assert root.get_all_permissions() == ADMINISTRATIVE
    assert {name for name in everything if async_to_sync(root.ahas_perm)(name)} == ADMINISTRATIVE
    labels = {name.partition(".")[0] for name in ADMINISTRATIVE}
    for config in apps.get_app_configs():
        assert root.has_module_perms(config.label) == (config.label in labels)
        assert async_to_sync(root.ahas_module_perms)(config.label) == (config.label in labels)


def test_administration_decides_nothing_and_no_role_administers() -> None:
    assert ADMINISTRATIVE.isdisjoint(DECIDING)
    shared = {"audit.view_auditentry", "reviews.add_delegation", "reviews.change_delegation"}
    for role in Role:
        assert ADMINISTRATIVE & (set(role.grants) - set(EVERY_ROLE)) <= shared


def test_permission_that_two_people_use_or_that_decides_loans_makes_a_role_deciding() -> None:
    used = {
        right
        for kind in KINDS.values()
        if not kind.perform.__module__.startswith("tests.")
        for right in (*kind.propose, *kind.confirm)
    }
    decided = {row.permission for row in ROWS if row.four_eyes}

    assert used - {SUPERUSER} | decided <= DECIDING


def test_superuser_with_a_role_has_both(make_user: Callable[..., User]) -> None:
    both = make_user("both", Role.MANAGER, is_superuser=True)

    assert both.get_all_permissions() == ADMINISTRATIVE | set(Role.MANAGER.grants)
    assert both.has_perm("reviews.decide_manager_approval")
    assert not both.has_perm("lending.publish_lendingpolicy")


def test_permissions_of_one_person_count_for_nothing(officer: User, root: User) -> None:
    for user in (officer, root):
        user.user_permissions.set(Permission.objects.all())
    for user in (User.objects.get(pk=officer.pk), User.objects.get(pk=root.pk)):
        assert not user.has_perm("reviews.decide_manager_approval")
    assert not User.objects.get(pk=officer.pk).has_perm("auth.change_user")


def test_inactive_and_unknown_people_have_nothing(make_user: Callable[..., User]) -> None:
    gone = make_user("gone", *Role, is_superuser=True)
    gone.is_active = False

    for user in (gone, AnonymousUser()):
        assert not any(user.has_perm(name) for name in every_permission())
        assert not user.has_module_perms("auth")


def test_query_for_the_people_with_a_permission_agrees_with_each_of_them(
    make_user: Callable[..., User], root: User
) -> None:
    people = [make_user(role.key, role) for role in Role]
    people += [root, make_user("both", Role.OPERATIONS, is_superuser=True), make_user("nobody")]
    gone = make_user("gone", *Role, is_superuser=True)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    people[-1].user_permissions.set(Permission.objects.all())

    for permission in Permission.objects.select_related("content_type"):
        name = f"{permission.content_type.app_label}.{permission.codename}"
        wanted = {user for user in people if user.has_perm(name)}
        for asked in (name, permission):
            assert set(User.objects.with_perm(asked, backend=BACKEND)) == wanted, name
    roleless = User.objects.with_perm("auth.view_user", backend=BACKEND, include_superusers=False)
    assert not roleless.exists()
    with pytest.raises(ValueError, match="app_label"):
        User.objects.with_perm("view_user", backend=BACKEND)


def test_superuser_sees_the_pages_of_administration_alone(root: User) -> None:
    request: Any = RequestFactory().get("/")
    request.user = root

    shown = {
        model._meta.label
        for model, model_admin in admin.site._registry.items()
        if model_admin.has_view_permission(request)
    }

    assert shown - {"reviews.BulkDecision"} == SHOWN  # everybody sees their own


def test_rights_of_a_session_are_read_for_each_request(officer: User, client: Any) -> None:
    client.force_login(officer)
    approvals = "/admin/audit/auditentry/"
    assert client.get(approvals).status_code == 403

    officer.groups.add(Group.objects.get(name=Role.AUDITOR))
    assert client.get(approvals).status_code == 200
    officer.groups.remove(Group.objects.get(name=Role.AUDITOR))
    assert client.get(approvals).status_code == 403
