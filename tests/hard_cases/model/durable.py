"""The durable SDK as the workflow sees it, one operation at a time and without threads.

What the workflow's own code does with the context (steps, callbacks, the parallel block) is
answered from checkpoints, as the SDK does on a replay; an operation that has none runs, and
then the invocation ends. So every order of operations, crashes and repeats can be had by
choosing who is invoked next. The real SDK carries the same code in ``tests/functions``.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from aws_durable_execution_sdk_python import CallbackTimeoutError, StepError
from aws_durable_execution_sdk_python.concurrency.models import (
    BatchItem,
    BatchItemStatus,
    BatchResult,
)
from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from core.errors import DomainError
from workflows.errors import (
    AnswerDiffers,
    EngineError,
    NotApproved,
    PayoutRefused,
    PayoutUnknown,
    ProviderError,
)

# What a body may raise; anything else is a fault that the workflow would hide as an incident.
EXPECTED = (
    AnswerDiffers,
    DomainError,
    EngineError,
    NotApproved,
    PayoutRefused,
    PayoutUnknown,
    ProviderError,
)


class Suspended(BaseException):
    """The invocation ends here; the next one begins with the checkpoints."""


@dataclass
class Checkpoint:
    """Result of a step."""

    result: str = "null"
    error: ErrorObject | None = None


@dataclass
class Callback:
    """``status`` is ``open``, ``succeeded`` or ``timed out``."""

    id: str
    name: str
    status: str = "open"
    answer: str | None = None

    @property
    def callback_id(self) -> str:
        return self.id

    def result(self) -> str | None:
        if self.status == "open":
            raise Suspended
        if self.status == "timed out":
            raise CallbackTimeoutError(message="Callback timed out")
        return self.answer


@dataclass
class DurableExecution:
    """State of one execution in the engine."""

    name: str
    arn: str
    payload: dict[str, Any]
    started_at: datetime
    status: str = "RUNNING"
    ended_at: datetime | None = None
    result: str | None = None
    error: dict[str, str] | None = None
    paused: bool = False
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    callbacks: dict[str, Callback] = field(default_factory=dict)
    # The bodies that ran, to be run again at any later time.
    bodies: dict[str, Callable[[], object]] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        return self.status == "RUNNING" and not self.paused


class Context:
    """One invocation. It runs at most one operation that has no checkpoint yet.

    ``forgetful``: the process dies between the body and its checkpoint.
    """

    def __init__(
        self, execution: DurableExecution, surprises: list[Exception], *, forgetful: bool = False
    ) -> None:
        self.execution = execution
        self.surprises = surprises
        self.forgetful = forgetful
        self.has_run = False
        self.logger = logging.getLogger(__name__)
        self.lambda_context = None
        self.execution_context = SimpleNamespace(durable_execution_arn=execution.arn)

    def step(self, func: Callable[[Any], Any], name: str, config: Any) -> Any:
        known = self.execution.checkpoints.get(name)
        if known is None:
            if self.has_run:
                raise Suspended
            self.has_run = True
            known = self._run(func, name, config)
        if known.error is not None:
            raise StepError(message=known.error.message, error_type=known.error.type)
        return json.loads(known.result)

    def _run(self, func: Callable[[Any], Any], name: str, config: Any) -> Checkpoint:
        self.execution.bodies[name] = lambda: func(None)
        checkpoint = Checkpoint()
        try:
            checkpoint.result = json.dumps(func(None))
        except Exception as error:
            if not isinstance(error, EXPECTED):
                self.surprises.append(error)
            if self._is_over():
                raise Suspended from error
            self.execution.tries[name] += 1
            if config.retry_strategy(error, self.execution.tries[name]).should_retry:
                raise Suspended from error
            checkpoint.error = ErrorObject.from_exception(error)
        if self._is_over():
            raise Suspended
        self.execution.checkpoints[name] = checkpoint
        return checkpoint

    def _is_over(self) -> bool:
        """Return whether checkpoints are refused: the process died or was stopped."""
        return self.forgetful or self.execution.status != "RUNNING"

    def create_callback(self, name: str, config: Any) -> Callback:  # noqa: ARG002 - as the SDK's
        known = self.execution.callbacks.get(name)
        if known is None:
            known = Callback(id=f"{self.execution.name}/{name}", name=name)
            self.execution.callbacks[name] = known
        return known

    def parallel(self, branches: Sequence[Any], name: str, config: Any) -> Any:  # noqa: ARG002
        items: list[BatchItem[Any]] = []
        for index, branch in enumerate(branches):
            try:
                result = branch.func(self)
            except StepError as error:
                failed = ErrorObject.from_exception(error)
                items.append(BatchItem(index, BatchItemStatus.FAILED, error=failed))
            else:
                items.append(BatchItem(index, BatchItemStatus.SUCCEEDED, result=result))
        return BatchResult.from_items(items, config.completion_config)
