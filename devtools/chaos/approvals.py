"""Compare funded applications with the decisions that they need, by plan and by record. Pure."""

from collections.abc import Iterator

from applications.choices import FraudVerdict, Status
from devtools.chaos.acknowledgements import Acknowledgements
from devtools.chaos.findings import Fault, Finding, grouped
from devtools.chaos.plan import SENIORS
from devtools.chaos.snapshot import Decision, Snapshot, Task
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus

FRAUD_CHECKS = "fraud_check-"  # how the callbacks of the fraud check are named


def approvals_missing(acknowledgements: Acknowledgements, snapshot: Snapshot) -> Iterator[Finding]:
    """Find the funded applications with fewer approvals than the oracle expects."""
    planned = {
        application.reference: application for application in acknowledgements.by_reference.values()
    }
    by_reference = grouped(snapshot.decisions, lambda found: found.reference)
    for row in snapshot.applications:
        # A duplicate takes the expected path of its original.
        application = planned.get(row.reference) or acknowledgements.applications.get(
            row.external_id
        )
        if application is None or row.status != Status.FUNDED:
            continue
        for ask in application.planned.expected_path.asks:
            approving = {
                found.person
                for found in by_reference.get(row.reference, [])
                if _approves(found, ask.kind) and (found.person in SENIORS or not ask.above_ceiling)
            }
            if len(approving) < ask.approvals:
                yield Finding(
                    Fault.WRONG,
                    row.reference,
                    f"funded with {len(approving)} of {ask.approvals} approvals ({ask.kind})",
                )


def _approves(found: Decision, kind: TaskKind) -> bool:
    return found.kind == kind and found.outcome == Outcome.APPROVE and not found.late


def decisions_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """Find the funded applications whose own record lacks a decision, whatever was expected.

    Every task that was opened has to be approved with its quorum, the fraud check has to have an
    answer, and each of its flags a review that cleared it.
    """
    decisions = grouped(snapshot.decisions, lambda found: found.task)
    tasks = grouped(snapshot.tasks, lambda task: task.reference)
    callbacks = grouped(snapshot.callbacks, lambda callback: callback.reference)
    for row in snapshot.applications:
        if row.status != Status.FUNDED:
            continue
        cleared = set()
        for task in tasks.get(row.reference, []):
            if _is_approved(task, decisions.get(task.pk, [])):
                cleared.add(task.pk)
            else:
                why = f"funded, and its {task.kind} is not approved"
                yield Finding(Fault.WRONG, row.reference, why)
        checks = [
            callback
            for callback in callbacks.get(row.reference, [])
            if callback.name.startswith(FRAUD_CHECKS)
        ]
        if not any(callback.answer in FraudVerdict for callback in checks):
            yield Finding(Fault.WRONG, row.reference, "funded without an answer of the fraud check")
        for callback in checks:
            is_flag = callback.flagged or callback.answer == FraudVerdict.FLAGGED
            if is_flag and callback.flag_review not in cleared:
                why = f"funded, and nobody cleared the flag of {callback.name}"
                yield Finding(Fault.WRONG, row.reference, why)


def _is_approved(task: Task, given: list[Decision]) -> bool:
    approving = {found.person for found in given if _approves(found, TaskKind(task.kind))}
    return (
        (task.status, task.outcome) == (TaskStatus.DECIDED, Outcome.APPROVE)
        and len(approving) >= task.approvals_required
        and not any(found.outcome == Outcome.DECLINE and not found.late for found in given)
    )
