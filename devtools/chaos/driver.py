"""Partners who submit and withdraw, staff who decide: over HTTP only, as everybody does.

What they were told stands in ``Told``; nothing here looks into the database. Each person
is one thread with one session.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from applications.choices import Status
from devtools.chaos.acknowledgements import CaseTold, Reply, State, Told
from devtools.chaos.client import Answer, Client, GaveUp, elapsed
from devtools.chaos.plan import Occasion, Plan, PlannedDecision
from devtools.demo_data import PASSWORD
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS

APPLICATIONS = "/api/v1/applications/"
LOOK_PAUSE = 0.5  # seconds between two looks at the list
WITHDRAWAL_PAUSE = 0.2  # seconds between two looks at what is to be withdrawn
PAGE = 100
REASON = "Declined by the chaos run."


class Driver:
    """Starts the threads; ``submitting`` is true while partners still have work to do."""

    def __init__(self, *, plan: Plan, told: Told, base: str, keys: Sequence[str]) -> None:
        """``keys``: one partner's key for each thread that submits."""
        self.told = told
        self.base = base
        self.keys = keys
        self.over = threading.Event()
        self.failed: list[str] = []  # what should not happen: the run is no proof then
        self._cases = list(told.cases.values())
        self._key_of = {
            case.planned.external_id: keys[number % len(keys)]
            for number, case in enumerate(self._cases)
        }
        people = {decision.person for case in plan.applications for decision in case.decisions}
        self.partners = [self._thread(self._submit_all, key) for key in keys]
        self.partners.append(self._thread(self._withdraw_all))
        self.staff = [self._thread(self._decide_all, person) for person in sorted(people)]

    def start(self) -> None:
        for thread in (*self.partners, *self.staff):
            thread.start()

    @property
    def submitting(self) -> bool:
        return any(case.submission is None for case in self._cases)

    @property
    def complete(self) -> bool:
        return all(case.complete for case in self._cases)

    def stop(self) -> None:
        """End every thread; what has no answer by now is noted as unanswered."""
        self.over.set()
        for thread in (*self.partners, *self.staff):
            if thread.ident is not None:
                thread.join()

    def _thread(self, work: Any, *arguments: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*arguments)
            except GaveUp:
                return  # the run is over; what is missing stands in ``told``
            except Exception as error:  # noqa: BLE001 - told to whoever runs this
                self.failed.append(f"{work.__name__.strip('_')}: {type(error).__name__}: {error}")
                self.over.set()

        return threading.Thread(target=guarded, name=work.__name__, daemon=True)

    def _client(self) -> Client:
        return Client(self.base, over=self.over, lost=lambda: self.told.count("lost answers"))

    # --- Partners -----------------------------------------------------------------------

    def _submit_all(self, key: str) -> None:
        client = self._client()
        for case in self._cases:
            if self.over.is_set():
                break
            if self._key_of[case.planned.external_id] == key:
                self._submit(client, case, key)
        client.close()

    def _submit(self, client: Client, case: CaseTold, key: str) -> None:
        planned = case.planned
        self.told.count("submissions begun")
        try:
            answer = client.ask(
                "POST",
                APPLICATIONS,
                {
                    "applicant_name": f"Chaos {planned.external_id}",
                    "email": f"{planned.external_id}@example.com",
                    "sin_last4": planned.sin_last4,
                    "annual_income": "85000.00",
                    "loan_amount": f"{planned.amount:.2f}",
                    "external_id": planned.external_id,
                },
                headers=_partner(key) | _once(f"submit-{planned.external_id}"),
            )
        except GaveUp as gave_up:
            case.submission = Reply(State.UNANSWERED, gave_up.said)
            raise
        if not 200 <= answer.status < 300:
            case.submission = Reply(State.REFUSED, answer.said)
            return
        case.reference = str(answer.body["reference"])
        case.submitted_at = time.monotonic()
        case.submission = Reply(State.ACKNOWLEDGED)
        self.told.count("submitted")

    def _withdraw_all(self) -> None:
        client = self._client()
        left = [case for case in self._cases if case.planned.withdrawal is not None]
        while left and not self.over.wait(WITHDRAWAL_PAUSE):
            for case in [case for case in left if self._withdrawal_is_due(client, case)]:
                self._withdraw(client, case)
                left.remove(case)
            left = [case for case in left if case.submission is None or case.reference]
        client.close()

    def _withdrawal_is_due(self, client: Client, case: CaseTold) -> bool:
        withdrawal = case.planned.withdrawal
        if withdrawal is None or not case.reference:
            return False
        if withdrawal.occasion == Occasion.SUBMITTED:
            return elapsed(case.submitted_at) >= withdrawal.pause
        if withdrawal.occasion == Occasion.DECIDED:
            return case.next_decision is None and elapsed(case.decided_at) >= withdrawal.pause
        key = self._key_of[case.planned.external_id]
        read = client.ask("GET", f"{APPLICATIONS}{case.reference}/", headers=_partner(key))
        return any(_waits_for(kind, read.body) for kind in REVIEW_KINDS)

    def _withdraw(self, client: Client, case: CaseTold) -> None:
        key = self._key_of[case.planned.external_id]
        try:
            answer = client.ask(
                "POST",
                f"{APPLICATIONS}{case.reference}/withdraw/",
                headers=_partner(key) | _once(f"withdraw-{case.planned.external_id}"),
            )
        except GaveUp as gave_up:
            case.withdrawal = Reply(State.UNANSWERED, gave_up.said)
            raise
        accepted = answer.status == 200
        case.withdrawal = Reply(State.ACKNOWLEDGED if accepted else State.REFUSED, answer.said)
        self.told.count("withdrawals accepted" if accepted else "withdrawals refused")

    # --- Staff --------------------------------------------------------------------------

    def _decide_all(self, person: str) -> None:
        client = self._client()
        client.log_in(person, PASSWORD)
        while any(self._may_come(case, person) for case in self._cases):
            mine = list(self._waiting(client, person))
            for row, case, decision in mine:
                if not self.over.is_set():
                    self.decide(client, case, decision, version=int(row["version"]))
            if self.over.wait(0 if mine else LOOK_PAUSE):
                break
        client.close()

    @staticmethod
    def _may_come(case: CaseTold, person: str) -> bool:
        """This person still has something to decide here, now or later."""
        if case.submission is not None and not case.reference:
            return False
        return case.next_decision is not None and any(
            decision.person == person and decision not in case.decisions
            for decision in case.planned.decisions
        )

    def _waiting(
        self, client: Client, person: str
    ) -> Iterator[tuple[dict[str, Any], CaseTold, PlannedDecision]]:
        """The rows of this person's lists that are theirs to decide now, by plan and by role."""
        cases = self.told.by_reference
        kinds = {
            decision.kind
            for case in cases.values()
            for decision in case.planned.decisions
            if decision.person == person
        }
        for kind in sorted(kinds):
            query = urlencode({"status": REVIEW_KINDS[kind].status.value, "page_size": PAGE})
            page: str | None = f"{APPLICATIONS}?{query}"
            while page:
                listed = client.ask("GET", page)
                if listed.status != 200:
                    raise PermissionError(f"{person} may not read the list: {listed.said}")
                for row in listed.body["results"]:
                    case = cases.get(row["reference"])
                    decision = case.next_decision if case else None
                    if case is None or decision is None or decision.person != person:
                        continue
                    if decision.kind == kind and _waits_for(kind, row):
                        yield row, case, decision
                page = listed.body["next"]

    def decide(
        self, client: Client, case: CaseTold, decision: PlannedDecision, *, version: int
    ) -> None:
        self.told.count("decisions begun")
        body: dict[str, object] = {"approved": decision.approved, "version": version}
        if not decision.approved:
            body["reason"] = REASON
        lost = 0
        try:
            while True:
                key = f"decide-{case.reference}-{decision.kind}-{body['version']}"
                answer = client.ask(
                    "POST",
                    f"{APPLICATIONS}{case.reference}/decision/",
                    body,
                    headers=_once(key) if decision.keyed else {},
                )
                lost += answer.lost
                if answer.problem != "/problems/stale-version":
                    break
                read = client.ask("GET", f"{APPLICATIONS}{case.reference}/")
                body["version"] = int(read.body["version"])
            reply = self._reply(client, case, decision, answer, lost=lost)
        except GaveUp as gave_up:
            case.decisions[decision] = Reply(State.UNANSWERED, gave_up.said)
            raise
        case.decided_at = time.monotonic()
        case.decisions[decision] = reply
        self.told.count(f"decisions {reply.state}")

    def _reply(
        self,
        client: Client,
        case: CaseTold,
        decision: PlannedDecision,
        answer: Answer,
        *,
        lost: int,
    ) -> Reply:
        """What an answer means to the one who decided.

        "Already decided, by you" is an acknowledgement. After a lost answer any refusal may
        be about what came after one's own decision, so the case is read: when it neither
        waits for this role any more nor was withdrawn, the decision is what moved it.
        """
        by_oneself = (f" by {decision.person} at ", " by you at ")
        if answer.status == 200 or (
            answer.problem == "/problems/already-decided"
            and any(words in answer.said for words in by_oneself)
        ):
            return Reply(State.ACKNOWLEDGED, answer.said)
        if lost:
            read = client.ask("GET", f"{APPLICATIONS}{case.reference}/")
            moved_on = not _waits_for(decision.kind, read.body)
            if moved_on and read.body["status"] != Status.WITHDRAWN:
                self.told.count("decisions acknowledged by reading")
                return Reply(State.ACKNOWLEDGED, f"{answer.said}; read: {read.body['status']}")
        return Reply(State.REFUSED, answer.said)


def _partner(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _once(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def _waits_for(kind: TaskKind, row: dict[str, Any]) -> bool:
    """Whether an application waits for somebody who decides tasks of this kind."""
    who = (row["waiting_on"] or {}).get("who", "")
    return any(assignee.role == who for assignee in REVIEW_KINDS[kind].assignees)
