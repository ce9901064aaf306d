"""The hypothesis state machine: what may happen to an office, in any order.

Its rules act through ``model.office``; after each of them ``model.promises`` must hold.
"""

import sys
from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lending.choices import Outcome
from tests import casework
from tests.hard_cases.model.durable import DurableExecution
from tests.hard_cases.model.engine import VERBS
from tests.hard_cases.model.office import CASES, Office
from tests.hard_cases.model.outside import MOODS, POINTS
from tests.hard_cases.model.record import Row
from tests.hard_cases.model.rest import come_to_rest

DELEGATIONS = [
    (delegator, to)
    for delegator in ("manager", "senior", "analyst", "boss")
    for to in ("standin", "manager", "senior")
    if to != delegator
]
pick = st.integers(0, 30)
outcomes = st.sampled_from([Outcome.APPROVE, Outcome.APPROVE, Outcome.DECLINE])
forgeries = st.sampled_from(
    [
        '{"outcome": "approve"}',
        '{"outcome": "decline"}',
        '{"outcome": "expired"}',
        '{"result": "passed"}',
        '{"result": "flagged"}',
        "[]",
        "approve",
    ]
)
verdicts = st.sampled_from(["passed", "flagged"])


def one[T](of: list[T], number: int) -> T:
    return of[number % len(of)]


