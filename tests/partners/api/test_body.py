"""Bodies: read strictly, and never stored when they cannot be."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import UnsupportedMediaType, ValidationError

from partners.api.errors import BodyTooLarge, Malformed
from partners.api.parsers import StrictJSONParser, decode
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem

Rows = Callable[[], tuple[int, ...]]

LIMIT = 1024 * 1024
WHOLE = json.dumps(ALICE).encode()


def with_raw(name: str, raw: str) -> bytes:
    """Alice's body with a field whose value is written as it stands here."""
    return json.dumps({**ALICE, name: "@"}).replace('"@"', raw).encode()


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n ", "empty"),
    "cut": (WHOLE[:-1], "not JSON"),
    "more after it": (WHOLE + b"{}", "not JSON"),
    "single quotes": (b"{'a': 1}", "not JSON"),
    "trailing comma": (b'{"a": 1,}', "not JSON"),
    "comment": (b'{"a": 1} // x', "not JSON"),
    "list": (b"[" + WHOLE + b"]", "JSON object"),
    "string": (b'"a"', "JSON object"),
    "number": (b"5", "JSON object"),
    "null": (b"null", "JSON object"),
    "true": (b"true", "JSON object"),
    "NaN": (with_raw("loan_amount", "NaN"), "NaN is not JSON"),
    "Infinity": (with_raw("loan_amount", "Infinity"), "Infinity is not JSON"),
    "-Infinity": (with_raw("loan_amount", "-Infinity"), "-Infinity is not JSON"),
    "endless exponent": (with_raw("loan_amount", "1e99999999999999999999"), "out of range"),
    "endless number": (with_raw("loan_amount", "9" * 5000), "too many digits"),
    "endless integer": (with_raw("term_months", "9" * 5000), "too many digits"),
    "latin-1": ('{"applicant_name": "Zoë"}'.encode("latin-1"), "not UTF-8"),
    "utf-16": (json.dumps(ALICE).encode("utf-16"), "not UTF-8"),
    "overlong": (b'{"applicant_name": "\xc0\x80"}', "not UTF-8"),
    "encoded surrogate": (b'{"applicant_name": "\xed\xa0\x80"}', "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, "byte order mark"),
    "raw control sign": (b'{"applicant_name": "a\x00b"}', "not JSON"),
    "deep lists": (b"[" * 200_000, "too deeply"),
    "deep lists in a field": (with_raw("address", "[" * 50_000 + "]" * 50_000), "too deeply"),
    "deep objects": (b'{"a":' * 100_000, "too deeply"),
    "rather deep": (with_raw("address", "[" * 17 + "]" * 17), "too deeply"),
}


@pytest.mark.parametrize(("body", "sentence"), MALFORMED.values(), ids=MALFORMED.keys())
def test_body_that_cannot_be_read_is_told_why_and_nothing_is_stored(
    api: Caller, rows: Rows, body: bytes, sentence: str
) -> None:
    problem = assert_problem(api.post(BASE, body), 400, "malformed-json")

    assert sentence in problem["detail"]
    assert problem["errors"] == {}
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (WHOLE[:-1] + b', "loan_amount": "1.00"}', "loan_amount"),
        (WHOLE[:-1] + b', "loan\\u005famount": "1.00"}', "loan_amount"),
        (b'{"a": {"inner": 1, "inner": 1}}', "inner"),
        (b'{"": 1, "": 2}', ""),
        (b'{"\\ud800": 1, "\\ud800": 2}', "?"),
        (b'{"\\u0000": 1, "\\u0000": 2}', "\N{REPLACEMENT CHARACTER}"),
        (b'{"%s": 1, "%s": 2}' % (b"x" * 500, b"x" * 500), "x" * 100),
    ],
)
def test_name_that_appears_twice_is_named_and_nothing_is_stored(
    api: Caller, rows: Rows, body: bytes, name: str
) -> None:
    problem = assert_problem(api.post(BASE, body), 400, "malformed-json")

    assert f'"{name}"' in problem["detail"]
    assert problem["errors"] == {name: ["This name appears more than once."]}
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ('"a\\u0000b"', "Null characters"),
        ('"\\ud83d"', "half a character"),
        ('"\\udc00\\ud800"', "half a character"),
        ('["\\u0000"]', "Null characters"),
        ('{"x": "\\u0000"}', "Null characters"),
        ('{"\\u0000": "x"}', "Null characters"),
    ],
)
@pytest.mark.parametrize("name", ["applicant_name", "sin_last4", "external_id", "unknown"])
def test_text_that_cannot_be_stored_is_refused_under_its_field(
    api: Caller, rows: Rows, name: str, raw: str, sentence: str
) -> None:
    problem = assert_problem(api.post(BASE, with_raw(name, raw)), 400, "invalid-application")

    assert list(problem["errors"]) == [name]
    assert sentence in problem["errors"][name][0]
    assert rows() == (0, 0, 0)


