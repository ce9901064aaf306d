"""Holds an answer against the OpenAPI document: status, media type, every field, no other."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from partners.api.schema_view import document as made

PREFIX = "/api/v1/"
COUNTED = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After")
ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

formats = FormatChecker(formats=())


@formats.checks("date-time")
def is_utc(value: object) -> bool:
    return not isinstance(value, str) or ZULU.fullmatch(value) is not None


@cache
def document(*, closed: bool = False) -> dict[str, Any]:
    """The document; ``closed``: with responses that may hold no field which it does not name."""
    found = deepcopy(made())
    if closed:
        for name, shape in found["components"]["schemas"].items():
            if "properties" in shape and name != "Problem":
                shape.setdefault("additionalProperties", False)
    return found


def validator(pointer: str, *, closed: bool = False) -> Draft202012Validator:
    """A validator for the part of the document at this JSON pointer."""
    return Draft202012Validator(
        {**document(closed=closed), "$ref": f"#{pointer}"}, format_checker=formats
    )


def operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The template of a path and its operation; ``None`` for what is not documented."""
    for template, operations in document()["paths"].items():
        pattern = template.replace("{token}", "[A-Za-z0-9._~-]+")
        pattern = re.sub(r"\{[^}]+\}", "[A-Za-z0-9_-]{1,40}", pattern)
        if re.fullmatch(pattern, path.partition("?")[0]) and method.lower() in operations:
            return template, operations[method.lower()]
    return None


def check_headers(promised: dict[str, Any], response: Any) -> None:
    """Assert of what a caller's program counts with that it is promised, and what it says."""
    for name in COUNTED:
        if name in response:
            value = response[name]
            assert name in promised, f"{response.status_code} does not promise {name}"
            assert value.isdecimal(), value
            assert int(value) >= promised[name]["schema"]["minimum"]
    assert (response.status_code == 429) == ("Retry-After" in response)


def check(method: str, path: str, response: Any) -> None:
    """Assert that this answer is one that the document promises."""
    found = operation("get" if method == "HEAD" else method, path)
    if found is None:
        return
    template, promised = found
    status = str(response.status_code)
    assert status in promised["responses"], f"{method} {template} does not promise {status}"
    check_headers(promised["responses"][status].get("headers", {}), response)
    content = promised["responses"][status].get("content")
    if content is None or method == "HEAD":
        assert (b"".join(response) if response.streaming else response.content) == b""
        return
    media = response["Content-Type"]
    assert media in content, f"{method} {template} {status} does not promise {media}"
    if media.partition(";")[0] not in {"application/json", "application/problem+json"}:
        return
    escaped = template.replace("~", "~0").replace("/", "~1")
    pointer = (
        f"/paths/{escaped}/{method.lower()}/responses/{status}"
        f"/content/{media.replace('/', '~1')}/schema"
    )
    validator(pointer, closed=True).validate(response.json())
