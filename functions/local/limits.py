"""AWS's limits that the engine keeps, in one table, each with where it is written.

Most are constraints of AWS's own description of its API, as botocore has it: ``shape`` names one,
and a test compares it. The others are from the words of that description, or from the user guide.
Where older sources differ, these count: the result of a step, for one, could be 256 KB in spring
2026, and can be 1 MB now.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException

from functions.local.errors import broken_constraint, validation_error

MODEL = "botocore 1.44.8"
# Pages of docs.aws.amazon.com/lambda/latest/dg. Of the quotas only what others quote was at hand.
QUOTAS = "gettingstarted-limits, as quoted by others in 2026"
INVOKING = "durable-invoking, a stored copy read on 2026-11-29"

TOO_LARGE = "413 `RequestTooLargeException`"
VALIDATION = "400 `ValidationException`"
INVALID = "400 `InvalidParameterValueException`"
NO_START = "It does not start"

MB = 1024 * 1024


@dataclass(frozen=True)
class Limit:
    """The smallest and the largest length, size or number that AWS takes.

    ``answer`` is what the engine answers beyond it. AWS does not repeat a ``sensitive`` value.
    """

    subject: str
    most: int
    answer: str
    least: int = 0
    pattern: str = ""
    shape: str = ""
    source: str = MODEL
    sensitive: bool = False

    def check_text(self, value: str | bytes, member: str) -> None:
        """Raise AWS's ``ValidationException`` for a text of another length or other characters."""
        if len(value) < self.least:
            self._refuse(value, member, f"have length greater than or equal to {self.least}")
        if len(value) > self.most:
            self._refuse(value, member, f"have length less than or equal to {self.most}")
        if self.pattern and not (isinstance(value, str) and re.fullmatch(self.pattern, value)):
            self._refuse(value, member, f"satisfy regular expression pattern: {self.pattern}")

    def check_number(self, value: int, member: str) -> None:
        """Raise AWS's ``ValidationException`` for a number that is out of range."""
        if value < self.least:
            self._refuse(value, member, f"have value greater than or equal to {self.least}")
        if value > self.most:
            self._refuse(value, member, f"have value less than or equal to {self.most}")

    def check_size(self, size: int, what: str) -> None:
        """Raise ``InvalidParameterValueException`` for more bytes."""
        if size > self.most:
            raise InvalidParameterValueException(
                f"{what} size must be less than or equal to {self.most} bytes."
            )

    def row(self) -> str:
        """Return the line of the table in ``README.md``."""
        least = f"{self.least:,} to " if self.least else ""
        source = f"{self.source}, `{self.shape}`" if self.shape else self.source
        return f"| {self.subject} | {least}{self.most:,} | {source} | {self.answer} |"

    def _refuse(self, value: object, member: str, rule: str) -> NoReturn:
        raise validation_error([broken_constraint(value, member, rule, sensitive=self.sensitive)])


SYNC_PAYLOAD = Limit(
    "Payload of a `RequestResponse`, bytes",
    6 * MB,
    TOO_LARGE,
    source=f"{MODEL}, words on `Payload` of `Invoke`",
)
EVENT_PAYLOAD = Limit(
    "Payload of an `Event`, bytes",
    MB,
    TOO_LARGE,
    source=f"{MODEL}, words on `Payload` of `Invoke`",
)
CLIENT_CONTEXT = Limit(
    "Client context, bytes of base64",
    3583,
    "400 `InvalidRequestContentException`",
    source=f"{MODEL}, words on `ClientContext` of `Invoke`",
)
OPERATION_PAYLOAD = Limit(
    "Payload of a step, context, callback, wait or chained invoke in a checkpoint, bytes",
    MB,
    INVALID,
    source=f"{MODEL}, words on `Payload` of `OperationUpdate`",
)
EVENT_RESULT = Limit(
    "Result of an execution started with `Event`, bytes",
    MB,
    INVALID,
    source=f"{MODEL}, words on `Result` of `GetDurableExecution`",
)
SYNC_RESULT = Limit(
    "Result of an execution started with `RequestResponse`, bytes",
    6 * MB,
    INVALID,
    shape="OperationPayload",
    sensitive=True,
)
ERROR_FIELDS = Limit(
    "All fields of an error together, bytes",
    MB,
    INVALID,
    source=f"{MODEL}, words on `Error` of `OperationUpdate`",
)
CALLBACK_RESULT = Limit(
    "Result of a callback, bytes",
    MB,
    VALIDATION,
    shape="BinaryOperationPayload",
    sensitive=True,
)
EXECUTION_NAME = Limit(
    "Name of an execution, characters",
    64,
    VALIDATION,
    least=1,
    pattern=r"[a-zA-Z0-9-_]+",
    shape="DurableExecutionName",
)
OPERATION_ID = Limit(
    "Id of an operation, characters",
    64,
    VALIDATION,
    least=1,
    pattern=r"[a-zA-Z0-9-_]+",
    shape="OperationId",
)
OPERATION_NAME = Limit(
    "Name of an operation, characters",
    256,
    VALIDATION,
    least=1,
    pattern=r"[\x20-\x7E]+",
    shape="OperationName",
)
OPERATION_SUB_TYPE = Limit(
    "Sub-type of an operation, characters",
    32,
    VALIDATION,
    least=1,
    pattern=r"[a-zA-Z0-9-_]+",
    shape="OperationSubType",
)
WAIT_SECONDS = Limit(
    "Wait, seconds", 31_622_400, VALIDATION, least=1, shape="WaitOptionsWaitSecondsInteger"
)
RETRY_SECONDS = Limit(
    "Delay of a retry, seconds",
    31_622_400,
    VALIDATION,
    least=1,
    shape="StepOptionsNextAttemptDelaySecondsInteger",
)
CALLBACK_SECONDS = Limit(
    "Timeout of a callback, seconds",
    99_999_999,
    VALIDATION,
    shape="CallbackOptionsTimeoutSecondsInteger",
)
HEARTBEAT_SECONDS = Limit(
    "Heartbeat timeout of a callback, seconds",
    99_999_999,
    VALIDATION,
    shape="CallbackOptionsHeartbeatTimeoutSecondsInteger",
)
PAUSE_REASON = Limit(
    "Reason of a pause, characters", 1024, VALIDATION, shape="PauseReason", sensitive=True
)
RESUME_REASON = Limit(
    "Reason of a resume, characters", 1024, VALIDATION, shape="ResumeReason", sensitive=True
)
CLIENT_TOKEN = Limit(
    "Client token, characters",
    64,
    VALIDATION,
    least=1,
    pattern=r"[\x21-\x7E]+",
    shape="ClientToken",
)
PAGE_ITEMS = Limit("Items of a page", 1000, VALIDATION, shape="ItemCount")
OPERATIONS = Limit("Operations of an execution", 3000, INVALID, source=QUOTAS)
WRITTEN = Limit(
    "Data that an execution writes in checkpoints, bytes", 100 * MB, INVALID, source=QUOTAS
)
SYNC_EXECUTION_SECONDS = Limit(
    "Execution timeout of a function that is called with `RequestResponse`, seconds",
    900,
    INVALID,
    source=INVOKING,
)
EXECUTION_SECONDS = Limit(
    "Execution timeout of a function, seconds",
    31_622_400,
    NO_START,
    least=1,
    shape="ExecutionTimeout",
)
RETENTION_DAYS = Limit(
    "Retention period of a function, days", 90, NO_START, least=1, shape="RetentionPeriodInDays"
)

LIMITS = tuple(value for value in list(globals().values()) if isinstance(value, Limit))
