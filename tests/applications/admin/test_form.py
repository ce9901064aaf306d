"""New applications, drafts and contact details: the form calls services, refusals are shown."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.choices import Status
from applications.demo_profiles import DEMO_PROFILES
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from applications.services.field_checks import NO_PHONE
from core.admin.number_fields import NOT_A_NUMBER
from tests import casework
from tests.applications.admin.conftest import ADD, LIST, Login, page, said
from workflows.models import Execution, OutboxMessage

TYPED: dict[str, Any] = {
    "applicant_name": "Alice Johnson",
    "address": "123 Maple Street, Ottawa",
    "phone": "613-555-0101",
    "email": "alice@example.com",
    "sin_last4": "1111",
    "annual_income": "85000.00",
    "loan_amount": "150000.00",
    "currency": "CAD",
    "purpose": "personal_loan",
    "term_months": "60",
}


@pytest.fixture
def as_officer(login: Login, officer: User) -> Client:
    return login(officer)


@pytest.mark.parametrize("profile", DEMO_PROFILES, ids=lambda p: p.sin_last4)
def test_demo_profile_fills_in_every_field_and_can_be_submitted_as_it_is(
    as_officer: Client, profile: Any
) -> None:
    form = as_officer.get(ADD, {"profile": profile.sin_last4}).context["adminform"].form
    typed = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    typed = {name: value for name, value in typed.items() if value is not None}

    answer = as_officer.post(ADD, {**typed, "_submit": "yes"})

    application = LoanApplication.objects.get()
    assert answer.url == page("change", application)
    assert application.status == Status.SUBMITTED
    assert application.applicant_name == profile.applicant_name
    assert application.annual_income == profile.annual_income


def test_profiles_are_not_there_outside_of_the_demo(as_officer: Client, settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False

    html = as_officer.get(ADD, {"profile": "1111"}).content.decode()

    assert "Alice" not in html
    assert 'href="?profile=' not in html


def test_save_as_draft_writes_a_draft_by_its_author(as_officer: Client, officer: User) -> None:
    as_officer.post(ADD, {**TYPED, "_save": "yes"})

    application = LoanApplication.objects.get()
    assert (application.status, application.created_by) == (Status.DRAFT, officer)
    assert not Execution.objects.exists()


@pytest.mark.parametrize("typed", ["20,000.00", "20 000,00", "20000.00"])
def test_amount_is_taken_as_the_pages_show_it(as_officer: Client, typed: str) -> None:
    as_officer.post(ADD, {**TYPED, "loan_amount": typed, "annual_income": typed, "_save": "yes"})

    application = LoanApplication.objects.get()
    assert application.loan_amount == application.annual_income == Decimal("20000.00")


def test_amount_in_the_notation_of_a_program_is_refused(as_officer: Client) -> None:
    answer = as_officer.post(ADD, {**TYPED, "loan_amount": "1_000", "_save": "yes"})

    form = answer.context["adminform"].form
    assert form.errors == {"loan_amount": [NOT_A_NUMBER]}
    assert not LoanApplication.objects.exists()


def test_phone_and_address_that_are_none_are_refused_beside_their_fields(
    as_officer: Client,
) -> None:
    answer = as_officer.post(ADD, {**TYPED, "phone": "call me", "email": "alice", "_save": "yes"})

    form = answer.context["adminform"].form
    assert form.errors == {"email": ["Enter a valid email address."]}
    answer = as_officer.post(ADD, {**TYPED, "phone": "call me", "_save": "yes"})
    assert answer.context["adminform"].form.errors == {"phone": [NO_PHONE]}
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not LoanApplication.objects.exists()


@pytest.mark.parametrize("phone", ["6135550", "+1 (613) 555-0101", "613-555-0101", ""])
def test_phone_is_taken_as_people_write_it(as_officer: Client, phone: str) -> None:
    as_officer.post(ADD, {**TYPED, "phone": phone, "_save": "yes"})

    assert LoanApplication.objects.get().phone == phone


def test_enter_in_the_form_saves_a_draft(as_officer: Client) -> None:
    html = as_officer.get(ADD).content.decode()

    assert 0 < html.index('name="_save"') < html.index('name="_submit"')


def test_submit_writes_the_case_its_event_and_the_message_that_starts_it(
    as_officer: Client, officer: User
) -> None:
    answer = as_officer.post(ADD, {**TYPED, "_submit": "yes"})

    application = LoanApplication.objects.get()
    assert said(answer) == [f"{application.reference} is submitted."]
    assert application.submitted_by == officer
    assert application.events.filter(kind="submitted", actor=officer).exists()
    assert OutboxMessage.objects.get().kind == OutboxMessage.Kind.START_EXECUTION


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("loan_amount", "0", "Enter an amount above zero."),
        ("loan_amount", "-5", "Enter an amount above zero."),
        ("loan_amount", "1e999", None),
        ("loan_amount", "NaN", None),
        ("loan_amount", "", None),
        ("loan_amount", "10.005", None),
        ("annual_income", "0", "Enter an amount above zero."),
        ("currency", "USD", "Loans are made in CAD."),
        ("sin_last4", "12", "Enter exactly four digits."),
        ("applicant_name", "  ", None),
        ("applicant_name", "a\x00b", None),
        ("term_months", "5", None),
    ],
)
def test_refusal_stands_at_its_field_and_nothing_is_stored(
    as_officer: Client, field: str, value: str, sentence: str | None
) -> None:
    answer = as_officer.post(ADD, {**TYPED, field: value, "_submit": "yes"})

    errors = answer.context["adminform"].form.errors
    assert answer.status_code == 200
    assert list(errors) == [field]
    assert sentence is None or sentence in errors[field]
    assert not LoanApplication.objects.exists()
    assert not ApplicationEvent.objects.exists()


def test_name_with_emoji_and_right_to_left_text_is_kept(as_officer: Client) -> None:
    as_officer.post(ADD, {**TYPED, "applicant_name": "שלום 🏡 Ltd", "_save": "yes"})

    assert LoanApplication.objects.get().applicant_name == "שלום 🏡 Ltd"


def test_name_is_escaped_on_every_page(as_officer: Client, officer: User) -> None:
    application = casework.submit(officer, applicant_name="<script>alert(1)</script>")

    for address in (LIST, page("change", application), page("live", application)):
        assert "<script>alert" not in as_officer.get(address).content.decode()


def test_draft_is_edited_and_submitted_in_one_go(
    as_officer: Client, draft: LoanApplication
) -> None:
    typed = {**TYPED, "loan_amount": "90000.00", "read_version": draft.version}

    as_officer.post(page("change", draft), {**typed, "_submit": "yes"})

    draft.refresh_from_db()
    assert (draft.status, draft.loan_amount) == (Status.SUBMITTED, Decimal("90000.00"))


def test_edit_of_a_stale_version_is_refused_and_the_page_read_again(
    as_officer: Client, draft: LoanApplication, officer: User
) -> None:
    read = draft.version
    intake.application_edit(reference=draft.reference, user=officer, phone="613-555-0142")

    answer = as_officer.post(
        page("change", draft),
        {**TYPED, "phone": "613-555-0199", "read_version": read, "_save": "yes"},
    )

    assert "Read it again" in said(answer)[0]
    draft.refresh_from_db()
    assert draft.phone == "613-555-0142"


def test_submit_that_is_refused_undoes_the_edit_before_it(
    as_officer: Client, draft: LoanApplication
) -> None:
    typed = {**TYPED, "phone": "613-555-0199", "currency": "USD", "read_version": draft.version}

    answer = as_officer.post(page("change", draft), {**typed, "_submit": "yes"})

    assert answer.status_code == 200
    draft.refresh_from_db()
    assert (draft.phone, draft.status) == ("613-555-0101", Status.DRAFT)


def test_open_case_lets_contact_details_change_and_nothing_else(
    as_officer: Client, submitted: LoanApplication
) -> None:
    as_officer.post(page("reveal", submitted))
    form = as_officer.get(page("change", submitted)).context["adminform"].form
    assert set(form.fields) == {"address", "phone", "email", "read_version"}

    as_officer.post(
        page("change", submitted),
        {**TYPED, "phone": "613-555-0199", "loan_amount": "1", "read_version": submitted.version},
    )

    submitted.refresh_from_db()
    assert (submitted.phone, submitted.loan_amount) == ("613-555-0199", Decimal("150000.00"))


def test_closed_case_takes_no_typing_at_all(
    as_officer: Client, submitted: LoanApplication, officer: User
) -> None:
    intake.application_withdraw(reference=submitted.reference, user=officer)

    html = as_officer.get(page("change", submitted)).content.decode()
    as_officer.post(page("change", submitted), {**TYPED, "phone": "613-555-0199"})

    assert 'name="_save"' not in html
    submitted.refresh_from_db()
    assert submitted.phone == "613-555-0101"


@pytest.mark.parametrize("who", ["manager", "auditor"])
def test_those_who_may_not_edit_see_fields_only(
    login: Login, draft: LoanApplication, who: str, request: pytest.FixtureRequest
) -> None:
    client = login(request.getfixturevalue(who))

    html = client.get(page("change", draft)).content.decode()

    assert 'name="applicant_name"' not in html
    assert 'name="_s' not in html
    assert client.post(page("change", draft), TYPED).status_code == 403
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, TYPED).status_code == 403


def test_unknown_application_leads_back_to_the_front_page(as_officer: Client) -> None:
    assert as_officer.get(f"{LIST}999999/change/").status_code == 302
    assert as_officer.get(f"{LIST}nonsense/change/").status_code == 302
