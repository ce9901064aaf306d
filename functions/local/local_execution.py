"""Keep with an execution what the testing SDK's ``Execution`` does not know.

Whether it was started as an event, whether an invocation is under way, how many died with the
process, and how much its checkpoints have written. It is stored in the execution's own row, with
the same write.
"""

from typing import Any, Self, cast, override

from aws_durable_execution_sdk_python_testing.execution import Execution


class LocalExecution(Execution):
    """An execution that knows what was under way when its process died, and what it wrote."""

    is_event: bool = False
    is_invoked: bool = False
    deaths: int = 0  # of processes in a row, each during one of its invocations
    written_bytes: int = 0  # payloads and errors of all its checkpoints

    @override
    def to_json_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            **super().to_json_dict(),
            "IsEvent": self.is_event,
            "IsInvoked": self.is_invoked,
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
        execution.deaths = int(data.get("Deaths", 0))
        execution.written_bytes = int(data.get("WrittenBytes", 0))
        return execution
