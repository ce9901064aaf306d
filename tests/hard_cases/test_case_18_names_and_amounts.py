"""Case 18: odd names are kept to the byte, and what is no amount is refused.

Refused means a clear 4xx, never a 5xx, and not one row of any table that differs.
"""

import json
from io import BytesIO

import pytest
from django.test import Client
from django.utils.html import escape
from pypdf import PdfReader

from applications.models import Document, LoanApplication
from tests import casework
from tests.applications.admin.conftest import ADD, LIST, page
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.sizes import some
from workflows.steps import offer

pytestmark = pytest.mark.django_db
NAMES = {
    "emoji": "Zoë 🏡🦊 O'Brien-Smith",
    "family of emoji": "👩‍👩‍👧‍👦 & Söhne",
    "arabic": "زهرة بنت أحمد",
    "hebrew and latin": "שרה לוי (Sarah Levi) 2",
    "right-to-left override": "Anna \u202egnirts\u202c Bell",
    "combining": "Jose\u0301 A\u030angstro\u0308m",
    "beyond the basic plane": "𠮷野家 \U0001d504\U0001d51f",
    "markup": '<b>"Bobby" & \\ tables;--</b>',
    "as long as may be": "🦊" * 200,
}
every_name = pytest.mark.parametrize(
    "name", some(NAMES.values(), of=2), ids=some(NAMES.keys(), of=2)
)


# --- Names ---------------------------------------------------------------------------------


def offer_letter_of(application: LoanApplication) -> Document:
    """Carry a submitted case to its offer, as the workflow does."""
    casework.assess(application)
    run = casework.run_of(application)
    casework.pass_fraud_check(application)
    offer.offer_begin(run)
    casework.make_offer(run)
    return Document.objects.get(application=application, kind=Document.Kind.OFFER_LETTER)


def assert_letter_reads(content: bytes, application: LoanApplication) -> None:
    text = "\n".join(p.extract_text() for p in PdfReader(BytesIO(content)).pages)
    assert application.reference in text
    assert "25,000.00 CAD" in text


@pytest.mark.both_databases
@pytest.mark.long
@every_name
def test_name_sent_to_the_api_comes_back_byte_for_byte_and_into_the_letter(
    api: Caller, as_officer: Client, name: str
) -> None:
    sent = api.submit(applicant_name=name, sin_last4="3333", loan_amount="25000.00")

    assert sent.status_code == 201
    application = LoanApplication.objects.get()
    assert application.applicant_name.encode() == name.encode()
    answer = api.get(path(application.reference))
    assert answer.json()["applicant_name"].encode() == name.encode()
    assert json.dumps(name, ensure_ascii=False).encode() in answer.content
    assert json.dumps(name, ensure_ascii=False).encode() in api.get().content

    letter = offer_letter_of(application)
    with letter.file.open("rb") as stored:
        content = stored.read()
    assert_letter_reads(content, application)
    download = as_officer.get(page("document", application, letter.pk))
    assert download["Content-Type"] == "application/pdf"
    assert b"".join(download.streaming_content) == content
    download.close()


@pytest.mark.both_databases
@pytest.mark.long
@every_name
def test_name_typed_in_the_office_is_shown_there_and_by_the_api_as_it_is(
    as_officer: Client, name: str
) -> None:
    typed = {k: v for k, v in ALICE.items() if k not in {"external_id", "applicant_name"}}

    saved = as_officer.post(ADD, {**typed, "applicant_name": name, "_submit": "yes"})

    assert saved.status_code == 302
    application = LoanApplication.objects.get()
    assert application.applicant_name.encode() == name.encode()
    for address in (LIST, page("change", application), page("withdraw", application)):
        shown = as_officer.get(address).content.decode()
        assert "<b>" not in shown
        assert escape(name) in shown or address == page("withdraw", application)
    answer = as_officer.get(path(application.reference))
    assert answer.json()["applicant_name"].encode() == name.encode()
    found = as_officer.get(LIST, {"q": name[:20]}).context["cl"].result_list
    assert list(found) == [application]


@pytest.mark.both_databases
@pytest.mark.parametrize("size", [201, 20_000])
def test_name_longer_than_it_may_be_is_refused_at_both_doors(
    api: Caller, as_officer: Client, size: int
) -> None:
    name = "🦊" * size
    before = everything_stored()

    problem = assert_problem(api.submit(applicant_name=name), 400, "invalid-application")
    typed = as_officer.post(ADD, {**ALICE, "applicant_name": name, "_submit": "yes"})

    assert list(problem["errors"]) == ["applicant_name"]
    assert list(typed.context["adminform"].form.errors) == ["applicant_name"]
    assert everything_stored() == before


# --- Amounts -------------------------------------------------------------------------------


NOT_AMOUNTS = (
    '"150000.005"',
    "150000.005",
    '"1e999"',
    "1e999",
    "1e-7",
    '"1e3"',
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    "-5",
    '"-0.01"',
    "-0",
    "0",
    '"0.00"',
    "0e5",
    '""',
    '"   "',
    "true",
    "[]",
    "{}",
    '["5"]',
    '"10,000.00"',
    '"$5"',
    '"\uff11\uff10\uff10"',
    '"٣٣"',
    '"1_000"',
    '"0x10"',
    '"10000000000.00"',
    "9" * 300,
)


def alice_with(name: str, raw: str) -> bytes:
    """Alice's body in which one value is written as it stands here."""
    return json.dumps({**ALICE, name: "@"}).replace('"@"', raw).encode()


@pytest.mark.long
@pytest.mark.parametrize("name", ["loan_amount", "annual_income"])
@pytest.mark.parametrize("raw", some(NOT_AMOUNTS, of=3))
def test_what_is_no_amount_is_refused_under_its_field(api: Caller, name: str, raw: str) -> None:
    before = everything_stored()

    response = api.post(BASE, alice_with(name, raw))

    problem = assert_problem(response, 400, "invalid-application")
    assert list(problem["errors"]) == [name]
    assert everything_stored() == before


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999", "01"])
def test_what_is_no_number_of_json_is_a_body_that_cannot_be_read(api: Caller, raw: str) -> None:
    before = everything_stored()

    assert_problem(api.post(BASE, alice_with("loan_amount", raw)), 400, "malformed-json")
    assert everything_stored() == before


@pytest.mark.long
@pytest.mark.parametrize("name", ["loan_amount", "annual_income"])
@pytest.mark.parametrize(
    "text",
    some(["150000.005", "1e999", "-1e999", "NaN", "sNaN", "Infinity", "-5", "0", "0.00", "-0",
          "1\x00", "10000000000.00", "x", "9" * 5000], of=3),
)  # fmt: skip
def test_what_is_no_amount_is_refused_in_the_form(as_officer: Client, name: str, text: str) -> None:
    before = everything_stored()

    answer = as_officer.post(ADD, {**ALICE, name: text, "_submit": "yes"})

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [name]
    assert everything_stored() == before


def test_form_without_an_amount_is_refused(as_officer: Client) -> None:
    before = everything_stored()

    answer = as_officer.post(ADD, {**ALICE, "loan_amount": "", "_submit": "yes"})

    assert list(answer.context["adminform"].form.errors) == ["loan_amount"]
    assert everything_stored() == before
