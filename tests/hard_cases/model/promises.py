"""Invariants that hold after any sequence of actions: one method for each.

``check`` looks at the whole record after each thing that happened. What may only grow, or
must never change again, is compared with the look before.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from applications.choices import Status
from applications.models import LoanApplication
from applications.signals import application_moved
from applications.transitions import ALLOWED, is_terminal
from lending.models import LendingPolicy
from tests.hard_cases.model.outside import Outside
from tests.hard_cases.model.record import Record, Row
from workflows.models import OutboxMessage

LEFT_BY_OPERATIONS = {Status.SUBMITTED, Status.FUNDED, Status.WITHDRAWN}
CLOSED_WITH_A_LETTER = {Status.FUNDED, Status.DECLINED, Status.EXPIRED}
UNCHANGING = ("status", "current_step", "outcome", "decision_reasons", "decided_at", "closed_at")


class Moves:
    """Every committed move of every case's status: (attempt, status), in order."""

    def __init__(self) -> None:
        self.of: dict[int, list[tuple[int, str]]] = defaultdict(list)

    def saved(self, instance: LoanApplication, **_: Any) -> None:
        now = (instance.attempt, str(instance.status))
        transaction.on_commit(lambda: self.of[instance.pk].append(now))

    def moved(self, application: LoanApplication, **_: Any) -> None:
        """Note the move as it is committed; a restart moves before it counts the attempt."""
        transaction.on_commit(
            lambda: self.of[application.pk].append((application.attempt, str(application.status)))
        )


@contextmanager
def moves() -> Iterator[Moves]:
    """Watches until the block ends. What is updated in bulk is not saved, but told as a move."""
    noted = Moves()
    post_save.connect(noted.saved, sender=LoanApplication)
    application_moved.connect(noted.moved, sender=LoanApplication)
    try:
        yield noted
    finally:
        post_save.disconnect(noted.saved, sender=LoanApplication)
        application_moved.disconnect(noted.moved, sender=LoanApplication)


