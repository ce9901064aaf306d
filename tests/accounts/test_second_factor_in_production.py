"""The second factor that the settings require: of whom, on every page, with and without a role."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from accounts.backends import StaffBackend
from accounts.roles import Role
from accounts.selectors import Lacks, second_factor_needed_by, session_lacks
from tests.accounts.conftest import HOME, sign_in

pytestmark = pytest.mark.django_db
ENROL = "/admin/account/second-factor/"
# They enter applications, or only read.
NOT_DECIDING = {Role.LOAN_OFFICER, Role.AUDITOR}
MakeUser = Callable[..., User]


@pytest.fixture(autouse=True)
def _required(settings: object) -> None:
    settings.LOANOFFICE_SECOND_FACTOR_REQUIRED = True


@pytest.mark.parametrize("role", Role)
def test_role_that_decides_or_administers_is_led_to_the_set_up(
    role: Role, make_user: MakeUser
) -> None:
    make_user("person", role)
    client = Client()
    sign_in(client, "person")

    answer = client.get(HOME)

    if role in NOT_DECIDING:
        assert answer.status_code == 200
    else:
        assert answer.url == reverse("account:enrol", query={"next": HOME})


def test_superuser_is_led_to_it(make_user: MakeUser) -> None:
    make_user("root", is_superuser=True)
    client = Client()
    sign_in(client, "root")

    page = client.get(client.get(HOME).url)

    assert "Your role needs a second factor: superuser." in page.content.decode()


def test_permission_needs_one_however_a_person_came_by_it(make_user: MakeUser) -> None:
    publish = Permission.objects.get(codename="publish_lendingpolicy")
    group = Group.objects.create(name="Helpers")
    group.permissions.add(publish)
    by_group, by_hand = make_user("by_group", Role.AUDITOR), make_user("by_hand", Role.AUDITOR)
    by_group.groups.add(group)
    by_hand.user_permissions.add(publish)

    assert [session_lacks(person) for person in (by_group, by_hand)] == [Lacks.ENROLMENT] * 2
    assert second_factor_needed_by(by_group) == ["Helpers"]
    assert second_factor_needed_by(by_hand) == ["permissions of your own"]


def test_person_without_a_role_needs_none(make_user: MakeUser) -> None:
    assert session_lacks(make_user("nobody")) is Lacks.NOTHING


def test_api_refuses_the_session_of_one_who_has_none(manager: User) -> None:
    client = Client()
    sign_in(client, "manager")

    answer = client.post("/api/v1/applications/LOAN-22222222/decision/", {"approved": True})

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/second-factor-needed")


def test_account_page_says_by_what_it_is_needed(manager: User, settings: object) -> None:
    settings.LOANOFFICE_SECOND_FACTOR_REQUIRED = False
    assert second_factor_needed_by(manager) == []
    settings.LOANOFFICE_SECOND_FACTOR_REQUIRED = True
    assert second_factor_needed_by(manager) == ["Manager"]


def test_session_is_read_with_one_query(
    manager: User, client: Client, django_assert_num_queries: Callable[..., object]
) -> None:
    with django_assert_num_queries(1):
        user = StaffBackend().get_user(manager.pk)
        assert session_lacks(user) is Lacks.ENROLMENT
