"""Retry calls that AWS refuses temporarily, for our calls and for Zappa's own.

A new role is not visible to Lambda at once, and a function takes one update at a time.
"""

from typing import Any

import click

MOST = 8  # retries, about two minutes
LONGEST = 30  # seconds
ONE_AT_A_TIME = frozenset({"UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"})
WITH_A_ROLE = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})


def retry_temporary_errors(client: Any) -> None:
    """Make a boto3 Lambda client retry where waiting helps, whoever calls it."""
    client.meta.events.register("needs-retry.lambda", pause_before_retry, unique_id="patience")


def pause_before_retry(
    *,
    response: tuple[Any, dict[str, Any]] | None,
    operation: Any,
    attempts: int,
    **_: Any,
) -> int | None:
    """Return the seconds that botocore waits before a retry; None for no retry."""
    if response is None or attempts > MOST:
        return None
    why = _temporary_reason(operation.name, response[1].get("Error", {}))
    if why is None:
        return None
    seconds = min(2 ** (attempts - 1), LONGEST)
    click.echo(f"{operation.name}: {why}; trying again in {seconds} s.")
    return int(seconds)


def _temporary_reason(operation: str, error: dict[str, str]) -> str | None:
    """The reason why AWS is not ready; None when waiting does not help."""
    code, message = error.get("Code"), error.get("Message", "")
    if code == "ResourceConflictException" and operation in ONE_AT_A_TIME:
        return "another update is in progress"
    if (
        code == "InvalidParameterValueException"
        and operation in WITH_A_ROLE
        and "role" in message.lower()
    ):
        return "Lambda does not see the role yet"
    return None
