"""An application in a currency that is not lent in is refused when it is made, never later."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from applications.errors import InvalidApplication
from applications.models import LoanApplication
from applications.services import intake
from lending.models import LendingPolicy
from lending.services import policy_current
from tests import casework
from tests.casework import ALICE
from tests.lending.publishing import copy_in_force, publish
from tests.partners.api.calls import Caller, assert_problem

pytestmark = pytest.mark.django_db


def lend_in_dollars() -> LendingPolicy:
    return publish(copy_in_force(currency="USD"))


def test_api_refuses_it_with_the_field(partner_key: str) -> None:
    lend_in_dollars()
    problem = assert_problem(Caller(partner_key).submit(currency="CAD"), 400, "invalid-application")
    assert problem["errors"]["currency"] == ["Loans are made in USD."]
    assert not LoanApplication.objects.exists()


def test_form_refuses_it_beside_the_field(draft: LoanApplication, officer: User) -> None:
    lend_in_dollars()
    address = reverse("admin:applications_loanapplication_change", args=[draft.pk])
    client = Client()
    client.force_login(officer)
    typed = client.get(address).context["adminform"].form.initial
    given = {name: value for name, value in typed.items() if value is not None}
    answer = client.post(address, given | {"_submit": "yes"})
    assert answer.context["adminform"].form.errors["currency"] == ["Loans are made in USD."]
    with pytest.raises(InvalidApplication, match="Loans are made in USD"):
        intake.application_submit(reference=draft.reference, user=officer)
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_what_was_submitted_before_is_judged_by_the_last_version_in_its_currency(
    officer: User,
) -> None:
    """It came in, and then validation declined it: "Loans are made in USD, not in CAD."."""
    before = policy_current()
    application = casework.submit(officer)
    assert lend_in_dollars() == policy_current()

    casework.assess(application)

    application.refresh_from_db()
    assert (application.status, application.policy) == ("in_review", before)


def test_contact_details_of_what_was_submitted_can_still_be_changed(officer: User) -> None:
    """It was refused: "Loans are made in USD."."""
    application = intake.application_create_and_submit(user=officer, **ALICE)
    lend_in_dollars()

    intake.application_edit(reference=application.reference, user=officer, phone="613-555-0199")

    application.refresh_from_db()
    assert application.phone == "613-555-0199"
