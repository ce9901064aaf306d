"""The links that the list gives."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from applications.models import (
    LoanApplication,
)
from tests.applications import files
from tests.applications.api.documents.sending import listed, send, stored
from tests.partners.api.calls import Caller, assert_problem


@pytest.fixture
def link(api: Caller, case: LoanApplication) -> str:
    """A link to what the partner has sent."""
    send(api, case, ("Zoë “1”.pdf", "application/pdf", files.PDF))
    return str(listed(api, case)[0]["url"])


def follow(link: str, method: str = "GET", **headers: str) -> Any:
    return Caller().call(method, link.removeprefix("http://testserver"), headers=headers)


def test_link_is_a_download_for_whoever_has_it(link: str) -> None:
    response = follow(link)

    assert response.status_code == 200
    assert b"".join(response.streaming_content) == files.PDF
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Length"] == str(len(files.PDF))
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''Zo%C3%AB")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize("accept", ["application/pdf", "text/html,*/*;q=0.8", "image/png"])
def test_link_is_followed_whatever_is_accepted(link: str, accept: str) -> None:
    response = follow(link, Accept=accept)

    assert response.status_code == 200
    response.close()


def test_link_gives_bytes_to_whoever_accepts_nothing_else(link: str) -> None:
    response = follow(link, Accept="application/octet-stream")

    assert response["Content-Type"] == "application/octet-stream"
    assert b"".join(response.streaming_content) == files.PDF


def test_link_answers_a_head(link: str) -> None:
    response = follow(link, "HEAD")

    assert (response.status_code, response["Content-Length"]) == (200, str(len(files.PDF)))


def test_link_with_a_wrong_key_is_followed_all_the_same(link: str) -> None:
    response = follow(link, Authorization="Bearer nobody")

    assert response.status_code == 200
    response.close()


def test_link_says_until_when_it_is_good(api: Caller, case: LoanApplication) -> None:
    send(api, case)
    before = timezone.now()
    (found,) = listed(api, case)

    life = datetime.fromisoformat(found["url_expires_at"]) - before
    assert timedelta(minutes=5) <= life < timedelta(minutes=6)


def test_link_that_is_old_is_gone(link: str, settings: Any) -> None:
    settings.LOANOFFICE_DOCUMENT_LINK_LIFE = timedelta(seconds=-1)

    assert_problem(follow(link), 410, "link-expired")


@pytest.mark.parametrize("where", range(6))
def test_link_that_was_tampered_with_is_not_there(link: str, where: int) -> None:
    stem, _, token = link.rstrip("/").rpartition("/")
    at = where * len(token) // 6
    changed = token[:at] + ("x" if token[at] != "x" else "y") + token[at + 1 :]

    assert_problem(follow(f"{stem}/{changed}/"), 404, "not-found")


@pytest.mark.parametrize(
    "token", ["x", "~", "~~", "LOAN-1.other.1", "LOAN-1.other.1~1wXyZ~x", "a" * 201, "%00"]
)
def test_token_that_nobody_signed_is_not_there(db: None, token: str) -> None:
    response = Client().get(f"/api/v1/documents/{token}/")

    assert_problem(response, 404, "not-found")


def test_link_to_a_file_that_storage_lost_is_not_there(link: str, media: Path) -> None:
    for found in stored(media):
        found.unlink()

    assert_problem(follow(link), 404, "not-found")


def test_link_is_for_reading_only(link: str) -> None:
    assert_problem(follow(link, "POST"), 405, "method-not-allowed")
