"""Retries are bounded, and only for temporary errors."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.retries import LONGEST, MOST, pause_before_retry

ROLE = "The role defined for the function cannot be assumed by Lambda."
BUSY = "The operation cannot be performed at this time. An update is in progress for resource"


def pause(operation: str, code: str, message: str, *, attempts: int = 1) -> Any:
    return pause_before_retry(
        response=(None, {"Error": {"Code": code, "Message": message}}),
        operation=SimpleNamespace(name=operation),
        attempts=attempts,
        caught_exception=None,
    )


def test_pauses_grow_and_end_within_minutes() -> None:
    pauses = [
        pause("CreateFunction", "InvalidParameterValueException", ROLE, attempts=attempts)
        for attempts in range(1, MOST + 2)
    ]
    assert pauses == [1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST, None]


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("CreateFunction", "InvalidParameterValueException", "memorySize is too large"),
        ("CreateFunction", "ResourceConflictException", "Function already exist: x"),
        ("CreateAlias", "ResourceConflictException", "Alias already exists: x"),
        ("DeleteFunction", "ResourceConflictException", "an alias references it"),
        ("UpdateFunctionCode", "InvalidParameterValueException", ROLE),
        ("UpdateFunctionCode", "AccessDeniedException", BUSY),
    ],
)
def test_what_waiting_does_not_help_is_not_waited_for(
    operation: str, code: str, message: str
) -> None:
    assert pause(operation, code, message) is None


def test_answer_that_is_no_error_and_no_answer_at_all_are_left_to_botocore() -> None:
    operation = SimpleNamespace(name="CreateFunction")
    assert pause_before_retry(response=None, operation=operation, attempts=1) is None
    assert pause_before_retry(response=(None, {}), operation=operation, attempts=1) is None
