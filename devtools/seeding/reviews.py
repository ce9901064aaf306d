"""Build the rows of review tasks and decisions of made-up applications."""

from collections.abc import Sequence
from datetime import timedelta

from accounts.roles import roles_deciding
from applications.choices import FraudVerdict, Level
from devtools.seeding.histories import History, TaskHistory
from devtools.seeding.row_builder import ATTEMPT, RowBuilder, SeedRow
from lending.choices import Outcome
from lending.services import approver_of
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, Trigger
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import PendingCallback

DECLINE_REASONS = "The employer could not be reached."


class Reviews(RowBuilder):
    """Adds tasks, decisions and the pending callbacks of open tasks."""

    def fraud_answer(self, row: SeedRow, execution: int, *, flag_review: int | None) -> None:
        """Add the answer of the fraud check, for an application that got past it."""
        review, offered_at = row.history.review.get(TaskKind.FRAUD_REVIEW), row.history.offered_at
        at = offered_at if review is None else review.opened_at
        if at is None:
            return
        verdict = FraudVerdict.PASSED if review is None else FraudVerdict.FLAGGED
        self.tables[PendingCallback].put(
            {
                "execution_id": execution,
                "name": "fraud_check-1",
                "callback_id": f"seeded/{row.attempt.name}/fraud_check-1",
                "status": PendingCallback.Status.DELIVERED,
                "answer": {"result": verdict.value},
                "opened_at": at,
                "expires_at": at + self.policy.fraud_check_timeout,
                "answered_at": at,
                "delivered_at": at,
                "flagged_at": None if review is None else at,
                "flag_review_id": flag_review,
            }
        )

    def task(self, row: SeedRow, kind: TaskKind, review: TaskHistory, execution: int) -> int:
        """Add a task with its decisions; returns its primary key."""
        history, assessment = row.history, row.history.assessment
        kind_of_review = REVIEW_KINDS[kind]
        threshold = kind_of_review.two_approvals_from
        two = bool(threshold) and history.amount >= getattr(self.policy, threshold)
        expires_at = review.opened_at + self.terms.waits[kind]
        pk, role = next(self.ids[ReviewTask]), self.role_asked(history, kind)
        referred = kind_of_review.trigger is Trigger.REFERRED
        self.tables[ReviewTask].put(
            {
                "application_id": row.pk,
                "attempt": ATTEMPT,
                "kind": kind,
                "status": review.status,
                "assigned_role": role,
                "approvals_required": 2 if two else 1,
                "reasons": [r.as_json() for r in assessment.reasons]
                if referred and assessment
                else [],
                "outcome": review.outcome or "",
                "opened_at": review.opened_at,
                "due_at": review.opened_at + getattr(self.policy, kind_of_review.due),
                "expires_at": expires_at,
                "closed_at": review.closed_at,
            },
            pk,
        )
        if review.status == TaskStatus.OPEN:
            self.tables[PendingCallback].put(
                {
                    "execution_id": execution,
                    "name": kind.value,
                    "callback_id": f"seeded/{row.attempt.name}/{kind.value}",
                    "review_task_id": pk,
                    "opened_at": review.opened_at,
                    "expires_at": expires_at + timedelta(hours=1),
                }
            )
        if review.outcome is not None:
            number = 2 if two and review.outcome == Outcome.APPROVE else 1
            deciders = self.random.sample(self._deciders_of(row, role), number)
            self._decisions(row, pk, kind, review, deciders)
        return pk

    def _deciders_of(self, row: SeedRow, role: str) -> Sequence[int]:
        """Those of the lowest role with people that decides it, without who typed it in."""
        known = self.staff.by_role
        deciding = next(each for each in roles_deciding(role) if each in known)
        return [pk for pk in known[deciding] if pk != row.typed_by]

    def _decisions(
        self, row: SeedRow, task: int, kind: TaskKind, review: TaskHistory, deciders: Sequence[int]
    ) -> None:
        approved = review.outcome == Outcome.APPROVE
        reason = "" if approved else DECLINE_REASONS
        result = "approved" if approved else "declined"
        for place, decider in enumerate(deciders, start=1):
            before = timedelta(minutes=len(deciders) - place)
            decided_at = (review.closed_at or review.opened_at) - before
            self.tables[ReviewDecision].put(
                {
                    "task_id": task,
                    "decided_by_id": decider,
                    "outcome": review.outcome,
                    "reason": reason,
                    "application_version": 1,
                    "decided_at": decided_at,
                }
            )
            self.timeline_entry(
                row,
                f"{kind.value}_{result}",
                f"{kind.label}: {result}.",
                decided_at,
                step=REVIEW_KINDS[kind].step,
                level=Level.SUCCESS if approved else Level.WARNING,
                actor_id=decider,
                partner_id=None,
                data={"reason": reason, "version": 1, "task": task},
            )

    def role_asked(self, history: History, kind: TaskKind) -> str:
        row = REVIEW_KINDS[kind]
        if row.has_ceiling:
            return approver_of(self.terms.ceilings, history.amount).key
        return row.assignees[0].role
