"""Carry an application through its durable steps; only their order is defined here.

What each step does is in ``workflows.steps``. Everything here is replayed from the start at each
resume, so it is deterministic: every reading of a clock or a table and every side effect is
inside a step. Renaming or reordering an operation would break suspended executions; they
therefore stay on the version that they started on.

What a callback returns is only a wake-up, because whoever reaches the engine can answer it. The
step after it compares it with the record. A step that finds a decision missing on record returns
``Missing`` instead of its result; then people are asked (again), and the step is tried again under
the next name: ``disbursing``, ``disbursing-2``, ...

An approved application with a manager's decision costs twelve operations: validate, the
parallel block and its bureaus, risk, two for the manager's decision, two for the fraud
check, offer, disburse.
"""

import functions.setup  # noqa: F401, I001 - Django first

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any, NoReturn

from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    ParallelBranch,
    StepConfig,
)

from django.conf import settings

from applications.errors import ApplicationClosed
from applications.services.attempts import Attempt
from audit.tracing import execution_name, request_id, work_on
from applications.choices import Bureau, FraudVerdict, Status
from core.traces import spans
from core import invocations
from functions.operation_config import ALL_BUREAUS, BUREAU_STEP, STEP, fraud_wait
from functions.operation_results import TIMED_OUT, incident_of, kind_of, missing_in, reported
from lending.choices import Outcome
from reviews.choices import TaskKind
from workflows.callbacks.pending import EXPIRED
from workflows.callbacks.wakeups import WakeUp
from workflows.errors import ProviderError
from workflows.executions import Closed
from workflows.funding_requirements import FRAUD_CHECK
from workflows.handover import give_up
from workflows.models import Incident
from workflows.steps import credit, fraud, offer, payout, review, risk, validation
from workflows.steps.risk import Assessed
from workflows.steps.validation import Validated

# How often an execution asks for what the record lacks; more means that something is wrong.
MOST_ROUNDS = 20
# A bureau that stays down has no report; the risk step also finds a closed application.
LEFT_TO_RISK_STEP = {ProviderError.__name__, ApplicationClosed.__name__}


class NeedsAttention(Exception):
    """The application was handed to Operations, so the execution fails in the engine, too."""


class Ended(Exception):
    """The application closed, or the execution gave up; ``closed`` says how."""

    def __init__(self, closed: Closed) -> None:
        self.closed = closed
        super().__init__(closed.status)


