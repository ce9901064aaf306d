"""POST /applications/: what is accepted, and that what is refused leaves nothing behind."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from applications.models import ApplicationEvent, LoanApplication
from partners.models import Partner
from tests import casework
from tests.partners.api.calls import BASE, Caller, assert_problem
from workflows.models import OutboxMessage

Rows = Callable[[], tuple[int, ...]]


def test_valid_application_is_stored_and_its_start_is_queued(
    api: Caller, partner: Partner, rows: Rows
) -> None:
    response = api.submit()

    application = LoanApplication.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver{BASE}{application.reference}/"
    assert response.json() == {
        "reference": application.reference,
        "status": "submitted",
        "current_step": "submitted",
        "applicant_name": "Alice Johnson",
        "loan_amount": "150000.00",
        "currency": "CAD",
        "external_id": "crm-42",
        "submitted_at": application.submitted_at.isoformat().replace("+00:00", "Z"),
        "version": 1,
        "waiting_on": None,
        "decision": None,
        "offer": None,
        "disbursement": None,
    }
    assert application.partner == partner
    assert application.annual_income == Decimal("85000.00")
    assert application.created_by is None
    assert list(ApplicationEvent.objects.values_list("kind", "partner")) == [
        ("created", partner.pk),
        ("submitted", partner.pk),
    ]
    assert OutboxMessage.objects.get().kind == OutboxMessage.Kind.START_EXECUTION
    assert rows() == (1, 2, 1)


def test_location_answers_with_the_same_application(api: Caller) -> None:
    response = api.submit()

    path = response["Location"].removeprefix("http://testserver")
    assert api.get(path).json() == response.json()


def test_required_fields_alone_are_enough(api: Caller) -> None:
    response = api.post(
        BASE, {"applicant_name": "Zoe", "sin_last4": "0042", "loan_amount": "1000.5"}
    )

    application = LoanApplication.objects.get()
    assert response.status_code == 201
    assert response.json()["loan_amount"] == "1000.50"
    assert response.json()["currency"] == "CAD"
    assert response.json()["external_id"] == ""
    assert (application.term_months, application.purpose) == (60, "personal_loan")
    assert (application.sin_last4, application.annual_income) == ("0042", None)


def test_request_id_of_the_caller_reaches_the_audit_trail_and_the_workflow(api: Caller) -> None:
    response = api.post(
        BASE,
        {"applicant_name": "Zoe", "sin_last4": "0042", "loan_amount": "1000"},
        **{"X-Request-Id": "crm-7"},
    )

    assert response["X-Request-Id"] == "crm-7"
    assert set(ApplicationEvent.objects.values_list("request_id", flat=True)) == {"crm-7"}
    assert OutboxMessage.objects.get().payload["request_id"] == "crm-7"


@pytest.mark.parametrize(
    "name",
    [
        "Zoë 🦉 Müller",
        "👩‍👩‍👧‍👦",
        "محمد بن سلمان",
        "שרה כהן",
        "\u200fאבא\u200e Smith",
        "李小龍",
        "Ǆan̈a",
        'O\'Brien-"Quote" <b>&amp;',
        "x" * 200,
    ],
)
def test_name_in_any_script_comes_back_as_it_was_sent(api: Caller, name: str) -> None:
    response = api.submit(applicant_name=name)

    assert response.status_code == 201
    assert response.json()["applicant_name"] == name
    assert LoanApplication.objects.get().applicant_name == name


def test_texts_are_trimmed(api: Caller) -> None:
    api.submit(applicant_name="  Alice \n", external_id=" crm ", loan_amount=" 5 ")

    application = LoanApplication.objects.get()
    assert (application.applicant_name, application.external_id) == ("Alice", "crm")
    assert application.loan_amount == 5


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        (150000, "150000.00"),
        (0.1, "0.10"),
        (b"1234567890.12", "1234567890.12"),
        (b"9999999999.99", "9999999999.99"),
        ("0000000000000007.5", "7.50"),
        ("9999999999.99", "9999999999.99"),
        ("0.01", "0.01"),
    ],
)
def test_amount_as_string_or_number_is_exact(api: Caller, amount: Any, stored: str) -> None:
    if isinstance(amount, bytes):
        body = b'{"applicant_name": "A", "sin_last4": "1234", "loan_amount": %s}' % amount
        response = api.post(BASE, body)
    else:
        response = api.submit(loan_amount=amount)

    assert response.status_code == 201, response.content
    assert response.json()["loan_amount"] == stored
    assert LoanApplication.objects.get().loan_amount == Decimal(stored)


@pytest.mark.parametrize("term", [6, 60, 360])
def test_term_inside_the_limits_is_accepted(api: Caller, term: int) -> None:
    assert api.submit(term_months=term).status_code == 201
    assert LoanApplication.objects.get().term_months == term


def test_income_may_be_null(api: Caller, settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False

    assert api.submit(annual_income=None).status_code == 201
    assert LoanApplication.objects.get().annual_income is None


AMOUNTS: list[tuple[Any, str]] = [
    ("1.234", "at most two decimals"),
    ("100.000", "at most two decimals"),
    (1.234, "at most two decimals"),
    ("-5", "above zero"),
    (-5, "above zero"),
    ("0", "above zero"),
    (0, "above zero"),
    ("0.00", "above zero"),
    ("1e999", "plain amount"),
    ("1e3", "plain amount"),
    ("", "Enter an amount."),
    ("   ", "Enter an amount."),
    ("NaN", "plain amount"),
    ("Infinity", "plain amount"),
    ("-Infinity", "plain amount"),
    ("1_000", "plain amount"),
    ("1,000.00", "plain amount"),
    ("$5", "plain amount"),
    ("+5", "plain amount"),
    ("5.", "plain amount"),
    (".5", "plain amount"),
    ("0x10", "plain amount"),
    ("\u0661\u0662\u0663", "plain amount"),
    ("\uff11\uff12\uff13", "plain amount"),
    ("10000000000", "below 10,000,000,000.00"),
    ("9" * 2000, "below 10,000,000,000.00"),
    ("0." + "1" * 2000, "at most two decimals"),
    (True, "plain amount"),
    ([], "plain amount"),
    ({}, "plain amount"),
]
FIELDS: list[tuple[str, Any, str]] = [
    ("applicant_name", ..., "required"),
    ("applicant_name", "", "blank"),
    ("applicant_name", "   ", "blank"),
    ("applicant_name", " ", "blank"),
    ("applicant_name", None, "null"),
    ("applicant_name", 5, "JSON string"),
    ("applicant_name", ["A"], "JSON string"),
    ("applicant_name", "x" * 201, "no more than 200"),
    ("address", "x" * 301, "no more than 300"),
    ("address", None, "null"),
    ("phone", "5" * 41, "no more than 40"),
    ("phone", "call me", "7 to 15 digits"),
    ("phone", "555-010", "7 to 15 digits"),
    ("phone", "+1 (613) 555-0101-0202-03", "7 to 15 digits"),
    ("email", "not-an-address", "valid email"),
    ("email", "a" * 250 + "@example.com", "no more than 254"),
    ("external_id", "x" * 101, "no more than 100"),
    ("sin_last4", ..., "required"),
    ("sin_last4", None, "null"),
    ("sin_last4", "", "blank"),
    ("sin_last4", 1111, "as a JSON string"),
    ("sin_last4", True, "as a JSON string"),
    ("sin_last4", "111", "exactly four digits"),
    ("sin_last4", "11111", "exactly four digits"),
    ("sin_last4", "11a1", "exactly four digits"),
    ("sin_last4", "1111\n", "exactly four digits"),
    ("sin_last4", " 1111", "exactly four digits"),
    ("sin_last4", "\u0661" * 4, "exactly four digits"),
    ("sin_last4", "¹²³⁴", "exactly four digits"),
    ("loan_amount", ..., "required"),
    ("loan_amount", None, "null"),
    ("currency", "USD", "Loans are made in CAD."),
    ("currency", "cad", "Loans are made in CAD."),
    ("currency", "CADD", "no more than 3"),
    ("currency", "", "blank"),
    ("currency", None, "null"),
    ("purpose", "yacht", "Choose one of: personal_loan"),
    ("purpose", "", "Choose one of"),
    ("purpose", {}, "Choose one of"),
    ("term_months", 5, "greater than or equal to 6"),
    ("term_months", 361, "less than or equal to 360"),
    ("term_months", -60, "greater than or equal to 6"),
    ("term_months", 60.5, "valid integer"),
    ("term_months", "60", "valid integer"),
    ("term_months", True, "valid integer"),
    ("term_months", None, "null"),
    ("term_months", 10**30, "valid integer"),
    ("reference", "LOAN-1", "no such field"),
    ("status", "funded", "no such field"),
    ("partner", 1, "no such field"),
    ("loan_ammount", "1", "no such field"),
    ("", "1", "no such field"),
]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        *FIELDS,
        *[("loan_amount", *amount) for amount in AMOUNTS],
        *[("annual_income", *amount) for amount in AMOUNTS],
    ],
)
def test_bad_field_is_named_with_a_sentence_and_nothing_is_stored(
    api: Caller, rows: Rows, name: str, value: Any, sentence: str
) -> None:
    response = api.submit(**{name: value})

    problem = assert_problem(response, 400, "invalid-application")
    assert list(problem["errors"]) == [name]
    assert len(problem["errors"][name]) == 1
    assert sentence in problem["errors"][name][0]
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize("number", [b"1e999", b"1e3", b"1E-7", b"0.000000000000000000001"])
def test_amount_as_number_with_exponent_is_refused(api: Caller, rows: Rows, number: bytes) -> None:
    body = b'{"applicant_name": "A", "sin_last4": "1234", "loan_amount": %s}' % number

    problem = assert_problem(api.post(BASE, body), 400, "invalid-application")
    assert list(problem["errors"]) == ["loan_amount"]
    assert rows() == (0, 0, 0)


def test_every_bad_field_is_told_at_once(api: Caller, rows: Rows) -> None:
    response = api.submit(applicant_name="", sin_last4=1, loan_amount="x", colour="red")

    problem = assert_problem(response, 400, "invalid-application")
    assert set(problem["errors"]) == {"applicant_name", "sin_last4", "loan_amount", "colour"}
    assert rows() == (0, 0, 0)


def repeats(digits: str, text: str) -> bool:
    """True if a number in the text begins with these digits; those of ids and times are random."""
    return bool(re.search(rf"(?<![\w.-]){digits}\d*(?![\w-])", text))


def test_digits_are_found_as_a_number_and_not_within_ids() -> None:
    assert repeats("9876", '{"sin": "987654321"}')
    assert repeats("9876", "sin 9876 is refused")
    assert not repeats("9876", '"request_id": "9876ab-1", "at": "12:00:01.987600Z", "1a9876"')


@pytest.mark.parametrize("sin", ["987654321", 9876, "98765", "9876 ", ["9876"]])
def test_refused_sin_is_not_repeated(
    api: Caller, sin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = api.submit(sin_last4=sin)

    assert response.status_code == 400
    assert not repeats("9876", response.content.decode())
    assert not repeats("9876", caplog.text)


def test_sin_is_in_no_answer(api: Caller) -> None:
    created = api.submit(sin_last4="8642", loan_amount="1000.00")
    path = created["Location"].removeprefix("http://testserver")

    for response in (created, api.get(), api.get(path), api.get(f"{path}events/")):
        assert not repeats("8642", response.content.decode())
        assert b"sin" not in response.content


def test_two_submissions_are_two_applications(api: Caller) -> None:
    references = {api.submit().json()["reference"] for _ in range(2)}

    assert len(references) == 2


def test_missing_policy_is_a_conflict_and_nothing_is_stored(api: Caller, rows: Rows) -> None:

    casework.change_policies(published_at=None)

    assert_problem(api.submit(), 409, "no-policy")
    assert rows() == (0, 0, 0)
