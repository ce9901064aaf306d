"""Case 30: a form that is sent twice (double click, Back, reload) does its thing once.

The repeat shows what the first one did. Each form here did its thing twice before there were
form submissions, or showed an error in place of the result.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Proposal
from accounts.roles import Role
from applications.models import Document, LoanApplication
from audit.models import AuditEntry
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.models import Delegation, ReviewDecision
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import ADD, decide_page, page, said
from tests.applications.admin.test_form import TYPED
from tests.lending.publishing import copy_in_force
from tests.reviews.admin.test_delegations import typed as moment_typed
from tests.sent_forms import AGAIN, CHANGED, browser, open_form
from webhooks.admin.endpoints import AddEndpoint
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEndpoint
from workflows.models import Execution

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
KEY = re.compile(r"lo_[A-Za-z0-9_-]{43}")
ENDPOINT_ADD = "/admin/webhooks/webhookendpoint/add/"
HOOK = "https://hooks.example.invalid/loans"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def endpoint(partner: Partner) -> WebhookEndpoint:
    return endpoint_create(partner=partner, url=HOOK)[0]


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True)


def twice(client: Client, address: str, typed: Callable[[], dict[str, Any]]) -> tuple[Any, Any]:
    """Open a form, send it, look at the result, and send it again, as after Back.

    ``typed`` is called for each sending, as files are read up.
    """
    token = open_form(client, address, {})
    first: Any = client.post(address, {**typed(), **token})
    if first.status_code == 302:
        client.get(first.url)
    return first, client.post(address, {**typed(), **token})


def test_application_form_sent_twice_submits_one_application(officer: User) -> None:
    client = browser(officer)

    first, second = twice(client, ADD, lambda: {**TYPED, "_submit": "yes"})

    application = LoanApplication.objects.get()
    assert Execution.objects.count() == 1
    assert first.url == second.url == page("change", application)
    assert said(second) == [AGAIN, f"{application.reference} is submitted."]


def test_form_of_an_applicant_who_asked_before_is_sent_once_as_well(officer: User) -> None:
    client = browser(officer)
    client.post(ADD, open_form(client, ADD, {**TYPED, "_submit": "yes"}))

    _, second = twice(client, ADD, lambda: {**TYPED, "_submit": "yes"})

    assert LoanApplication.objects.count() == 2
    assert said(second)[0] == AGAIN
    assert said(second)[-1].startswith("Asked before?")


def test_two_forms_submit_two_applications(officer: User) -> None:
    client = browser(officer)

    for _ in range(2):
        client.post(ADD, open_form(client, ADD, {**TYPED, "_submit": "yes"}))

    assert LoanApplication.objects.count() == 2


def test_secret_of_an_endpoint_rotated_twice_by_one_form_is_rotated_once(
    partner_manager: User, endpoint: WebhookEndpoint
) -> None:
    first_secret = endpoint.secret
    address = reverse("admin:webhooks_webhookendpoint_rotate", args=[endpoint.pk])

    first, second = twice(browser(partner_manager), address, lambda: {"until": ""})

    endpoint.refresh_from_db()
    shown = SECRET.findall(first.content.decode())
    assert shown == [endpoint.secret]
    assert endpoint.secret != first_secret
    assert second.url == reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])
    assert said(second)[0] == AGAIN
    assert "was shown then, once, and is not shown again" in said(second)[1]
    assert not SECRET.search(second.content.decode() + str(said(second)))


def test_endpoint_form_sent_twice_adds_one_endpoint(
    partner_manager: User, partner: Partner
) -> None:
    typed = {"partner": partner.pk, "url": HOOK}

    first, second = twice(browser(partner_manager), ENDPOINT_ADD, lambda: typed)

    made = WebhookEndpoint.objects.get()
    assert SECRET.findall(first.content.decode()) == [made.secret]
    assert second.url == reverse("admin:webhooks_webhookendpoint_change", args=[made.pk])
    assert made.secret not in str(said(second))


def test_delegation_form_sent_twice_gives_one_delegation(manager: User, senior: User) -> None:
    now = timezone.now()
    typed = {
        "delegate": senior.pk,
        "starts_at": moment_typed(now),
        "ends_at": moment_typed(now + timedelta(days=3)),
    }

    first, second = twice(browser(manager), "/admin/reviews/delegation/add/", lambda: typed)

    given = Delegation.objects.get()
    assert first.url == second.url == reverse("admin:reviews_delegation_change", args=[given.pk])
    assert said(second)[0] == AGAIN


def test_document_form_sent_twice_adds_one_document_and_one_file(
    officer: User, submitted: LoanApplication, media: Path
) -> None:
    def typed() -> dict[str, Any]:
        file = SimpleUploadedFile("slip.pdf", files.PDF, "application/pdf")
        return {"kind": "proof_of_income", "file": file}

    first, second = twice(browser(officer), page("upload", submitted), typed)

    assert Document.objects.filter(application=submitted).count() == 1
    assert len([found for found in media.rglob("*") if found.is_file()]) == 1
    assert first.url == second.url
    assert said(second) == [AGAIN, f"“slip.pdf” is added to {submitted.reference}."]


def test_form_that_issues_a_key_sent_twice_issues_one_key(
    partner_manager: User, partner: Partner
) -> None:
    address = reverse("admin:partners_partner_issue_key", args=[partner.pk])
    typed = {"label": "web", "scopes": ["applications:read"], "expires_on": ""}

    first, second = twice(browser(partner_manager), address, lambda: typed)

    assert PartnerKey.objects.count() == 1
    [key] = KEY.findall(first.content.decode())
    assert second.status_code == 302
    assert said(second)[0] == AGAIN
    assert key not in second.content.decode() + str(said(second))


def test_form_that_rotates_a_key_sent_twice_shows_its_first_result(
    partner_manager: User, partner: Partner
) -> None:
    key = partner_key_issue(partner=partner, scopes=("applications:read",))[0]
    address = reverse("admin:partners_partnerkey_rotate", args=[key.pk])

    _, second = twice(browser(partner_manager), address, lambda: {"overlap": "0"})

    assert PartnerKey.objects.count() == 2
    assert second.url == reverse("admin:partners_partner_change", args=[partner.pk])
    assert said(second)[0] == AGAIN


def test_forms_of_people_sent_twice_make_one_login_and_one_change_of_password(root: User) -> None:
    client = browser(root)
    words = "a long walk by the river"
    typed = {"username": "newcomer", "email": "newcomer@example.com"}

    first, second = twice(client, reverse("admin:auth_user_add"), lambda: typed)

    made = User.objects.get(username="newcomer")
    assert first.url == second.url == reverse("admin:auth_user_access", args=[made.pk])
    assert said(second)[0] == AGAIN
    other = {"usable_password": "true", "password1": f"{words} x", "password2": f"{words} x"}
    address = reverse("admin:auth_user_password_change", args=[made.pk])
    twice(client, address, lambda: other)
    assert AuditEntry.objects.filter(action="password").count() == 1


def test_decision_sent_twice_shows_the_decision_and_no_error(manager: User, officer: User) -> None:
    application = casework.waiting_for_manager(officer)
    typed = {"version": application.version, "reason": ""}

    first, second = twice(
        browser(manager), decide_page(application, "approve"), lambda: dict(typed)
    )

    assert ReviewDecision.objects.count() == 1
    assert first.url == second.url
    assert said(second)[0] == AGAIN
    assert "approved" in said(second)[1]


def test_proposal_sent_twice_leads_to_the_same_proposal(make_user: Callable[..., User]) -> None:
    owner = make_user("owner", Role.POLICY_OWNER)
    make_user("owner2", Role.POLICY_OWNER)
    policy = copy_in_force()
    address = reverse("admin:lending_lendingpolicy_publish", args=[policy.pk])

    first, second = twice(browser(owner), address, lambda: {"note": ""})

    proposal = Proposal.objects.get()
    where = reverse("admin:accounts_proposal_change", args=[proposal.pk])
    assert first.url == second.url == where
    assert said(second)[0] == AGAIN


# --- What uses a token up, and what does not ----------------------------------------------


def test_refused_field_does_not_use_the_form_up(officer: User) -> None:
    client = browser(officer)
    form = open_form(client, ADD, {**TYPED, "_submit": "yes"})

    refused = client.post(ADD, {**form, "loan_amount": "-1"})
    accepted = client.post(ADD, form)

    assert refused.status_code == 200
    assert accepted.url == page("change", LoanApplication.objects.get())


def test_refusal_of_a_service_does_not_use_the_form_up(
    partner_manager: User, partner: Partner
) -> None:
    client = browser(partner_manager)
    form = open_form(client, ENDPOINT_ADD, {"partner": partner.pk, "url": HOOK})

    refused = client.post(ENDPOINT_ADD, {**form, "url": "http://10.0.0.1/"})
    accepted = client.post(ENDPOINT_ADD, form)

    assert "Enter another URL" in refused.content.decode()
    assert SECRET.search(accepted.content.decode())
    assert WebhookEndpoint.objects.count() == 1


def test_error_rolls_the_act_and_the_token_back_together(
    partner_manager: User, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(partner_manager)
    client.raise_request_exception = False
    form = open_form(client, ENDPOINT_ADD, {"partner": partner.pk, "url": HOOK})
    with monkeypatch.context() as broken:
        broken.setattr(AddEndpoint, "name_of_secret", lambda _: 1 / 0)
        assert client.post(ENDPOINT_ADD, form).status_code == 500
        assert not WebhookEndpoint.objects.exists()

    assert client.post(ENDPOINT_ADD, form).status_code == 200
    assert WebhookEndpoint.objects.count() == 1


def test_form_sent_again_with_other_values_says_that_they_were_not_used(officer: User) -> None:
    client = browser(officer)
    form = open_form(client, ADD, {**TYPED, "_submit": "yes"})
    client.get(client.post(ADD, form).url)

    again = client.post(ADD, {**form, "loan_amount": "999.00"})

    application = LoanApplication.objects.get()
    assert application.loan_amount == 150000
    assert said(again)[0].startswith(CHANGED)
    assert said(again)[1] == f"{application.reference} is submitted."


def test_token_counts_for_the_person_and_the_page_that_sent_it(
    officer: User, make_user: Callable[..., User], partner_manager: User, partner: Partner
) -> None:
    first, other = browser(officer), browser(make_user("officer2", Role.LOAN_OFFICER))
    form = open_form(first, ADD, {**TYPED, "_submit": "yes"})
    first.post(ADD, form)

    stolen = other.post(ADD, form)  # the token of another session

    assert stolen.status_code == 403
    assert LoanApplication.objects.count() == 1
    client = browser(partner_manager)
    form = open_form(client, ENDPOINT_ADD, {"partner": partner.pk, "url": HOOK})
    client.post(ENDPOINT_ADD, form)
    made = WebhookEndpoint.objects.get()
    rotate = reverse("admin:webhooks_webhookendpoint_rotate", args=[made.pk])
    assert SECRET.search(client.post(rotate, {**form, "until": ""}).content.decode())


def test_token_ends_with_the_session(officer: User) -> None:
    client = browser(officer)
    form = open_form(client, ADD, {**TYPED, "_submit": "yes"})
    client.logout()
    client.force_login(officer)
    client.get(ADD)

    assert client.post(ADD, form).status_code == 403
    assert not LoanApplication.objects.exists()
