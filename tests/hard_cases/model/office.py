"""The office as the model uses it: its people, and everything that may happen to a case.

An action that the product refuses with a reason is fine, and changes nothing that the
promises look at. What it accepts is remembered and must last.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.core import mail
from django.db.models import F
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from core.errors import DomainError
from functions import fraud_check
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.errors import DecisionExpired
from reviews.kinds import REVIEW_KINDS
from reviews.models import Delegation, ReviewDecision, ReviewTask
from reviews.services import decisions, delegation, offer_answers
from tests.casework import ALICE
from tests.hard_cases.model.death import Death, Killed
from tests.hard_cases.model.durable import EXPECTED, DurableExecution
from tests.hard_cases.model.engine import VERBS
from tests.hard_cases.model.operations_staff import OperationsStaff
from tests.hard_cases.model.outside import Outside
from tests.hard_cases.model.people import People
from tests.hard_cases.model.promises import Moves, Promises
from tests.hard_cases.model.record import Record, Row, wipe
from workflows import review_deadlines
from workflows.callbacks import pending
from workflows.models import OutboxMessage, PendingCallback
from workflows.outbox import queue
from workflows.reconcile.compare import reconcile

# SIN and amount: nobody is asked; a bureau is down; a manager; a senior manager; two
# people; declined by the policy.
CASES = {
    "small": ("3333", 20_000),
    "bureau down": ("5555", 30_000),
    "large": ("1111", 150_000),
    "above the ceiling": ("1111", 300_000),
    "two people": ("1111", 500_000),
    "poor": ("2222", 50_000),
}
PAST = timedelta(seconds=1)
FAR = 400  # more steps than any run takes


class Office(OperationsStaff):
    """One empty office and everything outside of it; ``now`` is the record as last checked."""

    def __init__(self, *, people: People, outside: Outside, death: Death, moves: Moves) -> None:
        wipe()
        mail.outbox.clear()
        moves.of.clear()
        self.people = people
        self.outside = outside
        self.engine = outside.engine
        self.death = death
        self.promises = Promises(outside=outside, moves=moves, seniors=people.seniors())
        self.now = self.promises.before

    def check(self) -> None:
        """Hold everything against the promises."""
        self.now = self.promises.check()

    # --- People -----------------------------------------------------------------------------

    def submit(self, kind: str, by: User | Partner) -> None:
        sin_last4, amount = CASES[kind]
        fields = {**ALICE, "sin_last4": sin_last4, "loan_amount": Decimal(amount)}
        if isinstance(by, Partner):
            intake.application_create_and_submit(partner=by, **fields)
        else:
            intake.application_create_and_submit(user=by, **fields)

    def edit(self, case: Row, by: User) -> None:
        phone = f"613-555-{case['version']:04}"
        self.try_to(
            lambda: intake.application_edit(reference=case["reference"], user=by, phone=phone)
        )

    def delegate_some(self, pairs: list[tuple[str, str]]) -> None:
        for delegator, to in pairs:
            self.delegate(getattr(self.people, delegator), getattr(self.people, to))

    def withdraw(self, case: Row) -> None:
        self.try_to(
            lambda: intake.application_withdraw(
                reference=case["reference"], user=self.people.officer
            )
        )

    def decide(
        self, task: Row, user: User, outcome: Outcome, *, version: int | None = None
    ) -> bool:
        """Decide and return whether it was accepted; fails if that was not allowed."""
        found = ReviewTask.objects.select_related("application").get(pk=task["id"])
        try:
            decision = decisions.task_decide(
                task=found,
                user=user,
                outcome=outcome,
                reason="" if outcome == Outcome.APPROVE else "No.",
                version=version,
            )
        except DecisionExpired:
            self._remember(ReviewDecision.objects.get(task=found, decided_by=user, late=True))
            return False
        except DomainError:
            return False
        self._remember(decision)
        self._assert_allowed(found, decision, version)
        return True

    def answer_offer(self, case: Row, outcome: Outcome) -> bool:
        """The partner answers, for the applicant, whatever is offered: twice, which is once.

        Whether there is an answer of the partner now that was not there before.
        """
        partner = self.people.partner
        mine = ReviewDecision.objects.filter(
            task__application=case["id"], task__kind=TaskKind.OFFER_ACCEPTANCE, partner=partner
        )
        before = set(mine.values_list("pk", flat=True))
        for _ in range(2):
            with suppress(DomainError, LoanApplication.DoesNotExist):
                offer_answers.offer_answer(
                    reference=case["reference"], partner=partner, outcome=outcome
                )
        new = list(mine.exclude(pk__in=before).select_related("task__application"))
        assert len(new) <= 1
        for decision in new:
            self._remember(decision)
            assert case["partner_id"] == partner.pk
            assert decision.task.attempt == decision.task.application.attempt
            assert decision.late == (timezone.now() >= decision.task.expires_at)
        return bool(new)

    def _remember(self, decision: ReviewDecision) -> None:
        kept = (decision.task_id, decision.decided_by_id, str(decision.outcome))
        self.promises.accepted[decision.pk] = kept

    def _assert_allowed(
        self, task: ReviewTask, decision: ReviewDecision, version: int | None
    ) -> None:
        case = task.application
        used = decision.on_behalf_of or decision.decided_by
        assert used is not None
        assert used.has_perm(REVIEW_KINDS[TaskKind(task.kind)].permission)
        assert task.status == "open"
        assert timezone.now() < task.expires_at
        assert task.attempt == case.attempt
        assert version in {None, case.version}
        if decision.on_behalf_of is not None:
            lent = Delegation.objects.filter(
                delegator=decision.on_behalf_of, delegate=decision.decided_by, revoked_at=None
            )
            assert lent.exists()
            assert decision.decided_by is not None
            assert decision.decided_by.has_perm(REVIEW_KINDS[TaskKind(task.kind)].permission)
        if task.kind != "offer_acceptance":
            worked = ("created", "edited", "submitted", "document_added")
            touched = set(case.events.filter(kind__in=worked).values_list("actor", flat=True))
            assert not touched & {decision.decided_by_id, decision.on_behalf_of_id} - {None}

    def decide_rightly(self, task: Row, outcome: Outcome) -> None:
        """Somebody who is shown the task decides it, and is not refused.

        An applicant who came by way of the partner answers by way of the partner.
        """
        case = self.now.case[task["application_id"]]
        if task["kind"] == TaskKind.OFFER_ACCEPTANCE and case["partner_id"] is not None:
            in_time = ReviewTask.objects.filter(
                pk=task["id"],
                status="open",
                expires_at__gt=timezone.now(),
                attempt=F("application__attempt"),
            )
            assert in_time.exists() <= self.answer_offer(case, outcome), task
            return
        for user in self.people.may_decide():
            shown = decisions.tasks_decidable(user=user, now=timezone.now())
            if shown.filter(pk=task["id"]).exists():
                assert self.decide(task, user, outcome), (task, user)
                return

    def delegate(self, delegator: User, to: User) -> None:
        now = timezone.now()
        self.try_to(
            lambda: delegation.delegation_create(
                delegator=delegator,
                delegate=to,
                starts_at=now - PAST,
                ends_at=now + timedelta(days=30),
                by=delegator,
            )
        )

    def revoke(self) -> None:
        for row in Delegation.objects.filter(revoked_at=None).select_related("delegator"):
            delegation.delegation_revoke(delegation=row, by=row.delegator)

    # --- What leaves, and what comes in ---------------------------------------------------------

    def deliver(self) -> None:
        """The sweep sends what is there, however long it was put off."""
        OutboxMessage.objects.filter(status=OutboxMessage.Status.PENDING).update(
            due_at=timezone.now() - PAST, leased_until=None
        )
        queue.send_due(limit=100)

    def redeliver(self, message: Row) -> None:
        """The sender died between sending a message and noting it."""
        OutboxMessage.objects.filter(
            pk=message["id"], status__in=[OutboxMessage.Status.SENT, OutboxMessage.Status.PENDING]
        ).update(status=OutboxMessage.Status.PENDING, attempts=0)
        self.deliver()

    def give_up(self, message: Row) -> None:
        """A message fails for the last time."""
        OutboxMessage.objects.filter(pk=message["id"], status=OutboxMessage.Status.PENDING).update(
            attempts=queue.TRIES - 1, due_at=timezone.now() - PAST, leased_until=None
        )
        mood, self.engine.mood = self.engine.mood, dict.fromkeys(VERBS, "down")
        queue.send_now(message["key"])
        self.engine.mood = mood

    def fraud_function(self, event: dict[str, Any], verdict: str) -> None:
        """Lambda invokes the fraud check; it may do so more than once, and late."""
        self.outside.verdict = verdict
        self.unless_killed(lambda: fraud_check.handler(event, None))

    def answer(self, callback: Row, verdict: str) -> None:
        """The fraud service's answer comes in, in whatever state the callback is."""
        pending.callback_receive(callback_id=callback["callback_id"], answer={"result": verdict})

    # --- The workflow ---------------------------------------------------------------------------

    def unless_killed(self, run: Callable[[], object]) -> None:
        """Run in a process that may die; the next process lives."""
        try:
            run()
        except Killed:
            pass
        finally:
            self.death.is_over()

    def advance(self, execution: DurableExecution, *, forgetful: bool = False) -> None:
        self.unless_killed(lambda: self.engine.invoke(execution, forgetful=forgetful))

    def run_on(self, execution: DurableExecution) -> None:
        """Until it waits for somebody else."""
        for _ in range(FAR):
            before = (len(execution.checkpoints), execution.tries.total(), execution.status)
            self.advance(execution)
            if before == (len(execution.checkpoints), execution.tries.total(), execution.status):
                return
        raise AssertionError(f"{execution.name} never waits")

    def replay(self, body: Callable[[], object]) -> None:
        """A step runs again that ran before, out of turn."""

        def run() -> None:
            with suppress(*EXPECTED):
                body()

        self.unless_killed(run)

    # --- Time -------------------------------------------------------------------------------------

    def time_passes(self, task: Row, *, share: float) -> None:
        """The clock of a task moves on by a share of its life."""
        row = ReviewTask.objects.get(pk=task["id"])
        left = row.opened_at + (row.expires_at - row.opened_at) * share - timezone.now()
        self._earlier(row, by=left + PAST)

    @staticmethod
    def _earlier(task: ReviewTask, *, by: timedelta) -> None:
        if by <= timedelta(0):
            return
        ReviewTask.objects.filter(pk=task.pk).update(
            opened_at=F("opened_at") - by, due_at=F("due_at") - by, expires_at=F("expires_at") - by
        )
        PendingCallback.objects.filter(review_task=task).update(
            opened_at=F("opened_at") - by, expires_at=F("expires_at") - by
        )
        LoanApplication.objects.filter(pk=task.application_id, waiting_until__isnull=False).update(
            waiting_until=F("waiting_until") - by
        )

    def pass_deadlines(self) -> None:
        review_deadlines.pass_deadlines(now=timezone.now())

    def engine_times_out(self, callback_id: str) -> None:
        """The engine stops waiting. For a person it does that only after the task's own time."""
        row = PendingCallback.objects.select_related("review_task").filter(callback_id=callback_id)
        for known in row:
            by = known.expires_at - timezone.now() + PAST
            if known.review_task is not None:
                self._earlier(known.review_task, by=by)
            else:
                PendingCallback.objects.filter(pk=known.pk).update(
                    expires_at=F("expires_at") - max(by, timedelta(0))
                )
        for callback in self.engine.open_callbacks():
            if callback.id == callback_id:
                callback.status = "timed out"

    def reconcile(self) -> int:
        """Reconcile and return the number of findings."""
        return len(reconcile(calls_per_second=1e9, lag=timedelta(0)).findings)

    # --- In the end ---------------------------------------------------------------------------

    def go_on(
        self,
        *,
        operations: int,
        verdict: str | None = "passed",
        outcome: Outcome = Outcome.APPROVE,
    ) -> None:
        """As the day should go: what is asked is decided, what is sent arrives.

        Without a ``verdict`` the fraud service is not heard of.
        """
        for _ in range(operations):
            self.now = Record()
            for task in self.now.tasks:
                if task["status"] == "open":
                    self.decide_rightly(task, outcome)
            self.deliver()
            for event in list(self.engine.events) if verdict else []:
                self.fraud_function(event, verdict)
            for execution in list(self.engine.executions.values()):
                self.advance(execution)

    def fair_weather(self) -> None:
        """The engine works, everything arrives, everything runs as far as it can."""
        self.engine.mood, self.outside.meanwhile = {}, {}
        self.deliver()
        for event in list(self.engine.events):
            self.engine.events.remove(event)
            self.fraud_function(event, "passed")
        for execution in list(self.engine.executions.values()):
            self.run_on(execution)
        self.deliver()
