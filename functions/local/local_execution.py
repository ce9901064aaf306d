"""Keep with an execution whether an invocation is under way, and how many died with the process.

The testing SDK's ``Execution`` says nothing of either, because its invocation state is never
stored. Both are stored in the execution's own row, with the same write.
"""

from typing import Any, Self, cast, override

from aws_durable_execution_sdk_python_testing.execution import Execution


class LocalExecution(Execution):
    """An execution that knows what was under way in it when its process died."""

    is_invoked: bool = False
    deaths: int = 0  # of processes in a row, each during one of its invocations

    @override
    def to_json_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return {**super().to_json_dict(), "IsInvoked": self.is_invoked, "Deaths": self.deaths}

    @classmethod
    @override
    def from_json_dict(cls, data: dict[str, Any]) -> Self:
        """Read what was stored."""
        execution = cast("Self", super().from_json_dict(data))
        execution.is_invoked = bool(data.get("IsInvoked", False))
        execution.deaths = int(data.get("Deaths", 0))
        return execution
