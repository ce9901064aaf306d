"""Requests at a callback address: which tokens and signatures are accepted."""

import time
from typing import Any

import pytest
from django.test import Client

from applications.models import LoanApplication
from tests.workflows.callbacks.conftest import path_of
from tests.workflows.callbacks.vendor import (
    BAD,
    KEY,
    OLD_KEY,
    OLD_SECRET,
    PASSED,
    SECRET,
    accepted,
    headers,
    problem,
    send,
)
from workflows.models import CallbackRequest, CallbackToken, PendingCallback

pytestmark = pytest.mark.django_db


def test_unknown_and_malformed_tokens_are_answered_in_the_same_words_whoever_signs(
    path: str,
) -> None:
    token = path.split("/")[2]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    paths = [
        f"/callbacks/{other}/",
        f"/callbacks/{token}x/",
        f"/callbacks/{token}",  # no slash at the end
        f"/callbacks/{token}/more/",
        f"/callbacks/{token.upper()}/",
        "/callbacks/F/",  # the engine's own name of it
        "/callbacks/%00/",
        "/callbacks/%F0%9F%8E%89/",
        "/callbacks/",
        f"/callbacks/{'x' * 3000}/",
    ]
    found = []
    for each in paths:
        for key in (KEY, OLD_KEY):
            said = problem(send(each, PASSED, key=key), 404, "not-found")
            found.append({**said, "instance": "", "request_id": ""})

    assert [said for said in found if said != found[0]] == []
    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize("seconds", [-310, 310])
def test_request_outside_of_the_window_is_refused(path: str, seconds: int) -> None:
    response = send(path, PASSED, at=time.time() + seconds)

    said = problem(response, 401, "signature-refused")
    assert "five minutes" in said["detail"]
    assert response["WWW-Authenticate"]
    assert not CallbackRequest.objects.exists()
    assert PendingCallback.objects.get().status == "open"


def test_request_that_somebody_else_signed_is_refused(path: str) -> None:
    problem(send(path, PASSED, key=OLD_KEY), 401, "signature-refused")

    assert PendingCallback.objects.get().status == "open"


def test_request_that_nobody_signed_is_refused(path: str) -> None:
    response = Client().post(path, PASSED, content_type="application/json")

    problem(response, 401, "signature-refused")


def test_signature_of_another_body_is_refused(path: str) -> None:
    body = b'{"type": "answer", "verdict": "flagged"}'
    response = Client().generic(
        "POST",
        path,
        b'{"type": "answer", "verdict": "passed"}',
        content_type="application/json",
        headers=headers(body),
    )

    problem(response, 401, "signature-refused")


def test_without_a_secret_nobody_is_let_in(path: str, settings: Any) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = []

    problem(send(path, PASSED), 404, "not-found")

    assert PendingCallback.objects.get().status == "open"


def test_secret_is_rotated_while_the_vendor_works(asked: LoanApplication, settings: Any) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [OLD_SECRET]
    CallbackToken.objects.all().delete()
    before = path_of("F")
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET, OLD_SECRET]

    assert path_of("F") == before
    problem(send(before, BAD, key=KEY), 400, "invalid-request")
    accepted(send(before, PASSED, key=OLD_KEY))
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET]

    problem(send(before, PASSED, key=OLD_KEY), 401, "signature-refused")
    accepted(send(before, PASSED, key=KEY))


def test_secret_replaced_at_once_leaves_the_old_address_and_makes_a_new_one(
    asked: LoanApplication, settings: Any
) -> None:
    before = path_of("F")
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [OLD_SECRET]

    after = path_of("F")

    assert after != before
    problem(send(before, BAD, key=OLD_KEY), 400, "invalid-request")
    accepted(send(after, PASSED, key=OLD_KEY))


def test_csrf_and_sessions_play_no_part(path: str) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    response = send(path, PASSED, client=client)

    accepted(response)
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_whatever_the_vendor_accepts_it_is_answered_in_json(path: str) -> None:
    body = b'{"type": "answer", "verdict": "passed"}'
    response = Client().generic(
        "POST",
        path,
        body,
        content_type="application/json; charset=UTF-8",
        headers={**headers(body), "Accept": "text/html"},
    )

    accepted(response)