class Model(RuleBasedStateMachine):
    """Rules choose from what there is by number, so that an example can be made smaller."""

    def __init__(self, make_office: Callable[[], Office]) -> None:
        super().__init__()
        self.office = make_office()

    @initialize(
        kind=st.sampled_from(sorted(CASES)),
        acceptance=st.booleans(),
        tries=st.integers(1, 3),
        by=st.sampled_from(["officer", "boss", "partner"]),
        operations=st.integers(0, 18) | st.integers(12, 18),
        verdict=st.sampled_from(["passed", "passed", "flagged", None]),
        dies_at=st.sampled_from([None, None, *POINTS]),
        mood=st.sampled_from(MOODS),
        answers_find=st.sampled_from([True, True, True, False]),
        moods=st.dictionaries(
            st.sampled_from(["event", "answer", "stop"]), st.sampled_from(["down", "deaf"])
        ),
        delegations=st.lists(st.sampled_from(DELEGATIONS), max_size=2),
    )
    def open_the_office(
        self,
        kind: str,
        acceptance: bool,
        tries: int,
        by: str,
        operations: int,
        verdict: str | None,
        dies_at: str | None,
        mood: str,
        answers_find: bool,
        moods: dict[str, str],
        delegations: list[tuple[str, str]],
    ) -> None:
        """One case, somewhere on its way, in a world that is good to it or not."""
        self.office.delegate_some(delegations)
        self.rail_mood(mood, answers_find)
        self.office.engine.mood |= moods
        if dies_at is not None:
            die = partial(self.office.death.comes_after, 0)
            self.office.outside.meanwhile[dies_at] = die
        casework.change_policies(offer_acceptance_required=acceptance, fraud_check_attempts=tries)
        self.office.submit(kind, getattr(self.office.people, by))
        self.office.go_on(operations=operations, verdict=verdict)

    @invariant()
    def every_promise_holds(self) -> None:
        self.office.check()

    def teardown(self) -> None:
        if sys.exception() is None:  # else the example has failed already
            come_to_rest(self.office)

    # --- What there is to choose from -------------------------------------------------------

    @property
    def cases(self) -> list[Row]:
        return self.office.now.applications

    @property
    def tasks(self) -> list[Row]:
        return self.office.now.tasks

    @property
    def open_tasks(self) -> list[Row]:
        return [row for row in self.tasks if row["status"] == "open"]

    @property
    def fraud_callbacks(self) -> list[Row]:
        return [row for row in self.office.now.callbacks if row["review_task_id"] is None]

    @property
    def incidents(self) -> list[Row]:
        return [row for row in self.office.now.incidents if row["status"] != "resolved"]

    @property
    def executions(self) -> list[DurableExecution]:
        return list(self.office.engine.executions.values())

    @property
    def ever(self) -> list[DurableExecution]:
        """Also those that the engine has lost."""
        return self.executions + self.office.engine.lost

    def messages(self, *statuses: str) -> list[Row]:
        return [row for row in self.office.now.messages if row["status"] in statuses]

    def with_status(self, *statuses: str) -> list[Row]:
        return [row for row in self.cases if row["status"] in statuses]

    # --- People -----------------------------------------------------------------------------

    @precondition(lambda self: len(self.cases) < 2)
    @rule(kind=st.sampled_from(sorted(CASES)), by=st.sampled_from(["officer", "boss", "partner"]))
    def submit(self, kind: str, by: str) -> None:
        self.office.submit(kind, getattr(self.office.people, by))

    @rule(number=pick, by=st.sampled_from(["officer", "boss"]))
    def edit(self, number: int, by: str) -> None:
        self.office.edit(one(self.cases, number), getattr(self.office.people, by))

    @precondition(lambda self: self.open_tasks)
    @rule(number=pick, outcome=outcomes)
    def decide_rightly(self, number: int, outcome: Outcome) -> None:
        self.office.decide_rightly(one(self.open_tasks, number), outcome)

    @precondition(lambda self: self.tasks)
    @rule(number=pick, first=pick, outcome=outcomes, version=st.sampled_from([None, None, 0, 1]))
    def decide_anyhow(self, number: int, first: int, outcome: Outcome, version: int | None) -> None:
        """Everybody decides something that was ever asked, one after another, whoever may.

        Perhaps on an old version.
        """
        task = one((self.open_tasks + self.tasks)[:3], number)
        if version is not None:
            version = max(1, self.office.now.case[task["application_id"]]["version"] - version)
        people = self.office.people.may_decide()
        for offset in range(len(people)):
            self.office.decide(task, one(people, first + offset), outcome, version=version)

    @precondition(lambda self: any(row["kind"] == "offer_acceptance" for row in self.tasks))
    @rule(number=pick, outcome=outcomes)
    def answer_offer(self, number: int, outcome: Outcome) -> None:
        self.office.answer_offer(one(self.cases, number), outcome)

    @rule(pairs=st.lists(st.sampled_from(DELEGATIONS), max_size=1))
    def delegate(self, pairs: list[tuple[str, str]]) -> None:
        """One more delegation, or an end of all there are."""
        if pairs:
            self.office.delegate_some(pairs)
        else:
            self.office.revoke()

    # --- Operations -------------------------------------------------------------------------

    @precondition(lambda self: self.with_status("needs_attention", "expired"))
    @rule(number=pick)
    def restart(self, number: int) -> None:
        self.office.restart(one(self.with_status("needs_attention", "expired"), number))

    @precondition(lambda self: self.with_status("needs_attention"))
    @rule(
        number=pick,
        mood=st.sampled_from(["pays", "pays", *MOODS]),
        paid=st.sampled_from([None, True, False]),
        then=st.sampled_from(["nothing", "restart", "withdraw"]),
    )
    def mend(self, number: int, mood: str, paid: bool | None, then: str) -> None:
        """The rail behaves by now, or not; a payout is settled, rightly or not; and so on."""
        case = one(self.with_status("needs_attention"), number)
        self.rail_mood(mood, answers_find=True)
        if paid is not None:
            self.office.settle(case, paid=paid)
        if then != "nothing":
            getattr(self.office, then)(case)

    @rule(
        number=pick,
        what=st.sampled_from(["pause", "resume", "stop", "withdraw", "withdraw"]),
        unheard=st.booleans(),
    )
    def hold(self, number: int, what: str, unheard: bool) -> None:
        """Apply one obstacle to an application; only one, so that most still proceed.

        Perhaps the engine does not hear of it, and its executions go on.
        """
        if unheard:
            self.office.engine.mood["stop"] = "down"
        getattr(self.office, what)(one(self.cases, number))
        for execution in self.executions if unheard else []:
            self.office.run_on(execution)

    @precondition(lambda self: self.incidents)
    @rule(number=pick, what=st.sampled_from(["acknowledge", "resolve"]))
    def look_at_incident(self, number: int, what: str) -> None:
        getattr(self.office, what)(one(self.incidents, number))

    @precondition(lambda self: self.messages("dead"))
    @rule(number=pick)
    def resend(self, number: int) -> None:
        self.office.resend(one(self.messages("dead"), number))

    @rule()
    def reconcile(self) -> None:
        if self.office.engine.mood.get("look") is None:
            self.office.reconcile()

    # --- What leaves, and what comes in -------------------------------------------------------

    @rule()
    def deliver(self) -> None:
        self.office.deliver()

    @precondition(lambda self: self.messages("sent", "pending"))
    @rule(number=pick)
    def redeliver(self, number: int) -> None:
        self.office.redeliver(one(self.messages("sent", "pending"), number))

    @precondition(lambda self: self.messages("pending"))
    @rule(number=pick)
    def give_up(self, number: int) -> None:
        self.office.give_up(one(self.messages("pending"), number))

    @precondition(lambda self: self.office.engine.events)
    @rule(number=pick, verdict=verdicts)
    def fraud_function(self, number: int, verdict: str) -> None:
        self.office.fraud_function(one(self.office.engine.events, number), verdict)

    @precondition(lambda self: self.fraud_callbacks)
    @rule(number=pick, verdict=verdicts)
    def answer(self, number: int, verdict: str) -> None:
        self.office.answer(one(self.fraud_callbacks, number), verdict)

    @precondition(lambda self: self.office.engine.open_callbacks())
    @rule(number=pick, answer=forgeries)
    def forge(self, number: int, answer: str) -> None:
        """Somebody answers the engine past the office."""
        self.office.engine.forge(one(self.office.engine.open_callbacks(), number), answer)

    # --- The workflow -------------------------------------------------------------------------

    @rule()
    def fair_weather(self) -> None:
        self.office.fair_weather()

    @rule(
        operations=st.integers(1, 6),
        verdict=st.sampled_from(["passed", "flagged", None]),
        outcome=outcomes,
    )
    def go_on(self, operations: int, verdict: str | None, outcome: Outcome) -> None:
        self.office.go_on(operations=operations, verdict=verdict, outcome=outcome)

    @precondition(lambda self: self.executions)
    @rule(number=pick)
    def run_on(self, number: int) -> None:
        self.office.run_on(one(self.executions, number))

    @precondition(lambda self: self.executions)
    @rule(number=pick, dies_after=st.none() | st.integers(0, 30), forgetful=st.booleans())
    def advance(self, number: int, dies_after: int | None, forgetful: bool) -> None:
        """One operation. The process may die in it, or before its checkpoint."""
        if dies_after is not None:
            self.office.death.comes_after(dies_after)
        self.office.advance(one(self.executions, number), forgetful=forgetful)

    @precondition(lambda self: any(execution.bodies for execution in self.ever))
    @rule(of=pick, only=st.none() | st.integers(0, 3) | st.integers(0, 12))
    def replay(self, of: int, only: int | None) -> None:
        """The steps of a run, or one of them, run again, whatever became of that run."""
        ran = [execution for execution in self.ever if execution.bodies]
        bodies = list(one(ran, of).bodies.values())[::-1]
        for body in bodies[::-1] if only is None else [one(bodies, only)]:
            self.office.replay(body)

    @precondition(lambda self: self.executions)
    @rule(
        number=pick,
        point=st.sampled_from(POINTS),
        what=st.sampled_from(
            ["die", "withdraw", "stop", "restart", "approve", "decline", "paid", "not paid", "flag"]
        ),
    )
    def meanwhile(self, number: int, point: str, what: str) -> None:
        """While somebody outside is asked the next time, something else happens here."""
        case = one(self.cases, number)
        office = self.office
        acts: dict[str, Callable[[], object]] = {
            "die": partial(office.death.comes_after, 0),
            "withdraw": partial(office.withdraw, case),
            "stop": partial(office.stop, case),
            "restart": partial(office.restart, case),
            "approve": partial(self._decide_what_is_open, Outcome.APPROVE),
            "decline": partial(self._decide_what_is_open, Outcome.DECLINE),
            "paid": partial(office.settle, case, paid=True),
            "not paid": partial(office.settle, case, paid=False),
            "flag": self._flag_what_is_asked,
        }
        office.outside.meanwhile[point] = acts[what]

    def _decide_what_is_open(self, outcome: Outcome) -> None:
        for task in self.open_tasks:
            self.office.decide_rightly(task, outcome)

    def _flag_what_is_asked(self) -> None:
        for callback in self.fraud_callbacks:
            self.office.answer(callback, "flagged")

    # --- Time ---------------------------------------------------------------------------------

    @precondition(lambda self: self.open_tasks)
    @rule(number=pick, share=st.sampled_from([0.2, 0.5, 1.0]))
    def time_passes(self, number: int, share: float) -> None:
        self.office.time_passes(one(self.open_tasks, number), share=share)

    @rule()
    def pass_deadlines(self) -> None:
        self.office.pass_deadlines()

    @precondition(lambda self: self.office.engine.open_callbacks())
    @rule(number=pick)
    def engine_times_out(self, number: int) -> None:
        self.office.engine_times_out(one(self.office.engine.open_callbacks(), number).id)

    # --- Trouble outside ------------------------------------------------------------------------

    @rule(verb=st.sampled_from(VERBS), mood=st.sampled_from(["down", "deaf", None]))
    def engine_mood(self, verb: str, mood: str | None) -> None:
        if mood is None:
            self.office.engine.mood.pop(verb, None)
        else:
            self.office.engine.mood[verb] = mood

    @rule(mood=st.sampled_from(MOODS), answers_find=st.sampled_from([True, True, True, False]))
    def rail_mood(self, mood: str, answers_find: bool) -> None:
        self.office.outside.rail.mood = mood
        self.office.outside.rail.answers_find = answers_find

    @precondition(lambda self: self.executions)
    @rule(
        number=pick,
        how=st.sampled_from(["TIMED_OUT", "STOPPED", "lost", "paused"]),
        noticed=st.booleans(),
    )
    def engine_ends_it(self, number: int, how: str, noticed: bool) -> None:
        """The execution runs out of time, is stopped or held past the office, or is lost."""
        execution = one(self.executions, number)
        if how == "lost":
            self.office.engine.lose(execution)
        elif how == "paused":
            execution.paused = execution.status == "RUNNING"
        else:
            self.office.engine.end(execution, how)
        if noticed:
            self.reconcile()
