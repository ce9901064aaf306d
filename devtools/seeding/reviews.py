"""The rows of what people were asked about made-up cases, and of what they answered."""

from collections.abc import Sequence
from datetime import timedelta

from accounts.roles import Role
from applications.choices import Level, WaitingOn
from devtools.seeding.histories import Asked, Course
from devtools.seeding.row_builder import ATTEMPT, SeedRow, Sheet
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, Trigger
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import PendingCallback

WHY_DECLINED = "The employer could not be reached."


class Reviews(Sheet):
    """Adds tasks, decisions and the callbacks that open tasks answer."""

    def task(self, case: SeedRow, kind: TaskKind, asked: Asked, execution: int) -> None:
        course, judged = case.course, case.course.assessment
        kind_of_review = REVIEW_KINDS[kind]
        threshold = kind_of_review.two_approvals_from
        two = bool(threshold) and course.amount >= getattr(self.policy, threshold)
        expires_at = asked.opened_at + self.terms.waits[kind]
        pk, role = next(self.ids[ReviewTask]), self.role_of(course, kind)
        referred = kind_of_review.trigger is Trigger.REFERRED
        self.tables[ReviewTask].put(
            {
                "application_id": case.pk,
                "attempt": ATTEMPT,
                "kind": kind,
                "status": asked.status,
                "assigned_role": role,
                "approvals_required": 2 if two else 1,
                "reasons": [r.as_json() for r in judged.reasons] if referred and judged else [],
                "outcome": asked.outcome or "",
                "opened_at": asked.opened_at,
                "due_at": asked.opened_at + getattr(self.policy, kind_of_review.due),
                "expires_at": expires_at,
                "closed_at": asked.closed_at,
            },
            pk,
        )
        if asked.status == TaskStatus.OPEN:
            self.tables[PendingCallback].put(
                {
                    "execution_id": execution,
                    "name": kind.value,
                    "callback_id": f"seeded/{case.run.name}/{kind.value}",
                    "review_task_id": pk,
                    "opened_at": asked.opened_at,
                    "expires_at": expires_at + timedelta(hours=1),
                }
            )
        if asked.outcome is not None:
            number = 2 if two and asked.outcome == Outcome.APPROVE else 1
            deciders = self.random.sample(self._who(case, role), number)
            self._decisions(case, pk, kind, asked, deciders)

    def _who(self, case: SeedRow, role: WaitingOn) -> Sequence[int]:
        """Those of the role, without who typed the application in."""
        return [pk for pk in self.staff.by_role[Role[role.name]] if pk != case.typed_by]

    def _decisions(
        self,
        case: SeedRow,
        task: int,
        kind: TaskKind,
        asked: Asked,
        deciders: Sequence[int],
    ) -> None:
        approved = asked.outcome == Outcome.APPROVE
        reason = "" if approved else WHY_DECLINED
        said = "approved" if approved else "declined"
        for place, decider in enumerate(deciders, start=1):
            before = timedelta(minutes=len(deciders) - place)
            decided_at = (asked.closed_at or asked.opened_at) - before
            self.tables[ReviewDecision].put(
                {
                    "task_id": task,
                    "decided_by_id": decider,
                    "outcome": asked.outcome,
                    "reason": reason,
                    "application_version": 1,
                    "decided_at": decided_at,
                }
            )
            self.line(
                case,
                f"{kind.value}_{said}",
                f"{kind.label}: {said}.",
                decided_at,
                step=REVIEW_KINDS[kind].step,
                level=Level.SUCCESS if approved else Level.WARNING,
                actor_id=decider,
                partner_id=None,
                data={"reason": reason, "version": 1, "task": task},
            )

    def role_of(self, course: Course, kind: TaskKind) -> WaitingOn:
        above = course.amount > self.policy.manager_ceiling
        return REVIEW_KINDS[kind].assignees[-1 if above else 0].role
