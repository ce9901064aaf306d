"""Carry an application through its durable steps; only their order is defined here.

What each step does is in ``workflows.steps``. Everything here is replayed from the start at each
resume, so it is deterministic: every reading of a clock or a table and every side effect is
inside a step. Renaming or reordering an operation would break suspended executions; they
therefore stay on the version that they started on.

An approved application with a manager's decision costs twelve operations: validate, the
parallel block and its bureaus, risk, two for the manager's decision, two for the fraud
check, offer, disburse.
"""

import functions.setup  # noqa: F401, I001 - Django first

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any, NoReturn

from aws_durable_execution_sdk_python import (
    CallbackTimeoutError,
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.retries import RetryDecision

from django.conf import settings

from applications.errors import ApplicationClosed
from applications.services.attempts import Attempt
from audit.tracing import execution_name, request_id
from applications.choices import Bureau, FraudVerdict, Status
from lending.choices import Outcome
from reviews.choices import TaskKind
from core.errors import DomainError
from workflows.executions import Closed
from workflows.handover import give_up
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.models import Incident
from workflows.steps import credit, fraud, offer, payout, review, risk, validation
from workflows.steps.risk import Assessed
from workflows.steps.validation import Validated

BUREAU_ATTEMPTS = 3
# Errors that a retry cannot repair: the domain refuses, or a person has to act.
FINAL: tuple[type[Exception], ...] = (DomainError, PayoutRefused, PayoutUnknown)


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
    completion_config=CompletionConfig.all_completed(),  # type: ignore[no-untyped-call]
    nesting_type=NestingType.FLAT,
)


# A bureau that stays down has no report; the risk step also finds a closed application.
LEFT_TO_RISK_STEP = {ProviderError.__name__, ApplicationClosed.__name__}


class NeedsAttention(Exception):
    """The application was handed to Operations, so the execution fails in the engine, too."""


