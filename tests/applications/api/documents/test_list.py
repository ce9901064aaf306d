"""GET /applications/{reference}/documents/."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.models import Document, LoanApplication
from applications.services import documents
from audit.models import AuditEntry
from partners.models import Partner
from tests import casework
from tests.applications import files
from tests.applications.api.documents.sending import listed, send
from tests.partners.api.calls import Caller, assert_problem, path


def test_list_has_the_partners_files_and_our_letters_oldest_first(
    api: Caller, partner: Partner
) -> None:
    case = casework.offered(None, partner=partner)
    sent = send(api, case).json()

    letter, mine = listed(api, case)

    assert (letter["kind"], letter["content_type"]) == ("offer_letter", "application/pdf")
    assert {name: mine[name] for name in sent} == sent


def test_list_comes_in_pages(api: Caller, case: LoanApplication) -> None:
    sent = [send(api, case).json()["document_id"] for _ in range(3)]
    found, address = [], path(case.reference, "documents/")
    query: dict[str, Any] | None = {"page_size": 2}
    while address:
        page = api.get(address, query).json()
        found += [row["document_id"] for row in page["results"]]
        address, query = page["next"], None

    assert found == sent


@pytest.mark.parametrize(
    "query", [{"page_size": "0"}, {"cursor": "x"}, {"kind": "other"}, {"page_size": ["1", "2"]}]
)
def test_query_that_is_not_the_lists_is_refused(
    api: Caller, case: LoanApplication, query: dict[str, Any]
) -> None:
    response = api.get(path(case.reference, "documents/"), query)

    assert list(assert_problem(response, 400, "invalid-request")["errors"]) == list(query)


def test_list_of_a_case_without_documents_is_empty(api: Caller, case: LoanApplication) -> None:
    assert listed(api, case) == []


def test_list_is_not_stored_anywhere(api: Caller, case: LoanApplication) -> None:
    response = api.get(path(case.reference, "documents/"))

    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


def test_list_answers_a_head(api: Caller, case: LoanApplication) -> None:
    response = api.call("HEAD", path(case.reference, "documents/"))

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("reference", ["mine", "LOAN-NOTTHERE"])
def test_list_of_another_partners_case_is_not_there(
    other_api: Caller, case: LoanApplication, reference: str
) -> None:
    reference = case.reference if reference == "mine" else reference

    assert_problem(other_api.get(path(reference, "documents/")), 404, "not-found")


def test_key_without_the_scope_may_not_list(
    api_with: Callable[..., Caller], case: LoanApplication
) -> None:
    response = api_with("documents:write").get(path(case.reference, "documents/"))

    assert_problem(response, 403, "missing-scope")


def test_partner_is_not_shown_what_staff_brought(
    api: Caller, as_staff: Callable[[User], Caller], case: LoanApplication, officer: User
) -> None:
    send(api, case)
    staff_bring(case, officer)

    assert [row["name"] for row in listed(api, case)] == ["slip.pdf"]
    assert [row["name"] for row in listed(as_staff(officer), case)] == ["slip.pdf", "note.png"]
    lines = api.get(path(case.reference, "events/")).json()["results"]
    assert "note.png" not in json.dumps(lines)


def staff_bring(case: LoanApplication, officer: User) -> Document:
    upload = documents.upload_read(
        kind="other",
        name="note.png",
        declared_type="image/png",
        content=ContentFile(files.PNG),
    )
    return files.document_upload(reference=case.reference, user=officer, upload=upload)


def test_staff_who_list_are_on_record_with_it(
    api: Caller, as_staff: Callable[[User], Caller], case: LoanApplication, manager: User
) -> None:
    sent = send(api, case).json()["document_id"]

    assert len(listed(as_staff(manager), case)) == 1
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.reference) == ("downloaded", manager, case.reference)
    assert entry.details == {"documents": [sent]}


def test_staff_without_the_permission_may_not_list(
    as_staff: Callable[[User], Caller], case: LoanApplication, make_user: Callable[..., User]
) -> None:
    response = as_staff(make_user("nobody")).get(path(case.reference, "documents/"))

    assert_problem(response, 403, "not-permitted")


def test_list_costs_the_same_however_long_it_is(
    api: Caller, case: LoanApplication, django_assert_num_queries: Any
) -> None:
    send(api, case)
    with CaptureQueriesContext(connection) as captured:
        listed(api, case)
    one = len(captured)
    assert one
    for _ in range(3):
        send(api, case)
    with django_assert_num_queries(one):
        listed(api, case)
