"""Configure the durable operations of the workflow: retries of steps, and waits of callbacks."""

from collections.abc import Callable

from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    NestingType,
    ParallelConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import RetryDecision
from django.conf import settings

from applications.choices import BUREAU_ATTEMPTS
from core.errors import DomainError
from workflows.errors import AnswerDiffers, NotApproved, PayoutRefused, PayoutUnknown

# Errors that a retry cannot repair: the domain refuses, or a person has to act.
FINAL: tuple[type[Exception], ...] = (
    DomainError,
    PayoutRefused,
    PayoutUnknown,
    AnswerDiffers,
    NotApproved,
)


def retry(attempts: int) -> Callable[[Exception, int], RetryDecision]:
    """Make a retry strategy: 1, 2, 4 ... seconds, up to 60; no retry for ``FINAL`` errors."""

    def decide(error: Exception, attempt: int) -> RetryDecision:
        if isinstance(error, FINAL) or attempt >= attempts:
            return RetryDecision.no_retry()
        return RetryDecision.retry(Duration.from_seconds(min(2 ** (attempt - 1), 60)))

    return decide


STEP = StepConfig(retry_strategy=retry(settings.LOANOFFICE_STEP_ATTEMPTS))
BUREAU_STEP = StepConfig(retry_strategy=retry(BUREAU_ATTEMPTS))
ALL_BUREAUS = ParallelConfig(
    completion_config=CompletionConfig(tolerated_failure_percentage=100),
    nesting_type=NestingType.FLAT,
)


def fraud_wait(timeout: int) -> tuple[int, CallbackConfig]:
    """Return the longest duration of one request, in seconds, and its callback configuration.

    Where heartbeats are accepted, ``timeout`` is the longest time between two of them.
    """
    longest = int(settings.LOANOFFICE_FRAUD_VENDOR_LONGEST.total_seconds())
    if longest <= timeout:
        return timeout, CallbackConfig(timeout=Duration.from_seconds(timeout))
    return longest, CallbackConfig(
        timeout=Duration.from_seconds(longest), heartbeat_timeout=Duration.from_seconds(timeout)
    )
