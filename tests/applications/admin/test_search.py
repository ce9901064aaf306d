"""The search in the header: what each person finds, and what is on record of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from tests import casework
from tests.applications.admin.conftest import Login

pytestmark = pytest.mark.django_db

SEARCH = "/admin/search/"
SUGGESTIONS = "/admin/search/suggestions/"


def page_of(application: LoanApplication) -> str:
    return f"/admin/applications/loanapplication/{application.pk}/change/"


def suggested(client: Client, term: str) -> list[dict[str, Any]]:
    answer = client.post(SUGGESTIONS, {"term": term})
    assert "no-store" in answer.headers["Cache-Control"]
    return list(answer.json()["found"])


def test_suggestions_have_what_tells_applications_apart_and_leave_no_entry(
    login: Login, officer: User
) -> None:
    application = casework.submit(officer)
    client = login(officer)
    entries = AuditEntry.objects.count()

    assert suggested(client, "johns") == [
        {
            "url": page_of(application),
            "reference": application.reference,
            "name": "Alice Johnson",
            "amount": "150,000.00 CAD",
            "status": "Submitted",
        }
    ]
    assert suggested(client, "613-555-0101") == suggested(client, "alice@example.com") == []
    assert AuditEntry.objects.count() == entries


def test_one_that_is_found_opens_at_once_and_several_are_listed(
    login: Login, officer: User
) -> None:
    one, other = casework.submit(officer), casework.submit(officer, applicant_name="Alice Reed")
    client = login(officer)

    assert client.post(SEARCH, {"term": one.reference[5:]}).headers["Location"] == page_of(one)
    listed = client.post(SEARCH, {"term": "alice"}).content.decode()
    assert "2 found for “alice”" in listed
    assert page_of(one) in listed
    assert page_of(other) in listed
    assert "No application was found for “Zzz”" in (
        client.post(SEARCH, {"term": "Zzz"}).content.decode()
    )


@pytest.mark.parametrize(
    ("term", "what", "masked"),
    [
        ("(613) 555 0101", "a phone number", "(6••) ••• ••01"),
        ("alice@example.com", "an e-mail address", "a••••@e••••.com"),
    ],
)
def test_contact_is_searched_by_who_may_see_it_and_is_on_record(
    login: Login, officer: User, auditor: User, term: str, what: str, masked: str
) -> None:
    application = casework.submit(officer)

    found = login(officer).post(SEARCH, {"term": term})

    assert found.headers["Location"] == page_of(application)
    entry = AuditEntry.objects.filter(action=Action.REVEALED).get()
    assert entry.actor == officer
    assert entry.message == f"Searched the applications for {what}."
    assert entry.details == {"searched": masked, "references": [application.reference]}

    refused = login(auditor).post(SEARCH, {"term": term}).content.decode()
    assert "by those who may have contact details shown" in refused
    assert application.reference not in refused
    assert AuditEntry.objects.filter(action=Action.REVEALED).count() == 1


def test_who_sees_no_application_has_no_search(
    login: Login, make_user: Callable[..., User]
) -> None:
    client = login(make_user("newcomer"))

    assert "header-search" not in client.get("/admin/").content.decode()
    assert client.get(SEARCH).status_code == 403
    assert client.post(SEARCH, {"term": "alice"}).status_code == 403
    assert client.post(SUGGESTIONS, {"term": "alice"}).status_code == 403


def test_field_is_on_every_page_and_a_get_says_how_to_search(login: Login, officer: User) -> None:
    client = login(officer)

    for address in ("/admin/", "/admin/applications/loanapplication/", SEARCH):
        assert 'id="header-search-term"' in client.get(address).content.decode()
    assert "with or without" in client.get(SEARCH).content.decode()
    assert client.get(SUGGESTIONS).status_code == 405


def test_audit_log_is_searched_by_an_applicants_name(
    login: Login, officer: User, auditor: User
) -> None:
    application = casework.submit(officer)
    casework.submit(officer, applicant_name="Dana Reed")

    found = login(auditor).get("/admin/audit/auditentry/?q=johnson").content.decode()

    assert application.reference in found
    assert "Dana" not in found