class Ended(Exception):
    """The application closed, or the execution gave up; ``closed`` says how."""

    def __init__(self, closed: Closed) -> None:
        self.closed = closed
        super().__init__(closed.status)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Carry one attempt of an application. ``event``: ``{"application", "attempt", "request_id"}``.

    Returns ``{"status": ...}``: the application's final status, or ``superseded`` when
    the application was closed meanwhile. Raises ``NeedsAttention`` or ``StepError`` after handing a
    stuck application over.
    """
    attempt = Attempt(reference=event["application"], number=event["attempt"])
    flow = Workflow(attempt, context, request=event.get("request_id", ""))
    try:
        return asdict(carry(attempt, flow))
    except Ended as ended:
        if ended.closed.status == Status.NEEDS_ATTENTION:
            raise NeedsAttention(f"{attempt.name} needs attention: see its incident") from ended
        return asdict(ended.closed)
    except StepError as error:
        if kind_of(error) == ApplicationClosed.__name__:
            return {"status": "superseded"}
        kind, sentence = incident_kind(error), f"The workflow failed: {error}"
        flow.step("needs_attention", lambda: give_up(attempt, kind=kind, sentence=sentence))
        raise


def carry(attempt: Attempt, flow: "Workflow") -> Closed:
    """Run the steps of the workflow in their order."""
    validated = Validated(
        **flow.step("validate", lambda: validation.validate(attempt, arn=flow.arn))
    )
    if not validated.valid:
        return Closed(status="declined")
    flow.credit_check()
    assessed = Assessed(**flow.step("risk_assessment", lambda: risk.assess_risk(attempt)))
    if assessed.outcome == Outcome.DECLINE:
        return Closed(status="declined")

    if assessed.outcome == Outcome.REFER:
        flow.ask_person(TaskKind.MANAGER_APPROVAL, validated)

    verdict = flow.fraud_check(validated)
    if verdict == FraudVerdict.FLAGGED:
        flow.ask_person(TaskKind.FRAUD_REVIEW, validated)

    flow.step("generating_offer", lambda: offer.generate_offer(attempt, verdict=verdict))
    if TaskKind.OFFER_ACCEPTANCE in validated.waits:
        flow.ask_person(TaskKind.OFFER_ACCEPTANCE, validated)
    return Closed(**flow.step("disbursing", lambda: payout.disburse(attempt)))


class Workflow:
    """The operations of the workflow, made of the SDK's operations."""

    def __init__(self, attempt: Attempt, context: DurableContext, *, request: str) -> None:
        self.attempt = attempt
        self.context = context
        self.request = request
        self.arn = context.execution_context.durable_execution_arn
        self.asked: TaskKind | None = None  # the next step marks its answer as delivered

    def step(self, name: str, body: Callable[[], Any], config: StepConfig = STEP) -> Any:
        """Run a body once and checkpoint what it returned, as plain JSON."""
        return self._step(self.context, name, body, config)

    def _step(
        self, context: DurableContext, name: str, body: Callable[[], Any], config: StepConfig
    ) -> Any:
        def traced(_: StepContext) -> Any:
            # The SDK runs bodies in its own threads, which inherit no context variables.
            execution_name.set(self.attempt.name)
            request_id.set(self.request)
            value = body()
            return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

        return context.step(traced, name=name, config=config)

    def credit_check(self) -> None:
        """Request all credit reports in parallel; each branch retries by itself.

        A bureau that stays down is left to the risk step, which finds no report of it.
        Any other failure of a branch fails the execution.
        """

        def branch(bureau: Bureau) -> ParallelBranch[str]:
            def pull(child: DurableContext) -> str:
                try:
                    self._step(
                        child,
                        bureau.value,
                        lambda: credit.pull_report(self.attempt, bureau),
                        BUREAU_STEP,
                    )
                except StepError as error:
                    if kind_of(error) not in LEFT_TO_RISK_STEP:
                        raise
                    child.logger.warning("No report", extra={"bureau": bureau.value})
                    return "unavailable"
                return "reported"

            return ParallelBranch(func=pull, name=bureau.value)

        results = self.context.parallel(
            [branch(bureau) for bureau in Bureau], name="credit_check", config=ALL_BUREAUS
        )
        errors = [error.message for error in results.get_errors() if error is not None]
        if errors:
            sentence = f"The credit check failed: {'; '.join(map(str, errors))}"
            self.give_up(Incident.Kind.WORKFLOW_FAILED, sentence)

    def ask_person(self, kind: TaskKind, validated: Validated) -> None:
        """Suspend until a person has approved; a decline or a timeout ends the execution."""
        callback = self.context.create_callback(
            name=kind.value,
            config=CallbackConfig(
                timeout=Duration.from_seconds(
                    validated.waits[kind] + settings.LOANOFFICE_DELIVERY_GRACE.total_seconds()
                )
            ),
        )
        after, self.asked = self.asked, kind
        self.step(
            f"open_{kind.value}",
            lambda: review.open_review(
                self.attempt, kind, callback_id=callback.callback_id, after=after
            ),
        )
        try:
            outcome = _answer(callback.result())["outcome"]
        except CallbackTimeoutError:
            self.end("expired", lambda: review.expire(self.attempt, kind, timed_out=True))
        if outcome == "expired":
            self.end("expired", lambda: review.expire(self.attempt, kind, timed_out=False))
        if outcome != Outcome.APPROVE:
            self.end("declined", lambda: review.decline(self.attempt, kind))

    def fraud_check(self, validated: Validated) -> FraudVerdict:  # noqa: RET503 - giving up never returns
        """Request the fraud check, again after each timeout; give up after the last attempt."""
        after, self.asked = self.asked, None
        for number in range(1, validated.fraud_check_attempts + 1):
            try:
                return self._ask_fraud_service(number, validated.fraud_check_timeout, after)
            except CallbackTimeoutError:
                self.context.logger.warning("The fraud check did not answer")
        self.give_up(
            Incident.Kind.FRAUD_UNANSWERED,
            f"The fraud check was asked {validated.fraud_check_attempts} times and did not answer.",
        )

    def _ask_fraud_service(self, number: int, timeout: int, after: TaskKind | None) -> FraudVerdict:
        """Request the fraud check once. Raises ``CallbackTimeoutError``."""
        name = f"fraud_check-{number}"
        longest, config = fraud_wait(timeout)
        callback = self.context.create_callback(name=name, config=config)
        answered = self.step(
            f"request_{name}",
            lambda: fraud.request_fraud_check(
                self.attempt,
                callback_id=callback.callback_id,
                number=number,
                timeout=longest,
                after=after,
            ),
        )
        return FraudVerdict((answered or _answer(callback.result()))["result"])

    def give_up(self, kind: Incident.Kind, sentence: str) -> NoReturn:
        """Hand the application to Operations and end the execution."""
        self.end("needs_attention", lambda: give_up(self.attempt, kind=kind, sentence=sentence))

    def end(self, name: str, body: Callable[[], Closed]) -> NoReturn:
        """Run the last step of an execution that ends early, then end it."""
        raise Ended(Closed(**self.step(name, body)))


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


def kind_of(error: StepError) -> str:
    """Return the class name of a step's error; the checkpoint has it with its module."""
    return error.error_type.rpartition(".")[2]


def incident_kind(error: StepError) -> Incident.Kind:
    """Return the kind of incident for a step's final error."""
    kinds = {
        PayoutRefused.__name__: Incident.Kind.PAYOUT_REFUSED,
        PayoutUnknown.__name__: Incident.Kind.PAYOUT_UNKNOWN,
    }
    return kinds.get(kind_of(error), Incident.Kind.WORKFLOW_FAILED)


def _answer(raw: str | None) -> dict[str, Any]:
    answer = json.loads(raw or "{}")
    if not isinstance(answer, dict):
        raise TypeError(f"an answer is a JSON object, not {raw!r}")
    return answer
