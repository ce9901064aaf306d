"""The groups follow the table of roles, and what an administrator changed is reported."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import checks
from accounts.models import AppliedGrant
from accounts.roles import APPROVERS, EVERY_ROLE, Role
from accounts.services import role_grants

pytestmark = pytest.mark.django_db


def grants_of(role: Role) -> set[str]:
    rows = Permission.objects.filter(group__name=role.value)
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


@pytest.mark.parametrize("role", list(Role))
def test_group_of_each_role_has_what_the_table_grants(role: Role) -> None:
    assert grants_of(role) == set(role.grants)
    assert set(EVERY_ROLE) < set(role.grants)
    assert len(role.grants) == len(set(role.grants))


def test_there_is_no_group_beside_the_table_and_the_check_is_content() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {role.value for role in Role}
    assert run_checks(databases=["default"], include_deployment_checks=False) == []


def test_ranks_are_in_order_and_each_gives_its_permission() -> None:
    ranks = [role.rank for role in APPROVERS]
    assert ranks == sorted(ranks, key=int)
    for role in Role:
        assert (role.authority_permission in role.grants) == (role in APPROVERS)


def test_applying_again_changes_nothing() -> None:
    before = AppliedGrant.objects.count()
    assert role_grants.roles_apply(using="default") == []
    assert AppliedGrant.objects.count() == before


def test_grant_that_was_taken_away_stays_away_and_is_reported() -> None:
    group = Group.objects.get(name=Role.OPERATIONS.value)
    group.permissions.remove(Permission.objects.get(codename="stop_execution"))
    group.permissions.add(Permission.objects.get(codename="decide_fraud_review"))
    out = StringIO()

    assert role_grants.roles_apply(using="default") == []
    call_command("migrate", verbosity=0)
    call_command("check", databases=["default"], stderr=out)

    assert "workflows.stop_execution" not in grants_of(Role.OPERATIONS)
    assert (
        "(accounts.W001) The group Operations differs from the table of roles: it lacks "
        "workflows.stop_execution; also has reviews.decide_fraud_review."
    ) in out.getvalue()


def test_grant_that_is_new_in_the_table_and_a_group_that_is_gone_are_made() -> None:
    new = Permission.objects.get(codename="stop_execution")
    AppliedGrant.objects.filter(permission=new).delete()
    new.group_set.clear()
    Group.objects.get(name=Role.AUDITOR.value).delete()
    assert [found.role for found in role_grants.differences(using="default")] == [
        Role.OPERATIONS,
        Role.AUDITOR,
    ]

    assert role_grants.roles_apply(using="default") == [
        "The group Operations was granted workflows.stop_execution.",
        f"The group Auditor was granted {len(Role.AUDITOR.grants)} permissions.",
    ]
    assert role_grants.differences(using="default") == []


def test_permission_that_does_not_exist_is_named_by_the_check_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Role.AUDITOR, "permissions", ("audit.view_auditentries",))

    (error,) = checks.permissions_exist()
    assert error.id == "accounts.E001"
    assert error.msg == (
        "The role Auditor is granted audit.view_auditentries: no model has such a permission."
    )
    with pytest.raises(LookupError, match=r"Auditor is granted audit\.view_auditentries"):
        role_grants.roles_apply(using="default")


def test_comparing_takes_as_many_queries_for_any_number_of_roles() -> None:
    with CaptureQueriesContext(connection) as captured:
        role_grants.differences(using="default")
    assert len(captured) == 3
