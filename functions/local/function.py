"""Functions as the engine serves them: names, ARNs and the context of an invocation."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aws_durable_execution_sdk_python_testing.exceptions import (
    InvalidParameterValueException,
    ResourceNotFoundException,
)

from functions.local import limits
from functions.local.errors import ApiError, EngineError

ACCOUNT = "123456789012"
DEFAULT_REGION = "us-west-2"
LATEST = "$LATEST"
LATEST_PUBLISHED = "$LATEST.PUBLISHED"

type Handler = Callable[[Any, Any], Any]

# botocore's NamespacedFunctionName.
_FUNCTION_NAME = re.compile(
    r"(?P<arn>arn:(aws[a-zA-Z-]*)?:lambda:)?"
    r"((?P<region>(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}):)?"
    r"((?P<account>\d{12}):)?(function:)?"
    r"(?P<name>[a-zA-Z0-9-_\.]+)"
    r"(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True)
class Function:
    """A function the engine serves.

    ``versions`` are its published versions, by number; none means that its code is published
    once, as version 1. ``aliases`` say which version each of them points at.
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
    versions: Mapping[str, Handler] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=lambda: {"live": LATEST})

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
        for alias, version in self.aliases.items():
            if version not in {LATEST, *self.published}:
                raise EngineError(f"Alias {alias} points at {version}, which is no version.")

    @property
    def published(self) -> Mapping[str, Handler]:
        """The code of each published version."""
        return self.versions or {"1": self.handler}

    def version_of(self, qualifier: str) -> str | None:
        """Return the version that a qualifier stands for; ``None`` when there is none."""
        if qualifier == LATEST_PUBLISHED:
            return max(self.published, key=int)
        version = self.aliases.get(qualifier, qualifier)
        return version if version in {LATEST, *self.published} else None


@dataclass(frozen=True)
class FunctionName:
    """A function and the alias or version it was called by, if any."""

    name: str
    qualifier: str = LATEST
    is_qualified: bool = True

    @property
    def identifier(self) -> str:
        """``name:qualifier``, or the name alone if it was called by that."""
        return f"{self.name}:{self.qualifier}" if self.is_qualified else self.name

    def arn(self, region: str) -> str:
        """The ARN as invoked."""
        return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.identifier}"


@dataclass(frozen=True)
class Target:
    """A function of the engine and one of its versions, found by a name."""

    name: FunctionName
    function: Function
    version: str

    @property
    def handler(self) -> Handler:
        """The code of this version."""
        return self.function.published.get(self.version, self.function.handler)

    def execution_arn(self, region: str, execution_name: str) -> str:
        """Make a new ARN for an execution of this version."""
        return (
            f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.name.name}:{self.version}"
            f"/durable-execution/{execution_name}/{uuid.uuid4()}"
        )

    def check_can_start(self) -> None:
        """Raise for a durable function that was called by its name alone."""
        if self.function.durable and not self.name.is_qualified:
            raise InvalidParameterValueException(
                "You cannot invoke a durable function using an unqualified ARN."
            )


def find_function(functions: Mapping[str, Function], name: FunctionName, region: str) -> Target:
    """Return what a name stands for; raise ``ResourceNotFoundException`` if it is nothing."""
    function = functions.get(name.name)
    version = function.version_of(name.qualifier) if function else None
    if function is None or version is None:
        raise ResourceNotFoundException(f"Function not found: {name.arn(region)}")
    return Target(name, function, version)


def parse_function_name(text: str, region: str, qualifier: str | None = None) -> FunctionName:
    """Parse a plain name, ``name:qualifier``, or a partial or full ARN.

    Raises as AWS does when it is none of these, when it is of another account or region, or when
    it names another qualifier than the separate parameter does.
    """
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None or (match["arn"] and not (match["region"] and match["account"])):
        raise InvalidParameterValueException(f"Invalid function name: {text}")
    if match["account"] not in {None, ACCOUNT}:
        raise ApiError(
            403,
            "AccessDeniedException",
            f"Not authorized to perform this action on resource: {text} because no "
            "resource-based policy allows it",
        )
    if match["region"] not in {None, region}:
        raise ResourceNotFoundException(
            f"Functions from '{match['region']}' are not reachable in this region ('{region}')"
        )
    in_name = match["qualifier"]
    if in_name and qualifier and in_name != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    chosen = in_name or qualifier
    return FunctionName(match["name"], chosen or LATEST, is_qualified=chosen is not None)


@dataclass(frozen=True)
class Client:
    """The part of a client context that describes the application of the caller."""

    installation_id: Any = None
    app_title: Any = None
    app_version_name: Any = None
    app_version_code: Any = None
    app_package_name: Any = None


@dataclass(frozen=True)
class ClientContext:
    """A caller's words about itself, with the names of Lambda's Python runtime."""

    custom: Any = None
    env: Any = None
    client: Client | None = None

    @classmethod
    def from_dict(cls, sent: Mapping[str, Any]) -> Self:
        """Read what was sent; members that Lambda does not know are left out."""
        client, known = sent.get("client"), Client.__dataclass_fields__
        return cls(
            sent.get("custom"),
            sent.get("env"),
            Client(**{name: client[name] for name in known if name in client})
            if isinstance(client, dict)
            else None,
        )


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
    client_context: ClientContext | None = None
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
    target: Target,
    region: str,
    *,
    request_id: str | None = None,
    tenant_id: str | None = None,
    client_context: ClientContext | None = None,
) -> LocalContext:
    """Make the context of one invocation; the attempts of one event share a request id."""
    return LocalContext(
        function_name=target.name.name,
        function_version=target.version,
        invoked_function_arn=target.name.arn(region),
        timeout_seconds=target.function.timeout_seconds,
        aws_request_id=request_id or str(uuid.uuid4()),
        tenant_id=tenant_id,
        client_context=client_context,
    )