def test_escaped_pair_of_surrogates_is_one_character(api: Caller) -> None:
    response = api.post(BASE, with_raw("applicant_name", '"\\ud83e\\udd89"'))

    assert response.status_code == 201
    assert response.json()["applicant_name"] == "🦉"


def test_body_of_ten_megabytes_is_refused_and_nothing_is_stored(api: Caller, rows: Rows) -> None:
    body = json.dumps({**ALICE, "address": "x" * 10 * LIMIT}).encode()

    assert_problem(api.post(BASE, body), 413, "body-too-large")
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 413)])
def test_limit_is_one_megabyte_to_the_byte(api: Caller, more: int, status: int) -> None:
    body = WHOLE + b" " * (LIMIT - len(WHOLE) + more)

    assert api.post(BASE, body).status_code == status


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/merge-patch+json",
        "",
        "nonsense",
        "/",
    ],
)
def test_other_media_type_is_415_and_nothing_is_stored(api: Caller, rows: Rows, media: str) -> None:
    response = api.call("POST", BASE, data=WHOLE, content_type=media)

    assert_problem(response, 415, "unsupported-media-type")
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    "media",
    ["application/json", "application/json; charset=utf-8", 'APPLICATION/JSON; charset="UTF-8"'],
)
def test_json_in_utf_8_is_read_however_it_is_spelled(api: Caller, media: str) -> None:
    assert api.call("POST", BASE, data=WHOLE, content_type=media).status_code == 201


# --- Without a server in between: lengths that are not declared ---------------------------


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time and counts what was taken, as a chunked body may come."""

    def __init__(self, total: int) -> None:
        self.left, self.taken = total, 0

    def read(self, size: int = -1) -> bytes:
        part = b" " * min(self.left, 1000, size)
        self.left -= len(part)
        self.taken += len(part)
        return part


def parse(stream: Any, media_type: str = "application/json", **meta: str) -> dict[str, Any]:
    request = type("Request", (), {"META": meta})()
    return StrictJSONParser().parse(stream, media_type, {"request": request})


def test_body_without_a_length_is_read_to_its_end() -> None:
    assert parse(io.BytesIO(b'{"a": 1.10}')) == {"a": Decimal("1.10")}


def test_endless_body_without_a_length_is_left_at_the_limit() -> None:
    stream = Trickle(10 * LIMIT)

    with pytest.raises(BodyTooLarge):
        parse(stream)
    assert stream.taken <= LIMIT + 1


def test_declared_length_above_the_limit_is_refused_before_reading() -> None:
    stream = Trickle(10)

    with pytest.raises(BodyTooLarge):
        parse(stream, CONTENT_LENGTH=str(LIMIT + 1))
    assert stream.taken == 0


def test_length_that_lies_does_not_help() -> None:
    with pytest.raises(BodyTooLarge):
        parse(Trickle(2 * LIMIT), CONTENT_LENGTH="5")


def test_charset_other_than_utf_8_is_refused_before_reading() -> None:
    stream = Trickle(10)

    with pytest.raises(UnsupportedMediaType):
        parse(stream, "application/json; charset=ascii")
    assert stream.taken == 0


# --- Anything at all ----------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(Malformed, ValidationError):
        assert isinstance(decode(raw), dict)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_any_object_is_read_as_it_was_written_or_refused(value: dict[str, Any]) -> None:
    raw = json.dumps(value).encode()
    try:
        read = decode(raw)
    except (Malformed, ValidationError):
        assert "\\u0000" in raw.decode() or "\\ud" in raw.decode() or b"[[" in raw or b"{" in raw
    else:
        assert read == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2))
def test_number_is_never_a_float(amount: Decimal) -> None:
    read = decode(f'{{"amount": {amount}}}'.encode())["amount"]

    assert type(read) is Decimal
    assert read == amount
