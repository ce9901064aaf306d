"""Turn errors of AWS into a sentence that says what to do, instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

MISSING = frozenset(
    {
        "NoSuchEntity",
        "ResourceNotFound",  # CloudWatch
        "ResourceNotFoundException",
    }
)


@contextmanager
def explained(what: str, *, advice: str) -> Iterator[None]:
    """Raise ``ClickException`` with ``<what>: <why>. <advice>`` for an error of AWS."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ClickException(f"{what}: {error}\n{advice}") from error


def is_missing(error: ClientError) -> bool:
    return code_of(error) in MISSING


def code_of(error: ClientError) -> Any:
    return error.response.get("Error", {}).get("Code")
