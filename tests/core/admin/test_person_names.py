"""People are named by their full name where it is known, with their role on an application."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.models import LoanApplication
from core.admin.display import person_name
from tests.applications.admin.conftest import page

pytestmark = pytest.mark.django_db


def test_name_is_the_full_one_the_login_or_nothing() -> None:
    assert person_name(User(username="kim", first_name="Kim", last_name="Lee")) == "Kim Lee"
    assert person_name(User(username="kim")) == "kim"
    assert person_name(None) == ""


def test_application_names_its_author_with_the_role(officer: User, draft: LoanApplication) -> None:
    User.objects.filter(pk=officer.pk).update(first_name="Kim", last_name="Lee")
    client = Client()
    client.force_login(officer)

    html = client.get(page("change", draft)).content.decode()

    assert f"Kim Lee ({Role.LOAN_OFFICER.value})" in html
    assert '<span class="quiet event-by">Kim Lee</span>' in html
