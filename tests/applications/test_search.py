"""Applications are found by what people know of them."""

import pytest

from accounts.roles import Role
from applications.models import LoanApplication
from applications.search import applications_found
from applications.search_contacts import phone_key
from applications.search_names import surname_first
from applications.services import intake
from partners.models import Partner
from tests import casework

pytestmark = pytest.mark.django_db


def found(term: str, *, most: int = 10, with_contact: bool = False) -> list[str]:
    rows = applications_found(term, most=most, with_contact=with_contact).applications
    return [row.applicant_name for row in rows]


@pytest.fixture
def two() -> tuple[LoanApplication, LoanApplication]:
    partner = Partner.objects.create(name="Maple Brokers")
    one = casework.submit(
        None, partner=partner, applicant_name="Émile van der Côté", external_id="deal 7"
    )
    other = casework.submit(
        None, partner=partner, applicant_name="Jo", phone="+1 (613) 555-0199", email="Jo@x.example"
    )
    return one, other


@pytest.mark.parametrize(
    ("term", "names"),
    [
        ("émile", ["Émile van der Côté"]),
        ("EMILE VAN", ["Émile van der Côté"]),
        ("cote", ["Émile van der Côté"]),
        ("Côté, Émile", ["Émile van der Côté"]),
        ("  jo  ", ["Jo"]),
        ("deal 7", ["Émile van der Côté"]),
        ("deal", []),
        ("van", []),  # neither the first word nor the last
        ("j", []),  # too short to be of use
        ("", []),
        ("\u00b4\u00b4", []),  # accents alone
        ("\U0010ffff\U0010ffff", []),
    ],
)
def test_term_finds_by_name_surname_or_the_partners_own_name(
    two: tuple[LoanApplication, LoanApplication], term: str, names: list[str]
) -> None:
    assert found(term) == names


def test_reference_is_found_with_and_without_its_prefix(
    two: tuple[LoanApplication, LoanApplication],
) -> None:
    one, _ = two

    for term in (one.reference, one.reference.lower(), one.reference.removeprefix("LOAN-")):
        assert found(term) == ["Émile van der Côté"]


@pytest.mark.parametrize(
    "term", ["613 555 0199", "5550199", "16135550199", "+1 613-555-0199", "jo@X.example"]
)
def test_phone_and_email_are_found_only_where_contact_is_asked_for(
    two: tuple[LoanApplication, LoanApplication], term: str
) -> None:
    assert found(term, with_contact=True) == ["Jo"]
    assert found(term) == []


def test_short_number_is_no_phone_number(two: tuple[LoanApplication, LoanApplication]) -> None:
    assert found("550199", with_contact=True) == []


def test_edit_of_a_draft_is_found_by_its_new_name_and_phone() -> None:
    user = casework.staff("officer", Role.LOAN_OFFICER)
    draft = intake.application_create(user=user, **casework.ALICE)

    changed = {"applicant_name": "Dana Reed", "phone": "902-555-0404", "email": "D@x.example"}
    intake.application_edit(reference=draft.reference, user=user, **changed)

    assert found("reed") == found("9025550404", with_contact=True) == ["Dana Reed"]
    assert found("d@x.example", with_contact=True) == ["Dana Reed"]
    assert found("johnson") == found("6135550101", with_contact=True) == []


def test_more_than_asked_for_are_cut_and_said(partner: Partner) -> None:
    for _ in range(3):
        intake.application_create(user=None, partner=partner, **casework.ALICE)

    cut = applications_found("alice", most=2)
    whole = applications_found("johnson", most=3)

    assert (len(cut.applications), cut.more) == (2, True)
    assert (len(whole.applications), whole.more) == (3, False)


def test_keys_are_as_their_docstrings_say() -> None:
    assert surname_first("Émile  Côté") == "cote emile"
    assert surname_first("Jo") == "jo"
    assert surname_first("") == ""
    assert phone_key("613-555-0101") == "1010555316"
    assert len(phone_key("1" * 40)) == 20
