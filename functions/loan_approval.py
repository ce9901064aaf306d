"""Carry an application through its durable steps: their order, and nothing else.

It reads like the table of the workflow. What each step does is in ``workflows.steps``. Everything
here is replayed from the start at each resume, so it is deterministic: every clock, read
and effect is inside a step. Renaming or reordering an operation breaks the executions
that sleep; they stay on the version that they started on.

An approved application with a manager's decision costs twelve operations: validate, the
parallel block and its bureaus, risk, two to ask the manager, two to ask the fraud
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

from applications.errors import CaseClosed
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
# What a retry cannot repair: the domain said no, or a person has to look.
FINAL: tuple[type[Exception], ...] = (DomainError, PayoutRefused, PayoutUnknown)


def retry(attempts: int) -> Callable[[Exception, int], RetryDecision]:
    """1, 2, 4 ... seconds, up to a minute; never for what a retry cannot repair."""

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


# A bureau that stays down has no report; a closed case is found closed again.
LEFT_TO_RISK_STEP = {ProviderError.__name__, CaseClosed.__name__}


class NeedsAttention(Exception):
    """The application was handed to Operations: in the engine, too, this execution has failed."""


class Ended(Exception):
    """The application closed, or the execution gave up; ``closed`` says how."""

    def __init__(self, closed: Closed) -> None:
        self.closed = closed
        super().__init__(closed.status)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Carry one application. ``event``: ``{"application", "attempt", "request_id"}``.

    Returns ``{"status": ...}``: the application's final status, or ``superseded`` when
    the application closed under way. Raises ``NeedsAttention`` or ``StepError`` after handing a
    stuck application over.
    """
    run = Attempt(reference=event["application"], attempt=event["attempt"])
    flow = Workflow(run, context, request=event.get("request_id", ""))
    try:
        return asdict(carry(run, flow))
    except Ended as ended:
        if ended.closed.status == Status.NEEDS_ATTENTION:
            raise NeedsAttention(f"{run.name} needs attention: see its incident") from ended
        return asdict(ended.closed)
    except StepError as error:
        if kind_of(error) == CaseClosed.__name__:
            return {"status": "superseded"}
        kind, sentence = incident_kind(error), f"The workflow failed: {error}"
        flow.step("needs_attention", lambda: give_up(run, kind=kind, sentence=sentence))
        raise


def carry(run: Attempt, flow: "Workflow") -> Closed:
    """The workflow, top to bottom."""
    validated = Validated(**flow.step("validate", lambda: validation.validate(run, arn=flow.arn)))
    if not validated.valid:
        return Closed(status="declined")
    flow.credit_check()
    assessed = Assessed(**flow.step("risk_assessment", lambda: risk.assess_risk(run)))
    if assessed.outcome == Outcome.DECLINE:
        return Closed(status="declined")

    if assessed.outcome == Outcome.REFER:
        flow.ask_person(TaskKind.MANAGER_APPROVAL, validated)

    verdict = flow.fraud_check(validated)
    if verdict == FraudVerdict.FLAGGED:
        flow.ask_person(TaskKind.FRAUD_REVIEW, validated)

    flow.step("generating_offer", lambda: offer.generate_offer(run, verdict=verdict))
    if TaskKind.OFFER_ACCEPTANCE in validated.waits:
        flow.ask_person(TaskKind.OFFER_ACCEPTANCE, validated)
    return Closed(**flow.step("disbursing", lambda: payout.disburse(run)))


class Workflow:
    """The SDK's operations in the words of the workflow."""

    def __init__(self, run: Attempt, context: DurableContext, *, request: str) -> None:
        self.run = run
        self.context = context
        self.request = request
        self.arn = context.execution_context.durable_execution_arn
        self.asked: TaskKind | None = None  # whose answer the next step notes as delivered

    def step(self, name: str, body: Callable[[], Any], config: StepConfig = STEP) -> Any:
        """Run a body once and keep what it returned, as plain JSON."""
        return self._step(self.context, name, body, config)

    def _step(
        self, context: DurableContext, name: str, body: Callable[[], Any], config: StepConfig
    ) -> Any:
        def traced(_: StepContext) -> Any:
            # The SDK runs bodies in threads of its own, which inherit no context.
            execution_name.set(self.run.name)
            request_id.set(self.request)
            value = body()
            return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

        return context.step(traced, name=name, config=config)

    def credit_check(self) -> None:
        """Ask all bureaus at once; each retries alone.

        A bureau that stays down is left to the risk step, which finds no report of it.
        Any other failure of a branch is a failure of the run.
        """

        def branch(bureau: Bureau) -> ParallelBranch[str]:
            def pull(child: DurableContext) -> str:
                try:
                    self._step(
                        child,
                        bureau.value,
                        lambda: credit.pull_report(self.run, bureau),
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
        """Sleep until a person has approved; a decline or the end of the time ends the run."""
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
                self.run, kind, callback_id=callback.callback_id, after=after
            ),
        )
        try:
            outcome = _answer(callback.result())["outcome"]
        except CallbackTimeoutError:
            self.end("expired", lambda: review.expire(self.run, kind, timed_out=True))
        if outcome == "expired":
            self.end("expired", lambda: review.expire(self.run, kind, timed_out=False))
        if outcome != Outcome.APPROVE:
            self.end("declined", lambda: review.decline(self.run, kind))

    def fraud_check(self, validated: Validated) -> FraudVerdict:  # noqa: RET503 - giving up never returns
        """Ask the fraud check; ask again when it does not answer; at last give up."""
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
        """One try. Raises ``CallbackTimeoutError``."""
        name = f"fraud_check-{number}"
        longest, config = fraud_wait(timeout)
        callback = self.context.create_callback(name=name, config=config)
        answered = self.step(
            f"request_{name}",
            lambda: fraud.request_fraud_check(
                self.run,
                callback_id=callback.callback_id,
                number=number,
                timeout=longest,
                after=after,
            ),
        )
        return FraudVerdict((answered or _answer(callback.result()))["result"])

    def give_up(self, kind: Incident.Kind, sentence: str) -> NoReturn:
        """Hand the application to Operations and stop."""
        self.end("needs_attention", lambda: give_up(self.run, kind=kind, sentence=sentence))

    def end(self, name: str, body: Callable[[], Closed]) -> NoReturn:
        """Run the last step of a run that ends early, then stop."""
        raise Ended(Closed(**self.step(name, body)))


def fraud_wait(timeout: int) -> tuple[int, CallbackConfig]:
    """Return how long one try may take at most, in seconds, and its callback configuration.

    Where heartbeats may come, ``timeout`` is how long there may be silence.
    """
    longest = int(settings.LOANOFFICE_FRAUD_VENDOR_LONGEST.total_seconds())
    if longest <= timeout:
        return timeout, CallbackConfig(timeout=Duration.from_seconds(timeout))
    return longest, CallbackConfig(
        timeout=Duration.from_seconds(longest), heartbeat_timeout=Duration.from_seconds(timeout)
    )


def kind_of(error: StepError) -> str:
    """The class name of what a step raised; the checkpoint keeps it with its module."""
    return error.error_type.rpartition(".")[2]


def incident_kind(error: StepError) -> Incident.Kind:
    """Return the kind of incident that a step's final error is."""
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
