"""Keep with an execution what the testing SDK's ``Execution`` does not know.

Whether it was started as an event, whether an invocation is under way and since when, how those
that failed did, how many died with the process, and how much its checkpoints have written. It is
stored in the execution's own row, with the same write.
"""

from datetime import UTC, datetime
from typing import Any, Self, cast, override

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.execution import Execution


class LocalExecution(Execution):
    """An execution that knows what was under way when its process died, and what it wrote."""

    is_event: bool = False
    is_invoked: bool = False
    invoked_at: datetime | None = None
    deaths: int = 0  # of processes in a row, each during one of its invocations
    written_bytes: int = 0  # payloads and errors of all its checkpoints

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # By request id; an invocation that ended well has none.
        self.invocation_errors: dict[str, dict[str, Any]] = {}
        # Of the functions that it invoked, by operation.
        self.chained_versions: dict[str, str] = {}

    def record_failed_invocation(self, ended: datetime, error: ErrorObject) -> None:
        """Record the invocation that is under way as one that failed."""
        request_id = self.current_invocation_id
        self.record_invocation_completion(self.invoked_at or ended, ended, request_id)
        self.invocation_errors[request_id] = dict(error.to_dict())

    @override
    def to_json_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            **super().to_json_dict(),
            "IsEvent": self.is_event,
            "IsInvoked": self.is_invoked,
            "InvokedAt": self.invoked_at.timestamp() if self.invoked_at else None,
            "InvocationErrors": self.invocation_errors,
            "ChainedVersions": self.chained_versions,
            "Deaths": self.deaths,
            "WrittenBytes": self.written_bytes,
        }

    @classmethod
    @override
    def from_json_dict(cls, data: dict[str, Any]) -> Self:
        """Read what was stored."""
        execution = cast("Self", super().from_json_dict(data))
        execution.is_event = bool(data.get("IsEvent", False))
        execution.is_invoked = bool(data.get("IsInvoked", False))
        if (invoked_at := data.get("InvokedAt")) is not None:
            execution.invoked_at = datetime.fromtimestamp(invoked_at, UTC)
        execution.invocation_errors = dict(data.get("InvocationErrors", {}))
        execution.chained_versions = dict(data.get("ChainedVersions", {}))
        execution.deaths = int(data.get("Deaths", 0))
        execution.written_bytes = int(data.get("WrittenBytes", 0))
        return execution