@partial(durable_execution, plugins=spans.durable_plugins())
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Carry one attempt of an application. ``event``: ``{"application", "attempt", "request_id"}``.

    While traces are on it has a ``traceparent`` as well, which the plugin reads.
    Returns ``{"status": ...}``: the application's final status, or ``superseded`` when
    the application was closed meanwhile. Raises ``NeedsAttention`` or ``StepError`` after handing a
    stuck application over.
    """
    attempt = Attempt(reference=event["application"], number=event["attempt"])
    flow = Workflow(attempt, context, request=event.get("request_id", ""))
    invocations.begin(context.lambda_context)
    with work_on(execution=attempt.name, request=flow.request):
        return _run(attempt, flow)


def _run(attempt: Attempt, flow: "Workflow") -> dict[str, str]:
    try:
        return asdict(carry(attempt, flow))
    except Ended as ended:
        if ended.closed.status == Status.NEEDS_ATTENTION:
            raise NeedsAttention(f"{attempt.name} needs attention: see its incident") from ended
        return asdict(ended.closed)
    except StepError as error:
        if kind_of(error) == ApplicationClosed.__name__:
            return {"status": "superseded"}
        kind, sentence = incident_of(error)
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

    offered = flow.checked_step(
        "generating_offer", lambda **given: offer.generate_offer(attempt, **given), validated
    )
    if TaskKind.OFFER_ACCEPTANCE in validated.waits:
        flow.ask_person(TaskKind.OFFER_ACCEPTANCE, validated, offered["seconds_left"])
    return Closed(
        **flow.checked_step(
            "disbursing", lambda **given: payout.disburse(attempt, **given), validated
        )
    )


class Workflow:
    """The operations of the workflow, made of the SDK's operations."""

    def __init__(self, attempt: Attempt, context: DurableContext, *, request: str) -> None:
        self.attempt = attempt
        self.context = context
        self.request = request
        self.arn = context.execution_context.durable_execution_arn
        self.wakeup: WakeUp | None = None  # the next step compares it with the record
        self.names: Counter[str] = Counter()
        self.rounds = 0

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

    def checked_step(self, name: str, body: Callable[..., Any], validated: Validated) -> Any:
        """Run a step that needs decisions on record, again after asking for those it missed.

        ``body`` gets the ``operation`` and the ``wakeup`` of the wait just before.
        """
        while missing := missing_in(done := self.begin(name, body, self.take_wakeup())):
            self.ask_again(missing, validated)
        return done

    def begin(self, name: str, body: Callable[..., Any], wakeup: WakeUp | None) -> Any:
        """Run a step that compares the record with a wake-up, under the next of its names."""
        operation = self.numbered(name)
        return self.step(operation, lambda: body(operation=operation, wakeup=wakeup))

    def numbered(self, name: str) -> str:
        """Return the name of the next operation of this name: ``name``, ``name-2``, ..."""
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}-{self.names[name]}"

    def take_wakeup(self) -> WakeUp | None:
        """Return the end of the last wait, for the one step that looks at it."""
        wakeup, self.wakeup = self.wakeup, None
        return wakeup

    def credit_check(self) -> None:
        """Request all credit reports in parallel; each branch retries by itself.

        A bureau that stays down is left to the risk step, which finds no report of it.
        Any other failure of a branch fails the execution.
        """

        def branch(bureau: Bureau) -> ParallelBranch[str]:
            def pull(child: DurableContext) -> str:
                # A branch runs in a thread of the SDK, as bodies do.
                execution_name.set(self.attempt.name)
                request_id.set(self.request)
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

    def ask_person(self, kind: TaskKind, validated: Validated, seconds: int = 0) -> None:
        """Suspend until a person has decided; a decline or a timeout ends the execution.

        ``seconds`` is the time left when the record has a deadline already, that of an open task
        or of the offer, else 0.
        """
        name, before = self.numbered(kind.value), self.take_wakeup()
        wait = seconds or validated.waits[kind]
        callback = self.context.create_callback(
            name=name,
            config=CallbackConfig(
                timeout=Duration.from_seconds(
                    wait + settings.LOANOFFICE_DELIVERY_GRACE.total_seconds()
                )
            ),
        )
        opened = self.step(
            f"open_{name}",
            lambda: review.open_review(
                self.attempt,
                kind,
                operation=f"open_{name}",
                callback_id=callback.callback_id,
                wakeup=before,
            ),
        )
        if missing_in(opened):
            self.ask_again(missing_in(opened), validated)
        if opened is not True:
            return
        said = reported(callback.result, "outcome")
        wakeup = WakeUp(name, callback.callback_id, kind, said)
        if said in {TIMED_OUT, EXPIRED}:
            seen = wakeup if said == EXPIRED else None
            self.close(
                "expired",
                lambda **given: review.expire(self.attempt, kind, **given),
                seen,
                validated,
            )
        elif said == Outcome.DECLINE:
            self.close(
                "declined",
                lambda **given: review.decline(self.attempt, kind, **given),
                wakeup,
                validated,
            )
        else:
            self.wakeup = wakeup

    def ask_again(self, missing: dict[str, int], validated: Validated) -> None:
        """Ask for what a step missed on record, so that nothing is lost by a false wake-up."""
        self.rounds += 1
        if self.rounds > MOST_ROUNDS:
            self.give_up(
                Incident.Kind.ANSWER_DIFFERS,
                f"The workflow was woken {self.rounds} times without the decisions that it waits "
                "for. Find out who answers past this office, then restart the application.",
            )
        for lack, seconds in missing.items():
            if lack == FRAUD_CHECK:
                self.fraud_check(validated)
            else:
                self.ask_person(TaskKind(lack), validated, seconds)

    def fraud_check(self, validated: Validated) -> str:
        """Request the fraud check, again after each timeout; give up after the last attempt.

        Returns what the engine, or after a timeout the record, says of the verdict.
        """
        tries = 0
        while tries < validated.fraud_check_attempts:
            requested = self._request_fraud_check(validated.fraud_check_timeout)
            if isinstance(requested, dict):
                self.ask_again(requested, validated)
                continue
            if requested != TIMED_OUT:
                return requested
            self.context.logger.warning("The fraud check did not answer")
            tries += 1
        return self.give_up(
            Incident.Kind.FRAUD_UNANSWERED,
            f"The fraud check was asked {validated.fraud_check_attempts} times and did not answer.",
        )

    def _request_fraud_check(self, timeout: int) -> str | dict[str, int]:
        """Request the fraud check once; returns the verdict, ``TIMED_OUT``, or what is missing."""
        self.names["fraud_check"] += 1
        number, before = self.names["fraud_check"], self.take_wakeup()
        name = f"fraud_check-{number}"
        longest, config = fraud_wait(timeout)
        callback = self.context.create_callback(name=name, config=config)
        requested = self.step(
            f"request_{name}",
            lambda: fraud.request_fraud_check(
                self.attempt,
                callback_id=callback.callback_id,
                number=number,
                timeout=longest,
                wakeup=before,
            ),
        )
        if missing_in(requested):
            return missing_in(requested)
        if requested is not None:
            return str(requested["result"])
        said = reported(callback.result, "result")
        if said != TIMED_OUT:
            self.wakeup = WakeUp(name, callback.callback_id, None, said)
        return said

    def close(
        self, name: str, body: Callable[..., Any], wakeup: WakeUp | None, validated: Validated
    ) -> None:
        """End the execution with a step, unless the record does not agree that it is over."""
        done = self.begin(name, body, wakeup)
        if not missing_in(done):
            raise Ended(Closed(**done))
        self.ask_again(missing_in(done), validated)

    def give_up(self, kind: Incident.Kind, sentence: str) -> NoReturn:
        """Hand the application to Operations and end the execution."""
        self.end("needs_attention", lambda: give_up(self.attempt, kind=kind, sentence=sentence))

    def end(self, name: str, body: Callable[[], Closed]) -> NoReturn:
        """Run the last step of an execution that ends early, then end it."""
        raise Ended(Closed(**self.step(name, body)))
