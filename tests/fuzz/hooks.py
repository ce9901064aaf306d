"""Hooks of schemathesis for rules that the schema cannot express; see ``schemathesis.toml``."""

import base64
import json
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode

MONEY = ("loan_amount", "annual_income")
# The lists whose cursors name a row by its number alone.
BY_NUMBER = ("/{reference}/events/", "/{reference}/documents/")


def cursor_of(direction: str, *edge: Any) -> str:
    """A cursor as the lists make them, of a row that need not be there."""
    return base64.urlsafe_b64encode(json.dumps([direction, *edge]).encode()).decode().rstrip("=")


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:
    """Make good what is right by the schema and yet refused, rightly.

    A cursor is opaque, so a text that merely looks like one is none. A JSON number as an amount
    has two decimals at most, which a schema cannot say of a binary float. Which currency loans
    are made in, the lending policy says; which reasons there are to decline, the catalogue.
    """
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "cursor" in (case.query or {}):
        by_number = case.operation.path.endswith(BY_NUMBER)
        edge = (7,) if by_number else ("2026-11-23T09:00:00+00:00", 7)
        case.query["cursor"] = cursor_of("next", *edge)
    if not isinstance(case.body, dict):
        return
    for name in MONEY:
        if isinstance(case.body.get(name), float):
            case.body[name] = 1234.5
    if "currency" in case.body:
        case.body["currency"] = "CAD"
    if case.body.get("approved") is False:
        case.body["reason"] = "The income could not be verified."
    if "reason_code" in case.body:
        case.body["reason_code"] = ""
