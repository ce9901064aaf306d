"""Case 23: an administrator decides, or makes themselves somebody who does.

With `auth.change_user` anybody made themselves a superuser, and a superuser decided, published,
settled and issued keys. Each attack here goes through the pages and the API, with nobody's help.
"""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import Proposal
from accounts.roles import Role
from accounts.services.access import access_of, fingerprint
from applications.models import LoanApplication
from lending.models import LendingPolicy
from lending.services import policy_current
from tests import casework
from tests.applications.admin.conftest import decide_page, page
from tests.partners.api.calls import path
from tests.permissions import permit

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def of_user(view: str, user: User) -> str:
    return reverse(f"admin:auth_user_{view}", args=[user.pk])


def waiting(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer)


@pytest.mark.parametrize("way", ["alone", "group"])
def test_right_to_change_users_makes_nobody_a_superuser(officer: User, way: str) -> None:
    names = ["view_user", "add_user", "change_user", "view_group", "change_group"]
    if way == "alone":
        officer.user_permissions.set(Permission.objects.filter(codename__in=names))
    else:
        permit(officer, *names)
    everything = [group.pk for group in Group.objects.all()]
    typed = {"username": "officer", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    client = browser(officer)

    for view in ("change", "access", "password_change"):
        client.post(of_user(view, officer), typed | {"groups": everything, "roles": everything})

    now = User.objects.get(pk=officer.pk)
    assert not now.is_superuser
    assert Role.MANAGER.value not in access_of(now).groups
    assert not now.has_perm("reviews.decide_manager_approval")


def test_superuser_without_a_role_decides_nothing(
    officer: User, make_user: Callable[..., User]
) -> None:
    application = waiting(officer)
    version = {"version": application.version}
    draft = LendingPolicy.objects.create(version=2)
    client = browser(make_user("root", is_superuser=True))

    client.post(reverse("admin:lending_lendingpolicy_publish", args=[draft.pk]))
    answers = [
        client.post(decide_page(application, "approve"), version),
        client.post(page("claim", application, application.review_tasks.get().pk)),
        client.post(page("reveal", application)),
        client.post(page("withdraw", application), version),
        client.post(path(application.reference, "decision/"), {"approved": True}),
        client.get(path(application.reference)),
        client.post(reverse("admin:partners_partner_add"), {"name": "Mine"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 7
    task = application.review_tasks.get()
    assert (task.status, task.claimed_by) == ("open", None)
    assert not task.decisions.exists()
    assert not Proposal.objects.exists()
    assert policy_current() != draft


@pytest.mark.parametrize("victim", ["root", "officer"])
def test_one_superuser_makes_nobody_a_decider_and_confirms_nothing_alone(
    officer: User, make_user: Callable[..., User], victim: str
) -> None:
    root = make_user("root", is_superuser=True)
    make_user("colleague", is_superuser=True)
    user = {"root": root, "officer": officer}[victim]
    before = access_of(user)
    client = browser(root)
    wanted = Group.objects.filter(name__in=[*before.groups, Role.SENIOR_MANAGER.value])
    typed = {
        "roles": [group.pk for group in wanted],
        "is_superuser": "on",
        "is_active": "on",
        "read": fingerprint(before),
    }

    client.post(of_user("access", user), typed)
    client.post(of_user("change", user), typed | {"groups": typed["roles"]})
    proposal = Proposal.objects.get()
    for view in ("confirm", "confirm"):
        client.post(reverse(f"admin:accounts_proposal_{view}", args=[proposal.pk]))

    assert access_of(User.objects.get(pk=user.pk)) == before
    application = waiting(officer)
    client.post(decide_page(application, "approve"), {"version": application.version})
    assert not application.review_tasks.get().decisions.exists()