class Promises:
    """The promises, and what they remember."""

    def __init__(self, *, outside: Outside, moves: Moves, seniors: set[int]) -> None:
        self.outside = outside
        self.moves = moves
        self.seniors = seniors  # who may decide above the ceiling
        self.policy = LendingPolicy.objects.get()
        self.manager_ceiling = self.policy.authorities.get(role="manager").ceiling
        # Decisions that a service accepted: their task, their person, their outcome.
        self.accepted: dict[int, tuple[int, int, str]] = {}
        self.before = Record()

    def check(self) -> Record:
        """Read everything and hold it against every promise."""
        now = Record()
        assert not self.outside.engine.surprises, self.outside.engine.surprises
        assert not self.outside.interruptions, self.outside.interruptions
        for task in now.tasks:
            self._decided_as_asked(now, task)
        for case in now.applications:
            self._paid_once(now, case)
            self._approved_if_funded(now, case)
            self._moved_as_allowed(case)
            self._waits_for_whom_it_asks(now, case)
            self._over_when_closed(now, case)
            self._incident_says_why(now, case)
        self._answers_are_on_their_way(now)
        self._decisions_stay(now)
        self._nothing_goes_back(now)
        self.before = now
        return now

    def _decided_as_asked(self, now: Record, task: Row) -> None:
        given = [row for row in now.decisions if row["task_id"] == task["id"]]
        standing = [row for row in given if row["voided_at"] is None]
        people = Counter(row["decided_by_id"] for row in standing)
        # A partner has no account: its one answer stands under none.
        assert max(people.values(), default=0) <= 1, f"one person decided twice: {given}"
        asked = task["kind"] == "offer_acceptance"
        assert asked or not any(row["partner_id"] for row in given), f"not a partner's: {given}"
        counted = [row for row in standing if not row["late"]]
        approvals = [row for row in counted if row["outcome"] == "approve"]
        rights = Counter(row["on_behalf_of_id"] or row["decided_by_id"] for row in approvals)
        assert max(rights.values(), default=0) <= 1, f"one right approved twice: {approvals}"
        versions = {row["application_version"] for row in approvals}
        assert len(versions) <= 1, f"approved by halves of two versions: {approvals}"
        declined = len(approvals) < len(counted)
        assert len(approvals) <= task["approvals_required"], approvals
        if declined:
            assert (task["status"], task["outcome"]) == ("decided", "decline"), task
        elif len(approvals) == task["approvals_required"]:
            assert (task["status"], task["outcome"]) == ("decided", "approve"), task
        else:
            assert task["status"] != "decided", task

    def _paid_once(self, now: Record, case: Row) -> None:
        ledger = now.of_case(now.ledger, case)
        paid = self.outside.rail.payouts.get(f"payout-{case['reference']}")
        if case["status"] == Status.FUNDED:
            assert len(ledger) == 1
            assert ledger[0]["status"] == "paid", ledger
            assert ledger[0]["amount"] == case["loan_amount"]
            assert paid == {
                "amount": f"{case['loan_amount']:.2f}",
                "currency": case["currency"],
                "reference": case["reference"],
            }, f"{case['reference']} is funded, the rail has {paid}"
        elif is_terminal(case["status"]):
            assert paid is None, f"{case['reference']} is {case['status']} and was paid"
        known = ledger[0]["status"] if ledger else ""
        if known == "paid":
            assert case["status"] == Status.FUNDED, case
        if known in {"refused", "not_paid"}:
            assert paid is None, f"{case['reference']}: {known}, it is said, and it was paid"

    def _approved_if_funded(self, now: Record, case: Row) -> None:
        if case["status"] != Status.FUNDED:
            return
        tasks = {
            task["kind"]: task
            for task in now.of_case(now.tasks, case)
            if task["attempt"] == case["attempt"] and task["status"] == "decided"
        }
        approved = [
            row
            for row in now.decisions
            if row["task_id"] == tasks.get("manager_approval", {}).get("id")
            and (row["outcome"], row["late"], row["voided_at"]) == ("approve", False, None)
        ]
        above = case["loan_amount"] > self.manager_ceiling
        rights = [row["on_behalf_of_id"] or row["decided_by_id"] for row in approved]
        wanted = 1 if case["loan_amount"] >= self.policy.approval_threshold else 0
        if case["sin_last4"] == "5555":  # a bureau is down
            wanted = 1
        if case["loan_amount"] >= self.policy.second_approval_threshold:
            wanted = 2
        assert len(rights) >= wanted, f"{wanted} approvals are asked for: {approved}"
        seniors = self.seniors.intersection(rights)
        assert len(seniors) >= (wanted if above else wanted - 1), approved
        cleared = {
            task["id"]
            for task in now.of_case(now.tasks, case)
            if (task["kind"], task["outcome"]) == ("fraud_review", "approve")
        }
        told = {row["key"] for row in now.incidents}
        for row in now.callbacks:
            if now.attempt_of(row["execution_id"])[0] != case["id"] or not row["flagged_at"]:
                continue
            reviewed = row["flag_review_id"] in cleared
            assert reviewed or f"flagged/{row['id']}" in told, f"funded with a flag: {row}"

    def _moved_as_allowed(self, case: Row) -> None:
        moved = self.moves.of[case["id"]]
        assert moved[-1] == (case["attempt"], case["status"]), (moved, case)
        for (attempt, status), (new_attempt, new) in pairwise(moved):
            assert status == new or Status(new) in ALLOWED[Status(status)], moved
            assert new_attempt - attempt in {0, 1}, moved
            restarted = status in {Status.NEEDS_ATTENTION, Status.EXPIRED} and status != new
            # Also without Operations: an edit voided what was approved.
            if new == Status.SUBMITTED and status not in {Status.DRAFT, new}:
                assert new_attempt == attempt + 1, moved
            elif restarted:
                assert new in LEFT_BY_OPERATIONS, f"it went on past Operations: {moved}"

    def _waits_for_whom_it_asks(self, now: Record, case: Row) -> None:
        tasks = now.of_case(now.tasks, case)
        asked = [
            task["assigned_role"]
            for task in tasks
            if task["status"] == "open" and task["attempt"] == case["attempt"]
        ]
        assert not [
            task for task in tasks if task["status"] == "open" and task["attempt"] < case["attempt"]
        ], tasks
        if asked:
            assert asked == [case["waiting_on"]], (asked, case)

    def _over_when_closed(self, now: Record, case: Row) -> None:
        held = case["status"] == Status.NEEDS_ATTENTION
        if not is_terminal(case["status"]) and not held:
            return
        tasks = now.of_case(now.tasks, case)
        assert not [task for task in tasks if task["status"] == "open"], tasks
        assert (case["waiting_on"], case["waiting_since"], case["waiting_until"]) == (
            "",
            None,
            None,
        ), case
        waiting = [
            row
            for row in now.callbacks
            if now.attempt_of(row["execution_id"]) == (case["id"], case["attempt"])
            and row["status"] in {"open", "answered"}
        ]
        assert not waiting, f"{case['reference']} is {case['status']}: {waiting}"
        letters = [
            row["key"]
            for row in now.messages
            if row["key"].startswith(f"closed/{case['reference']}-")
        ]
        assert len(letters) == len(set(letters))
        due = f"closed/{case['reference']}-{case['attempt']}"
        assert (due in letters) == (case["status"] in CLOSED_WITH_A_LETTER), (case, letters)

    def _incident_says_why(self, now: Record, case: Row) -> None:
        if case["status"] == Status.NEEDS_ATTENTION:
            incidents = now.of_case(now.incidents, case)
            assert [row for row in incidents if row["status"] != "resolved"], incidents

    def _answers_are_on_their_way(self, now: Record) -> None:
        messages = {row["callback_id"]: row for row in now.messages if row["callback_id"]}
        told = {row["message_id"] for row in now.incidents if row["status"] != "resolved"}
        for callback in now.callbacks:
            if callback["answer"] is None:
                continue
            message = messages[callback["id"]]
            match message["status"]:
                case OutboxMessage.Status.DEAD if callback["status"] == "answered":
                    assert message["id"] in told, f"given up, and nothing says so: {message}"
                case OutboxMessage.Status.CANCELLED:
                    assert callback["status"] in {"cancelled", "expired", "delivered"}, callback

    def _decisions_stay(self, now: Record) -> None:
        kept = {
            row["id"]: (row["task_id"], row["decided_by_id"], row["outcome"])
            for row in now.decisions
        }
        assert self.accepted.items() <= kept.items(), (self.accepted, kept)
        late = {row["id"] for row in now.decisions if row["late"]}
        assert {row["id"] for row in self.before.decisions if row["late"]} <= late

    def _nothing_goes_back(self, now: Record) -> None:
        keyed = Counter(row["key"] for row in now.events if row["key"])
        assert max(keyed.values(), default=0) <= 1, keyed
        assert {row["id"] for row in self.before.events} <= {row["id"] for row in now.events}
        for old in self.before.applications:
            new = now.case[old["id"]]
            assert new["version"] >= old["version"]
            assert new["attempt"] >= old["attempt"]
            if is_terminal(old["status"]) and new["attempt"] == old["attempt"]:
                assert [new[name] for name in UNCHANGING] == [old[name] for name in UNCHANGING]
        for then, since in (
            (self.before.tasks, now.tasks),
            (self.before.callbacks, now.callbacks),
            (self.before.executions, now.executions),
            (self.before.messages, now.messages),
            (self.before.incidents, now.incidents),
            (self.before.decisions, now.decisions),
        ):
            assert {row["id"] for row in then} <= {row["id"] for row in since}
