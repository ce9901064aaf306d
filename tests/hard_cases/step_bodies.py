"""Every step body of the workflow, to be run again for a run that has been there."""

from collections.abc import Callable

from applications.choices import Bureau
from applications.services.attempts import Attempt
from reviews.choices import TaskKind
from workflows import handover
from workflows.callbacks.wakeups import WakeUp
from workflows.models import Execution, Incident, PendingCallback
from workflows.steps import credit, fraud, offer, payout, review, risk, validation

type Body = Callable[[], object]


def bodies(run: Attempt) -> dict[str, Body]:
    """Every step body there is, as the workflow calls it for a run, by operation."""
    execution = Execution.objects.get(name=run.name)
    known = dict(
        PendingCallback.objects.filter(execution=execution).values_list("name", "callback_id")
    )

    def callback(name: str) -> str:
        return known.get(name, f"never asked: {name}")

    def ask(kind: TaskKind) -> Body:
        return lambda: review.open_review(
            run, kind, operation=f"open_{kind.value}", callback_id=callback(kind.value)
        )

    def reported(kind: TaskKind, said: str) -> WakeUp:
        return WakeUp(kind.value, callback(kind.value), kind, said)

    def ask_fraud_service(number: int) -> Body:
        return lambda: fraud.request_fraud_check(
            run,
            callback_id=callback(f"fraud_check-{number}"),
            number=number,
            timeout=300,
            wakeup=reported(TaskKind.MANAGER_APPROVAL, "approve"),
        )

    def pull(bureau: Bureau) -> Body:
        return lambda: credit.pull_report(run, bureau)

    def decline(kind: TaskKind) -> Body:
        return lambda: review.decline(
            run, kind, operation="declined", wakeup=reported(kind, "decline")
        )

    def expire(kind: TaskKind, *, timed_out: bool) -> Body:
        seen = None if timed_out else reported(kind, "expired")
        return lambda: review.expire(run, kind, operation="expired", wakeup=seen)

    return {
        "validate": lambda: validation.validate(run, arn=execution.arn or "arn:unheard"),
        **{bureau.value: pull(bureau) for bureau in Bureau},
        "risk_assessment": lambda: risk.assess_risk(run),
        **{f"open_{kind.value}": ask(kind) for kind in TaskKind},
        **{f"request_fraud_check-{number}": ask_fraud_service(number) for number in (1, 2)},
        "generating_offer": lambda: offer.generate_offer(run),
        "disbursing": lambda: payout.disburse(run),
        **{f"declined {kind.value}": decline(kind) for kind in TaskKind},
        **{f"expired {kind.value}": expire(kind, timed_out=True) for kind in TaskKind},
        **{f"timed out {kind.value}": expire(kind, timed_out=False) for kind in TaskKind},
        "needs_attention": lambda: handover.give_up(
            run, kind=Incident.Kind.WORKFLOW_FAILED, sentence="It failed."
        ),
    }
