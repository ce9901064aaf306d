"""Render the OpenAPI document for people, as plain HTML.

Rendered here and not by a bundle in the browser: those write styles into the page, which the
content security policy forbids, and show nothing without scripts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.once import once
from partners.api.schema_view import document
from partners.api.serializers import NOT_BLANK

LONGEST_PATTERN = 40  # characters; a longer pattern is described in words
LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "pattern": "like {}",
}


@dataclass(frozen=True)
class Field:
    """One field of a body: ``name`` is its path, as in ``decision.reasons[].code``."""

    name: str
    kind: str
    is_required: bool
    text: str
    limits: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True)
class Body:
    media_type: str
    fields: tuple[Field, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Answer:
    status: str
    title: str
    text: str
    headers: tuple[Field, ...]
    bodies: tuple[Body, ...]

    @property
    def is_problem(self) -> bool:
        return self.status.isdigit() and self.status >= "4"


@dataclass(frozen=True)
class Operation:
    """One operation. ``who`` are the ways to authenticate; one of them is enough."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    who: tuple[str, ...]
    parameters: tuple[tuple[str, Field], ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Group:
    name: str
    text: str
    operations: tuple[Operation, ...]


@require_safe
def reference_view(request: HttpRequest) -> HttpResponse:
    """Render the page, for anybody; it is the same for everybody."""
    found = document()
    return render(
        request,
        "partners/api/docs_page.html",
        {"info": found["info"], "groups": groups(), "webhooks": webhooks()},
    )


@once
def groups() -> tuple[Group, ...]:
    """Group the operations by their tag, in the document's order."""
    made = [
        _operation(path, method, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    tagged = {
        operation["operationId"]: operation["tags"][0]
        for methods in document()["paths"].values()
        for operation in methods.values()
    }
    return tuple(
        Group(
            name=tag["name"],
            text=tag.get("description", ""),
            operations=tuple(one for one in made if tagged[one.name] == tag["name"]),
        )
        for tag in document()["tags"]
    )


@once
def webhooks() -> tuple[Operation, ...]:
    """Read the webhooks, when the document names them."""
    return tuple(
        _operation(name, method, operation)
        for name, methods in document().get("webhooks", {}).items()
        for method, operation in methods.items()
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        name=operation.get("operationId", path),
        method=method.upper(),
        path=path,
        summary=operation.get("summary", path),
        text=operation.get("description", ""),
        who=tuple(_who(way) for way in operation.get("security", [])),
        parameters=tuple(
            (given["in"], _named(given, given["name"])) for given in operation.get("parameters", [])
        ),
        bodies=_bodies(operation.get("requestBody", {})),
        answers=tuple(
            _answer(status, answer) for status, answer in sorted(operation["responses"].items())
        ),
    )


def _who(way: dict[str, list[str]]) -> str:
    scopes = [scope for asked in way.values() for scope in asked]
    if scopes:
        return f"a partner's key with the scope `{', '.join(scopes)}`"
    if not way:
        return "anybody"
    return "a member of staff who is signed in" + (
        " and sends the CSRF token" if "csrfToken" in way else ""
    )


def _answer(status: str, answer: dict[str, Any]) -> Answer:
    return Answer(
        status=status,
        title=HTTPStatus(int(status)).phrase if status.isdigit() else "",
        text=answer.get("description", ""),
        headers=tuple(_named(given, name) for name, given in answer.get("headers", {}).items()),
        bodies=_bodies(answer),
    )


def _bodies(holder: dict[str, Any]) -> tuple[Body, ...]:
    return tuple(
        Body(
            media_type=media_type,
            fields=tuple(_fields(content["schema"])),
            examples=tuple(
                Example(
                    title=example.get("summary", name),
                    text=json.dumps(example["value"], indent=2, ensure_ascii=False),
                )
                for name, example in _examples(content)
            ),
        )
        for media_type, content in holder.get("content", {}).items()
    )


def _examples(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from content.get("examples", {}).items()
    if "example" in content:
        yield "One", {"value": content["example"]}


def _named(given: dict[str, Any], name: str) -> Field:
    """A parameter or a header."""
    return _field(
        name,
        given.get("schema", {}),
        is_required=given.get("required", False),
        text=given.get("description", ""),
    )


def _fields(shape: dict[str, Any], within: str = "") -> Iterator[Field]:
    """The fields of a body's shape, each followed by those inside of it."""
    resolved, _ = _resolved(shape)
    if "items" in resolved and not within:
        yield from _fields(resolved["items"], "[]")
        return
    for name, inner in resolved.get("properties", {}).items():
        path = f"{within}.{name}" if within else name
        yield _field(path, inner, is_required=name in resolved.get("required", []))
        held, _ = _resolved(inner)
        if "items" in held:
            yield from _fields(held["items"], f"{path}[]")
        elif "properties" in held:
            yield from _fields(held, path)


def _field(name: str, shape: dict[str, Any], *, is_required: bool, text: str = "") -> Field:
    resolved, may_be_null = _resolved(shape)
    kinds = resolved.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if "null" in resolved.get("type", []) or may_be_null:
        kinds = [*kinds, "null"]
    choices = resolved.get("enum", [resolved["const"]] if "const" in resolved else [])
    limits = [
        template.format(resolved[key])
        for key, template in LIMITS.items()
        if key in resolved and not _is_noise(key, resolved[key])
    ]
    if resolved.get("pattern") == NOT_BLANK:
        limits.append("not blank")
    if "format" in resolved:
        limits.insert(0, resolved["format"])
    return Field(
        name=name,
        kind=" or ".join(kinds),
        is_required=is_required,
        text=text or shape.get("description") or resolved.get("description", ""),
        limits=tuple(limits),
        choices=tuple(str(choice) for choice in choices),
    )


def _is_noise(key: str, value: Any) -> bool:
    """True for what is described in words, or by ``required``."""
    if key == "pattern":
        return value == NOT_BLANK or len(value) > LONGEST_PATTERN
    return bool(key == "minLength" and value == 1)


def _resolved(shape: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A shape without references, and true when null is allowed."""
    may_be_null = False
    while True:
        if "$ref" in shape:
            shape = document()["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
            continue
        several = shape.get("oneOf") or shape.get("allOf")
        if not several:
            return shape, may_be_null
        found = [one for one in several if not _is_null(one)]
        may_be_null = may_be_null or len(found) < len(several)
        if len(found) != 1:
            return shape, may_be_null
        shape = found[0]


def _is_null(shape: dict[str, Any]) -> bool:
    return shape.get("type") == "null" or shape.get("$ref", "").endswith("/NullEnum")
