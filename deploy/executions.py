"""List the unfinished executions of a durable function, and the versions they run on."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.explained_errors import is_missing

UNFINISHED = ["RUNNING", "PAUSING", "PAUSED"]
PAGE = 1000
NAMED = 5  # in a sentence


@dataclass(frozen=True)
class Unfinished:
    """The unfinished executions of a function: their names by version."""

    function: str
    names: dict[str, list[str]]

    @property
    def many(self) -> int:
        return sum(map(len, self.names.values()))

    def __str__(self) -> str:
        """``3 unfinished executions of <function>, on version 4 (LOAN-1-1, ...)``."""
        versions = ", ".join(
            f"version {version} ({_some(names)})" for version, names in self.names.items()
        )
        plural = "" if self.many == 1 else "s"
        return f"{self.many} unfinished execution{plural} of {self.function}, on {versions}"


def unfinished(client: Any, function: str) -> Unfinished:
    """List all of them, page by page, oldest first. Raises ``ClientError``."""
    names: dict[str, list[str]] = defaultdict(list)
    pages = client.get_paginator("list_durable_executions_by_function").paginate(
        FunctionName=function, Statuses=UNFINISHED, ReverseOrder=True, MaxItems=PAGE
    )
    try:
        for page in pages:
            for execution in page["DurableExecutions"]:
                version = execution["FunctionArn"].rpartition(":")[2]
                names[version].append(execution["DurableExecutionName"])
    except ClientError as error:
        if not is_missing(error):  # a function that is not there has none
            raise
    return Unfinished(function, dict(names))


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
