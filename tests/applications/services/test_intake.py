"""Creating, editing, submitting and withdrawing: the rows, the events, what leaves."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.errors import InvalidApplication, NotEditable, StaleVersion, TransitionRefused
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from applications.services import intake
from audit.models import AppendOnlyError
from core.errors import NotPermitted
from partners.models import Partner
from tests import casework
from tests.casework import ALICE, waiting_for_manager
from workflows.models import Execution, OutboxMessage

pytestmark = pytest.mark.django_db


def test_draft_starts_nothing(draft: LoanApplication, officer: User) -> None:
    assert (draft.status, draft.attempt, draft.version) == ("draft", 0, 1)
    assert draft.created_by == draft.last_edited_by == officer
    assert not Execution.objects.exists()
    assert ApplicationEvent.objects.get().kind == "created"


def test_submission_writes_execution_and_start_in_the_same_transaction(
    submitted: LoanApplication, officer: User
) -> None:
    assert (submitted.status, submitted.current_step) == ("submitted", "submitted")
    execution = Execution.objects.get()
    assert execution.name == f"{submitted.reference}-1"
    assert (execution.status, execution.arn) == ("QUEUED", None)
    message = OutboxMessage.objects.get()
    assert (message.kind, message.status) == ("start_execution", "pending")
    assert message.payload == {
        "application": submitted.reference,
        "attempt": 1,
        "request_id": "",
    }
    event = ApplicationEvent.objects.get(kind="submitted")
    assert (event.actor, event.message) == (officer, "Submitted: 150,000.00 CAD.")


def test_submitting_twice_is_refused(submitted: LoanApplication, officer: User) -> None:
    with pytest.raises(TransitionRefused):
        intake.application_submit(reference=submitted.reference, user=officer)
    assert Execution.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("applicant_name", ""),
        ("applicant_name", "   "),
        ("sin_last4", "123"),
        ("sin_last4", "12345"),
        ("sin_last4", "12a4"),
        ("sin_last4", "١٢٣٤"),
        ("loan_amount", Decimal(0)),
        ("loan_amount", Decimal(-1)),
        ("loan_amount", Decimal("100.001")),
        ("loan_amount", Decimal("1e999")),
        ("loan_amount", Decimal("NaN")),
        ("annual_income", Decimal(0)),
        ("annual_income", Decimal("0.001")),
        ("annual_income", Decimal("0.99")),
        ("email", "nobody"),
        ("currency", "USD"),
        ("purpose", "yacht"),
        ("term_months", 5),
        ("term_months", 361),
    ],
)
def test_bad_value_is_named_and_nothing_is_stored(officer: User, field: str, value: object) -> None:
    with pytest.raises(InvalidApplication) as refused:
        intake.application_create_and_submit(user=officer, **{**ALICE, field: value})
    assert set(refused.value.errors) == {field}
    assert not LoanApplication.objects.exists()
    assert not ApplicationEvent.objects.exists()
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("name", ["Zoë 🦊 Ångström", "שרה לוי", "محمد علي", "O'Brien-Δημήτρης"])
def test_names_of_the_world_are_kept_as_they_are(officer: User, name: str) -> None:
    fields: dict[str, Any] = {**ALICE, "applicant_name": name}
    made = intake.application_create(user=officer, **fields)
    assert LoanApplication.objects.get(pk=made.pk).applicant_name == name


def test_income_of_a_demo_profile_is_filled_in_only_in_the_demo(
    officer: User, settings: Any
) -> None:
    fields = {**ALICE, "annual_income": None}
    assert intake.application_create(user=officer, **fields).annual_income == 85000
    fields["sin_last4"] = "9999"
    assert intake.application_create(user=officer, **fields).annual_income is None
    settings.LOANOFFICE_DEMO = False
    fields["sin_last4"] = "1111"
    assert intake.application_create(user=officer, **fields).annual_income is None


def test_edit_of_a_draft_moves_the_version_and_says_what_changed(
    draft: LoanApplication, officer: User
) -> None:
    intake.application_edit(
        reference=draft.reference,
        user=officer,
        version=1,
        loan_amount=Decimal("90000.00"),
        phone="613-555-0199",
    )
    draft.refresh_from_db()
    assert (draft.version, draft.loan_amount) == (2, Decimal("90000.00"))
    event = ApplicationEvent.objects.get(kind="edited")
    assert event.is_internal
    assert event.data == {"loan_amount": ["150000.00", "90000.00"], "phone": None}


def test_edit_that_changes_nothing_writes_nothing(draft: LoanApplication, officer: User) -> None:
    intake.application_edit(reference=draft.reference, user=officer, phone=draft.phone)
    draft.refresh_from_db()
    assert draft.version == 1
    assert not ApplicationEvent.objects.filter(kind="edited").exists()


def test_edit_of_another_version_is_refused(draft: LoanApplication, officer: User) -> None:
    with pytest.raises(StaleVersion):
        intake.application_edit(
            reference=draft.reference, user=officer, version=7, phone="613-555-0199"
        )


def test_after_submission_only_contact_details_change(officer: User) -> None:
    waiting = waiting_for_manager(officer)
    with pytest.raises(NotEditable):
        intake.application_edit(
            reference=waiting.reference, user=officer, loan_amount=Decimal("1.00")
        )
    intake.application_edit(reference=waiting.reference, user=officer, email="a@example.com")
    waiting.refresh_from_db()
    assert (waiting.version, waiting.loan_amount) == (2, Decimal("150000.00"))
    intake.application_withdraw(reference=waiting.reference, user=officer)
    with pytest.raises(NotEditable):
        intake.application_edit(reference=waiting.reference, user=officer, phone="613-555-0142")


def test_withdrawal_stops_the_execution_and_is_harmless_twice(officer: User) -> None:
    waiting = waiting_for_manager(officer)
    for _ in range(2):
        intake.application_withdraw(reference=waiting.reference, user=officer, reason="Moved.")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.waiting_on) == ("withdrawn", "")
    assert OutboxMessage.objects.filter(kind="stop_execution").count() == 1
    event = ApplicationEvent.objects.get(kind="withdrawn")
    assert event.message == "The application was withdrawn."
    assert event.data == {"reason": "Moved."}


def test_withdrawal_is_refused_once_money_may_be_on_its_way(officer: User) -> None:
    waiting = waiting_for_manager(officer)
    Disbursement.objects.create(
        application=waiting, idempotency_key="k", amount=Decimal(1), currency="CAD"
    )
    with pytest.raises(TransitionRefused):
        intake.application_withdraw(reference=waiting.reference, user=officer)
    waiting.refresh_from_db()
    assert waiting.status == "pending_approval"


def test_draft_can_be_withdrawn(draft: LoanApplication, officer: User) -> None:
    assert intake.application_withdraw(reference=draft.reference, user=officer).status == (
        "withdrawn"
    )


def test_auditor_may_not_create_edit_submit_or_withdraw(
    draft: LoanApplication, auditor: User
) -> None:
    for refused in (
        lambda: intake.application_create(user=auditor, **ALICE),
        lambda: intake.application_edit(
            reference=draft.reference, user=auditor, phone="613-555-0142"
        ),
        lambda: intake.application_submit(reference=draft.reference, user=auditor),
        lambda: intake.application_withdraw(reference=draft.reference, user=auditor),
        lambda: intake.application_create(**ALICE),
    ):
        with pytest.raises(NotPermitted):
            refused()
    assert LoanApplication.objects.get().status == "draft"


def test_partner_submits_for_itself(partner: Partner) -> None:
    application = intake.application_create_and_submit(partner=partner, **ALICE)
    assert (application.partner, application.created_by) == (partner, None)
    assert ApplicationEvent.objects.filter(partner=partner).count() == 2


def test_currency_and_term_default_to_the_policy(officer: User) -> None:
    casework.change_policies(default_term_months=48)
    fields = {name: value for name, value in ALICE.items() if name != "currency"}
    application = intake.application_create(user=officer, **fields)
    assert (application.currency, application.term_months) == ("CAD", 48)


def test_references_are_random_and_well_formed() -> None:
    made = {intake.reference_make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(reference) == 13 for reference in made)
    assert not set("".join(reference[5:] for reference in made)) & set("AEIOU01L")


def test_events_are_append_only(draft: LoanApplication) -> None:
    event = draft.events.get()
    event.message = "Something else."
    for change in (
        event.save,
        event.delete,
        lambda: ApplicationEvent.objects.update(message="x"),
        ApplicationEvent.objects.all().delete,
    ):
        with pytest.raises(AppendOnlyError):
            change()
    assert draft.events.get().message == "The application was created."
