"""What went wrong, in a sentence that says what to do, instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

MISSING = frozenset({"ResourceNotFoundException", "NoSuchEntity"})


@contextmanager
def told(what: str, *, mend: str) -> Iterator[None]:
    """Turn what AWS answers, or does not, into ``<what>: <why>. <mend>``."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ClickException(f"{what}: {error}\n{mend}") from error


def is_missing(error: ClientError) -> bool:
    return code_of(error) in MISSING


def code_of(error: ClientError) -> Any:
    return error.response.get("Error", {}).get("Code")
