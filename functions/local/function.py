"""Functions as the engine serves them: names, ARNs and the context of an invocation."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException
from aws_durable_execution_sdk_python_testing.model import executed_version

from functions.local import limits
from functions.local.errors import ApiError, EngineError

ACCOUNT = "123456789012"
DEFAULT_REGION = "us-west-2"
LATEST = "$LATEST"

type Handler = Callable[[Any, Any], Any]

# botocore's NamespacedFunctionName.
_FUNCTION_NAME = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?"
    r"(?P<name>[a-zA-Z0-9-_\.]+)"
    r"(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True)
class Function:
    """A function the engine serves.

    ``execution_timeout_seconds`` bounds a whole durable execution, ``timeout_seconds``
    one invocation: a durable invocation that takes longer is retried, a plain one
    only sees it in ``get_remaining_time_in_millis``. Raises ``EngineError`` for a period that
    Lambda does not take.
    """

    handler: Handler
    durable: bool = False
    execution_timeout_seconds: int = 30 * 86_400
    retention_days: int = 14
    timeout_seconds: int = 900

    def __post_init__(self) -> None:
        try:
            limits.EXECUTION_SECONDS.check_number(
                self.execution_timeout_seconds, "durableConfig.executionTimeout"
            )
            limits.RETENTION_DAYS.check_number(
                self.retention_days, "durableConfig.retentionPeriodInDays"
            )
        except ApiError as error:
            raise EngineError(f"A function is refused: {error}.") from error


@dataclass(frozen=True)
class FunctionName:
    """A function and the alias or version it was called by."""

    name: str
    qualifier: str = LATEST

    @property
    def version(self) -> str:
        """The version Lambda would report; the engine publishes none."""
        return executed_version(self.qualifier)

    @property
    def identifier(self) -> str:
        """``name``, or ``name:qualifier`` for anything but ``$LATEST``."""
        return self.name if self.qualifier == LATEST else f"{self.name}:{self.qualifier}"

    def arn(self, region: str) -> str:
        """The ARN as invoked."""
        return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.identifier}"

    def execution_arn(self, region: str, execution_name: str) -> str:
        """Make a new ARN for an execution of this function."""
        return (
            f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.name}:{self.version}"
            f"/durable-execution/{execution_name}/{uuid.uuid4()}"
        )


def parse_function_name(text: str, qualifier: str | None = None) -> FunctionName:
    """Parse a plain name, ``name:qualifier``, or a partial or full ARN.

    Raises ``InvalidParameterValueException`` when it is none of these, or when it names
    another qualifier than the separate parameter does.
    """
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None:
        raise InvalidParameterValueException(f"Invalid function name: {text}")
    in_name = match.group("qualifier")
    if in_name and qualifier and in_name != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionName(match.group("name"), in_name or qualifier or LATEST)


@dataclass(frozen=True)
class LocalContext:
    """The Lambda context of one invocation, with a running clock."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    timeout_seconds: int
    aws_request_id: str
    memory_limit_in_mb: str = "1024"
    tenant_id: str | None = None
    client_context: dict[str, Any] | None = None
    identity: dict[str, Any] | None = None
    started: float = field(default_factory=time.monotonic, repr=False)

    @property
    def log_group_name(self) -> str:
        """The log group Lambda would write to."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """The log stream Lambda would write to."""
        return f"[{self.function_version}]{self.aws_request_id}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left before Lambda would end this invocation."""
        left = self.timeout_seconds - (time.monotonic() - self.started)
        return max(0, int(left * 1000))

    def log(self, message: str) -> None:
        """Ignore a message: Lambda's old way to log, which goes nowhere here."""


def context_for(
    function: Function,
    name: FunctionName,
    region: str,
    *,
    request_id: str | None = None,
    tenant_id: str | None = None,
) -> LocalContext:
    """Make the context of one invocation; the attempts of one event share a request id."""
    return LocalContext(
        function_name=name.name,
        function_version=name.version,
        invoked_function_arn=name.arn(region),
        timeout_seconds=function.timeout_seconds,
        aws_request_id=request_id or str(uuid.uuid4()),
        tenant_id=tenant_id,
    )
