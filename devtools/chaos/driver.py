"""Act as the partners and staff of a run: submit, withdraw and decide, over HTTP only.

Every answer is recorded in ``Acknowledgements``; nothing here reads the database. Each person
is one thread with one session.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from applications.choices import Status
from devtools.chaos.acknowledgements import AcknowledgedApplication, Acknowledgements, Reply, State
from devtools.chaos.client import Answer, Client, GaveUp, elapsed
from devtools.chaos.plan import Occasion, Plan, PlannedDecision
from loanoffice.demo_logins import PASSWORD
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS

APPLICATIONS = "/api/v1/applications/"
POLL_PAUSE = 0.5  # seconds between two reads of the list
WITHDRAWAL_PAUSE = 0.2  # seconds between two checks for withdrawals that are due
PAGE = 100
REASON = "Declined by the chaos run."


class Driver:
    """Start and stop the threads; ``submitting`` is true while a submission has no answer."""

    def __init__(
        self, *, plan: Plan, acknowledgements: Acknowledgements, base: str, keys: Sequence[str]
    ) -> None:
        """``keys``: one partner's key for each thread that submits."""
        self.acknowledgements = acknowledgements
        self.base = base
        self.keys = keys
        self.over = threading.Event()
        self.failed: list[str] = []  # unexpected errors: they make the run invalid
        self._applications = list(acknowledgements.applications.values())
        self._key_of = {
            application.planned.external_id: keys[number % len(keys)]
            for number, application in enumerate(self._applications)
        }
        people = {
            decision.person
            for application in plan.applications
            for decision in application.decisions
        }
        self.partners = [self._thread(self._submit_all, key) for key in keys]
        self.partners.append(self._thread(self._withdraw_all))
        self.staff = [self._thread(self._decide_all, person) for person in sorted(people)]

    def start(self) -> None:
        for thread in (*self.partners, *self.staff):
            thread.start()

    @property
    def submitting(self) -> bool:
        return any(application.submission is None for application in self._applications)

    @property
    def complete(self) -> bool:
        return all(application.complete for application in self._applications)

    def stop(self) -> None:
        """End every thread; a request without an answer is recorded as unanswered."""
        self.over.set()
        for thread in (*self.partners, *self.staff):
            if thread.ident is not None:
                thread.join()

    def _thread(self, work: Any, *arguments: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*arguments)
            except GaveUp:
                return  # the run is over; the answer is recorded as missing
            except Exception as error:  # noqa: BLE001 - reported as a failed run
                self.failed.append(f"{work.__name__.strip('_')}: {type(error).__name__}: {error}")
                self.over.set()

        return threading.Thread(target=guarded, name=work.__name__, daemon=True)

    def _client(self) -> Client:
        return Client(
            self.base, over=self.over, lost=lambda: self.acknowledgements.count("lost answers")
        )

    # --- Partners -----------------------------------------------------------------------

    def _submit_all(self, key: str) -> None:
        client = self._client()
        for application in self._applications:
            if self.over.is_set():
                break
            if self._key_of[application.planned.external_id] == key:
                self._submit(client, application, key)
        client.close()

    def _submit(self, client: Client, application: AcknowledgedApplication, key: str) -> None:
        planned = application.planned
        self.acknowledgements.count("submissions begun")
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
                headers=_authorization(key) | _idempotency_key(f"submit-{planned.external_id}"),
            )
        except GaveUp as gave_up:
            application.submission = Reply(State.UNANSWERED, gave_up.summary)
            raise
        if not 200 <= answer.status < 300:
            application.submission = Reply(State.REFUSED, answer.summary)
            return
        application.reference = str(answer.body["reference"])
        application.submitted_at = time.monotonic()
        application.submission = Reply(State.ACKNOWLEDGED)
        self.acknowledgements.count("submitted")

    def _withdraw_all(self) -> None:
        client = self._client()
        left = [
            application
            for application in self._applications
            if application.planned.withdrawal is not None
        ]
        while left and not self.over.wait(WITHDRAWAL_PAUSE):
            for application in [
                application for application in left if self._withdrawal_is_due(client, application)
            ]:
                self._withdraw(client, application)
                left.remove(application)
            left = [
                application
                for application in left
                if application.submission is None or application.reference
            ]
        client.close()

    def _withdrawal_is_due(self, client: Client, application: AcknowledgedApplication) -> bool:
        withdrawal = application.planned.withdrawal
        if withdrawal is None or not application.reference:
            return False
        if withdrawal.occasion == Occasion.SUBMITTED:
            return elapsed(application.submitted_at) >= withdrawal.pause
        if withdrawal.occasion == Occasion.DECIDED:
            return (
                application.next_decision is None
                and elapsed(application.decided_at) >= withdrawal.pause
            )
        key = self._key_of[application.planned.external_id]
        read = client.ask(
            "GET", f"{APPLICATIONS}{application.reference}/", headers=_authorization(key)
        )
        return any(_waits_for(kind, read.body) for kind in REVIEW_KINDS)

    def _withdraw(self, client: Client, application: AcknowledgedApplication) -> None:
        key = self._key_of[application.planned.external_id]
        try:
            answer = client.ask(
                "POST",
                f"{APPLICATIONS}{application.reference}/withdraw/",
                headers=_authorization(key)
                | _idempotency_key(f"withdraw-{application.planned.external_id}"),
            )
        except GaveUp as gave_up:
            application.withdrawal = Reply(State.UNANSWERED, gave_up.summary)
            raise
        accepted = answer.status == 200
        application.withdrawal = Reply(
            State.ACKNOWLEDGED if accepted else State.REFUSED, answer.summary
        )
        self.acknowledgements.count("withdrawals accepted" if accepted else "withdrawals refused")

    # --- Staff --------------------------------------------------------------------------

    def _decide_all(self, person: str) -> None:
        client = self._client()
        client.log_in(person, PASSWORD)
        while any(
            self._may_still_decide(application, person) for application in self._applications
        ):
            mine = list(self._waiting(client, person))
            for row, application, decision in mine:
                if not self.over.is_set():
                    self.decide(client, application, decision, version=int(row["version"]))
            if self.over.wait(0 if mine else POLL_PAUSE):
                break
        client.close()

    @staticmethod
    def _may_still_decide(application: AcknowledgedApplication, person: str) -> bool:
        """Return true while this person has a decision to make, now or later."""
        if application.submission is not None and not application.reference:
            return False
        return application.next_decision is not None and any(
            decision.person == person and decision not in application.decisions
            for decision in application.planned.decisions
        )

    def _waiting(
        self, client: Client, person: str
    ) -> Iterator[tuple[dict[str, Any], AcknowledgedApplication, PlannedDecision]]:
        """Yield the listed applications that this person is to decide now, by plan and by role."""
        applications = self.acknowledgements.by_reference
        kinds = {
            decision.kind
            for application in applications.values()
            for decision in application.planned.decisions
            if decision.person == person
        }
        for kind in sorted(kinds):
            query = urlencode({"status": REVIEW_KINDS[kind].status.value, "page_size": PAGE})
            page: str | None = f"{APPLICATIONS}?{query}"
            while page:
                listed = client.ask("GET", page)
                if listed.status != 200:
                    raise PermissionError(f"{person} may not read the list: {listed.summary}")
                for row in listed.body["results"]:
                    application = applications.get(row["reference"])
                    decision = application.next_decision if application else None
                    if application is None or decision is None or decision.person != person:
                        continue
                    if decision.kind == kind and _waits_for(kind, row):
                        yield row, application, decision
                page = listed.body["next"]

    def decide(
        self,
        client: Client,
        application: AcknowledgedApplication,
        decision: PlannedDecision,
        *,
        version: int,
    ) -> None:
        self.acknowledgements.count("decisions begun")
        body: dict[str, object] = {"approved": decision.approved, "version": version}
        if not decision.approved:
            body["reason"] = REASON
        lost = 0
        try:
            while True:
                key = f"decide-{application.reference}-{decision.kind}-{body['version']}"
                answer = client.ask(
                    "POST",
                    f"{APPLICATIONS}{application.reference}/decision/",
                    body,
                    headers=_idempotency_key(key) if decision.keyed else {},
                )
                lost += answer.lost
                if answer.problem != "/problems/stale-version":
                    break
                read = client.ask("GET", f"{APPLICATIONS}{application.reference}/")
                body["version"] = int(read.body["version"])
            reply = self._reply(client, application, decision, answer, lost=lost)
        except GaveUp as gave_up:
            application.decisions[decision] = Reply(State.UNANSWERED, gave_up.summary)
            raise
        application.decided_at = time.monotonic()
        application.decisions[decision] = reply
        self.acknowledgements.count(f"decisions {reply.state}")

    def _reply(
        self,
        client: Client,
        application: AcknowledgedApplication,
        decision: PlannedDecision,
        answer: Answer,
        *,
        lost: int,
    ) -> Reply:
        """Classify an answer to a decision.

        "Already decided, by you" is an acknowledgement. After a lost answer any refusal may
        be about what came after one's own decision, so the application is read: when it neither
        waits for this role any more nor was withdrawn, the decision is what moved it.
        """
        by_oneself = (f" by {decision.person} at ", " by you at ")
        if answer.status == 200 or (
            answer.problem == "/problems/already-decided"
            and any(words in answer.summary for words in by_oneself)
        ):
            return Reply(State.ACKNOWLEDGED, answer.summary)
        if lost:
            read = client.ask("GET", f"{APPLICATIONS}{application.reference}/")
            moved_on = not _waits_for(decision.kind, read.body)
            if moved_on and read.body["status"] != Status.WITHDRAWN:
                self.acknowledgements.count("decisions acknowledged by reading")
                return Reply(State.ACKNOWLEDGED, f"{answer.summary}; read: {read.body['status']}")
        return Reply(State.REFUSED, answer.summary)


def _authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _idempotency_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def _waits_for(kind: TaskKind, row: dict[str, Any]) -> bool:
    """Return true when the application waits for a role that decides tasks of this kind."""
    who = (row["waiting_on"] or {}).get("who", "")
    return any(assignee.role == who for assignee in REVIEW_KINDS[kind].assignees)
