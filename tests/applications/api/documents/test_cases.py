"""Which cases take documents, and from whom."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.models import LoanApplication
from partners.models import Partner
from tests import casework
from tests.applications.api.documents.sending import (
    BOUNDARY,
    FINE,
    MULTIPART,
    body,
    listed,
    post,
    send,
    stored,
)
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import Caller, assert_problem, path


@pytest.mark.parametrize("status", ["funded", "declined", "withdrawn", "expired"])
def test_case_that_is_closed_takes_nothing(
    api: Caller, case: LoanApplication, media: Path, status: str
) -> None:
    LoanApplication.objects.update(status=status)
    before = everything_stored()

    assert_problem(send(api, case), 409, "wrong-state")
    assert everything_stored() == before
    assert not stored(media)


@pytest.mark.parametrize(
    "status", ["submitted", "in_review", "pending_approval", "approved", "needs_attention"]
)
def test_case_that_is_open_takes_a_document(
    api: Caller, case: LoanApplication, status: str
) -> None:
    LoanApplication.objects.update(status=status)

    assert send(api, case).status_code == 201
    # What deciders read has changed.
    assert api.get(path(case.reference)).json()["version"] == case.version + 1


def test_case_takes_so_many_documents_and_its_letters_do_not_count(
    api: Caller, partner: Partner, settings: Any, media: Path
) -> None:
    settings.LOANOFFICE_DOCUMENTS_MOST = 2
    case = casework.offered(None, partner=partner)
    assert [send(api, case).status_code for _ in range(2)] == [201, 201]
    before, then = everything_stored(), stored(media)

    assert_problem(send(api, case), 409, "too-many-documents")
    assert everything_stored() == before
    assert stored(media) == then
    assert len(listed(api, case)) == 3


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (FINE, f"{MULTIPART}; boundary={BOUNDARY}"),
        (FINE, MULTIPART),
        (b"", f"{MULTIPART}; boundary={BOUNDARY}"),
        (body(("selfie", "x")), f"{MULTIPART}; boundary={BOUNDARY}"),
        (b"x" * 5_000_000, f"{MULTIPART}; boundary={BOUNDARY}"),
    ],
)
def test_another_partners_case_is_not_there_whatever_is_sent(
    other_api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    raw: bytes,
    content_type: str,
) -> None:
    said = [
        assert_problem(post(other_api, reference, raw, content_type=content_type), 404, "not-found")
        for reference in (case.reference, "LOAN-NOTTHERE")
    ]

    assert said[0]["detail"] == said[1]["detail"]
    nothing_kept()


def test_key_without_the_scope_may_not_send(
    api_with: Callable[..., Caller], case: LoanApplication, media: Path
) -> None:
    api = api_with("applications:read", "applications:write", "offers:write")
    before = everything_stored()

    assert_problem(send(api, case), 403, "missing-scope")
    assert everything_stored() == before
    assert not stored(media)


def test_stranger_may_not_send(anonymous: Caller, case: LoanApplication) -> None:
    assert_problem(send(anonymous, case), 401, "not-authenticated")


def test_staff_send_by_the_back_office(
    as_staff: Callable[[User], Caller], case: LoanApplication, officer: User
) -> None:
    assert_problem(send(as_staff(officer), case), 403, "not-permitted")
