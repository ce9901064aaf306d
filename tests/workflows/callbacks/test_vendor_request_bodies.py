"""Requests at a callback address: which methods, media types and bodies are accepted."""

from typing import Any

import pytest
from django.test import Client

from tests.hard_cases.stored import everything_stored
from tests.workflows.callbacks.vendor import BAD, HEARTBEAT, PASSED, accepted, new_id, problem, send
from workflows.models import PendingCallback

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_what_is_allowed(path: str, method: str) -> None:
    response = Client().generic(method, path)

    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
def test_other_media_types_are_refused(path: str, content_type: str) -> None:
    problem(send(path, PASSED, content_type=content_type), 415, "unsupported-media-type")


def test_body_over_64_kilobytes_is_refused_and_one_of_64_is_read(path: str) -> None:
    padding = 64 * 1024 - len(b'{"type": "heartbeat"}')
    largest = b'{"type": "answer", "verdict": "passed"}'.ljust(64 * 1024)

    said = problem(send(path, largest + b" "), 413, "body-too-large")

    assert "64 KB" in said["detail"]
    problem(send(path, b'{"type": "heartbeat"}' + b" " * (padding + 1)), 413, "body-too-large")
    accepted(send(path, largest))


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"type": "answer", "verdict": "passed", "verdict": "flagged"}',
        b'{"type": "answer", "verdict": "passed", "score": NaN}',
        b'{"type": "answer"}{"verdict": "passed"}',
    ],
)
def test_body_that_cannot_be_read_one_way_only_is_refused(path: str, body: bytes) -> None:
    problem(send(path, body), 400, "malformed-json")

    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "type"),
        ({"type": "verdict"}, "type"),
        ({"type": ["answer"]}, "type"),
        ({"type": "answer"}, "verdict"),
        ({"type": "answer", "verdict": "PASSED"}, "verdict"),
        ({"type": "answer", "verdict": None}, "verdict"),
        ({"type": "answer", "verdict": True}, "verdict"),
        ({**PASSED, "result": "passed"}, "result"),
        ({**PASSED, "message": "x"}, "message"),
        ({**PASSED, "score": 1.5}, "score"),
        ({**PASSED, "score": "1"}, "score"),
        ({**PASSED, "score": True}, "score"),
        ({**PASSED, "score": -1}, "score"),
        ({**PASSED, "score": 1001}, "score"),
        ({**PASSED, "reasons": "x"}, "reasons"),
        ({**PASSED, "reasons": ["x"] * 21}, "reasons"),
        ({**PASSED, "reasons": ["a\0b"]}, "reasons"),
        ({**HEARTBEAT, "verdict": "passed"}, "verdict"),
        ({"type": "failure"}, "message"),
        ({"type": "failure", "message": "x" * 501}, "message"),
    ],
)
def test_body_in_another_shape_is_refused_by_field_and_nothing_is_written(
    path: str, said: dict[str, Any], field: str
) -> None:
    before = everything_stored()

    found = problem(send(path, said), 400, "invalid-request")

    assert list(found["errors"]) == [field]
    assert everything_stored() == before


def test_reason_that_is_no_text_is_refused(path: str) -> None:
    found = problem(send(path, {**PASSED, "reasons": ["x", 7]}), 400, "invalid-request")

    assert "reasons" in next(iter(found["errors"]))


def test_identifier_of_a_refused_request_can_be_used_again(path: str) -> None:
    identifier = new_id()
    problem(send(path, BAD, identifier=identifier), 400, "invalid-request")

    accepted(send(path, PASSED, identifier=identifier))
