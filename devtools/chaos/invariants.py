"""Compare acknowledgements with the database and the engine. Pure: values in, findings out.

- *lost*: an acknowledged application or decision is missing, or has no effect.
- *doubled*: something that may exist once exists twice; money for an application that is not
  funded.
- *stuck*: after the wait for the end something is still open, for the product or a person.
- *wrong*: an application ended otherwise than by policy and decisions, or two records disagree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from applications.choices import Status
from devtools.chaos.acknowledgements import AcknowledgedApplication, Acknowledgements, Reply, State
from devtools.chaos.approvals import approvals_missing, decisions_missing
from devtools.chaos.findings import Fault, Finding, grouped
from devtools.chaos.oracle import instalment
from devtools.chaos.plan import PlannedDecision
from devtools.chaos.snapshot import ApplicationSnapshot, Snapshot
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus

FINAL = frozenset({Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED})
# Timeline entries that an application may have more than once.
REPEATABLE = {"late_answer", "flagged_late", "not_decided"}
TOO_LATE = "409 wrong-state"  # the answer to a withdrawal after disbursing began


def check_invariants(*, acknowledgements: Acknowledgements, snapshot: Snapshot) -> list[Finding]:
    """Return every violation of an acknowledgement or invariant; empty when there is none."""
    findings = [
        *_lost(acknowledgements, snapshot),
        *_doubled(acknowledgements, snapshot),
        *_stuck(acknowledgements, snapshot),
    ]
    findings += _wrong(acknowledgements, snapshot)
    order = list(Fault)
    return sorted(findings, key=lambda found: (order.index(found.fault), found.subject))


def expected_statuses(application: AcknowledgedApplication) -> frozenset[Status]:
    """Return the final statuses that policy and acknowledgements allow; empty: still open."""
    expected = _expected_without_withdrawal(application)
    if application.withdrawal is None or application.withdrawal.state == State.REFUSED:
        return expected
    if application.withdrawal.state == State.ACKNOWLEDGED:
        return frozenset({Status.WITHDRAWN})
    return expected | {Status.WITHDRAWN}


def _expected_without_withdrawal(application: AcknowledgedApplication) -> frozenset[Status]:
    expected_path = application.planned.expected_path
    if expected_path.declined:
        return frozenset({Status.DECLINED})
    approvals: Counter[TaskKind] = Counter()
    for decision in application.planned.decisions:
        reply = application.decisions.get(decision)
        if reply is not None and reply.state == State.UNANSWERED:  # it may have been applied or not
            approved = all(other.approved for other in application.planned.decisions)
            return frozenset({Status.FUNDED if approved else Status.DECLINED})
        if reply is None or reply.state != State.ACKNOWLEDGED:
            return frozenset()
        if not decision.approved:
            return frozenset({Status.DECLINED})
        approvals[decision.kind] += 1
    complete = all(approvals[ask.kind] >= ask.approvals for ask in expected_path.asks)
    return frozenset({Status.FUNDED}) if complete else frozenset()


# --- Lost -------------------------------------------------------------------------------


def _lost(acknowledgements: Acknowledgements, snapshot: Snapshot) -> Iterator[Finding]:
    there = {application.reference for application in snapshot.applications}
    given = {(found.reference, found.kind, found.person): found for found in snapshot.decisions}
    tasks = {(task.reference, task.kind): task for task in snapshot.tasks}
    for application in acknowledgements.by_reference.values():
        reference = application.reference
        if reference not in there:
            yield Finding(Fault.LOST, reference, "acknowledged, but there is no such application")
            continue
        for decision, reply in application.decisions.items():
            if reply.state != State.ACKNOWLEDGED:
                continue
            who = f"{decision.person}'s {_description(decision)}"
            row = given.get((reference, decision.kind.value, decision.person))
            if row is None:
                yield Finding(Fault.LOST, reference, f"{who} was acknowledged and is not there")
            elif row.late:
                yield Finding(Fault.LOST, reference, f"{who} was acknowledged and not applied")
            elif decision == _deciding(application, decision.kind):
                task = tasks[reference, decision.kind.value]
                if (task.status, task.outcome) != (TaskStatus.DECIDED, _outcome(decision)):
                    yield Finding(
                        Fault.LOST,
                        reference,
                        f"{who} had no effect: the task is {task.status} {task.outcome}".strip(),
                    )


def _deciding(application: AcknowledgedApplication, kind: TaskKind) -> PlannedDecision | None:
    """The acknowledged decision that closes this task, if there is one."""
    ask = next((ask for ask in application.planned.expected_path.asks if ask.kind == kind), None)
    given = [
        decision
        for decision, reply in application.decisions.items()
        if decision.kind == kind and reply.state == State.ACKNOWLEDGED
    ]
    for number, decision in enumerate(given, start=1):
        if not decision.approved or (ask is not None and number == ask.approvals):
            return decision
    return None


# --- Doubled ----------------------------------------------------------------------------


def _doubled(acknowledgements: Acknowledgements, snapshot: Snapshot) -> Iterator[Finding]:
    yield from _doubled_applications(acknowledgements, snapshot)
    yield from _doubled_money(snapshot)
    yield from _doubled_rows(snapshot)
    yield from _doubled_in_engine(snapshot)


def _doubled_applications(
    acknowledgements: Acknowledgements, snapshot: Snapshot
) -> Iterator[Finding]:
    for external_id, applications in grouped(
        snapshot.applications, lambda application: application.external_id
    ).items():
        if len(applications) > 1:
            known = (
                acknowledgements.applications[external_id].reference
                if external_id in acknowledgements.applications
                else ""
            )
            others = ", ".join(
                f"{application.reference} ({application.status})" for application in applications
            )
            yield Finding(
                Fault.DOUBLED,
                known or applications[0].reference,
                f"{len(applications)} applications for {external_id}: {others}",
            )


def _doubled_money(snapshot: Snapshot) -> Iterator[Finding]:
    status = {application.reference: application.status for application in snapshot.applications}
    for order, count in _repeated(payout.order for payout in snapshot.payouts):
        yield Finding(Fault.DOUBLED, order, f"the rail paid {count} times")
    for payout in snapshot.payouts:
        if status.get(payout.order) != Status.FUNDED:
            stands = status.get(payout.order, "unknown here")
            yield Finding(
                Fault.DOUBLED, payout.order, f"the rail paid, but the application is {stands}"
            )
    for reference, count in _repeated(row.reference for row in snapshot.ledger):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} ledger rows")


def _doubled_rows(snapshot: Snapshot) -> Iterator[Finding]:
    for (reference, kind, person), count in _repeated(
        (found.reference, found.kind, found.person) for found in snapshot.decisions
    ):
        yield Finding(Fault.DOUBLED, reference, f"{person} decided {kind} {count} times")
    for reference, count in _repeated(offer.reference for offer in snapshot.offers):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} offers")
    for (reference, pk), count in _repeated(
        (message.reference, message.callback)
        for message in snapshot.messages
        if message.callback is not None
    ):
        yield Finding(Fault.DOUBLED, reference, f"callback {pk} has {count} deliveries")
    approvals = {
        (task.reference, f"{task.kind}_approved"): task.approvals_required
        for task in snapshot.tasks
    }
    for line, count in _repeated((line.reference, line.kind) for line in snapshot.timeline):
        reference, kind = line
        if kind not in REPEATABLE and count > approvals.get(line, 1):
            why = f"“{kind}” stands {count} times in the timeline"
            yield Finding(Fault.DOUBLED, reference, why)


def _doubled_in_engine(snapshot: Snapshot) -> Iterator[Finding]:
    recorded = {record.name: record.reference for record in snapshot.executions}
    for reference, count in _repeated(recorded.values()):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} executions")
    for name, count in _repeated(execution.name for execution in snapshot.engine):
        subject = recorded.get(name, name)
        yield Finding(Fault.DOUBLED, subject, f"the engine has {count} executions named {name}")
    for execution in snapshot.engine:
        if execution.name not in recorded:
            yield Finding(
                Fault.DOUBLED, execution.name, "the engine runs what there is no record of"
            )


# --- Stuck ------------------------------------------------------------------------------


def _stuck(acknowledgements: Acknowledgements, snapshot: Snapshot) -> Iterator[Finding]:
    """One finding an application, with all of its symptoms; incidents first."""
    why: dict[str, list[str]] = defaultdict(list)
    duplicates = {
        row.reference for row in snapshot.applications if _is_duplicate(acknowledgements, row)
    }
    for subject, symptom in (*_unfinished(snapshot, duplicates), *_unanswered(acknowledgements)):
        why[subject].append(symptom)
    for subject, symptoms in why.items():
        yield Finding(Fault.STUCK, subject, "; ".join(symptoms))


def _unfinished(snapshot: Snapshot, duplicates: set[str]) -> Iterator[tuple[str, str]]:
    """Subject and symptom of everything that has not ended. ``duplicates`` are ignored."""
    for incident in snapshot.incidents:
        if incident.status != "resolved":
            yield incident.reference, f"incident: {incident.sentence}"
    for message in snapshot.messages:
        if message.status in {"pending", "dead"}:
            summary = f": {message.last_error}" if message.last_error else ""
            yield (
                message.reference or message.key,
                f"{message.key} is {message.status} after {message.attempts} tries{summary}",
            )
    running = {execution.name for execution in snapshot.engine if execution.status == "RUNNING"}
    for row in snapshot.applications:
        if row.status not in FINAL and row.reference not in duplicates:
            handed_over = row.status == Status.NEEDS_ATTENTION
            waits = f", waiting for {row.waiting_on}" if row.waiting_on else ""
            yield (
                row.reference,
                "handed to Operations" if handed_over else f"silently {row.status}{waits}",
            )
    for record in snapshot.executions:
        if record.reference not in duplicates:
            if record.ended_at is None:
                yield record.reference, f"the record says that {record.name} is {record.status}"
            if record.name in running:
                yield record.reference, f"{record.name} still runs in the engine"
    for callback in snapshot.callbacks:
        if callback.status in {"open", "answered"} and callback.reference not in duplicates:
            yield callback.reference, f"callback {callback.name} is {callback.status}"


def _unanswered(acknowledgements: Acknowledgements) -> Iterator[tuple[str, str]]:
    """Subject and symptom of every request without an answer."""
    for application in acknowledgements.applications.values():
        name = application.reference or application.planned.external_id
        for what, reply in _replies(application):
            if reply.state == State.UNANSWERED:
                yield name, f"{what} was never answered; last: {reply.summary}"
        if application.submission is None:
            yield name, "the submission was never begun"


def _is_duplicate(acknowledgements: Acknowledgements, row: ApplicationSnapshot) -> bool:
    """A second application of one submission: reported as doubled, and nobody decides it."""
    application = acknowledgements.applications.get(row.external_id)
    return (
        application is not None
        and bool(application.reference)
        and application.reference != row.reference
    )


# --- Wrong ------------------------------------------------------------------------------


def _wrong(acknowledgements: Acknowledgements, snapshot: Snapshot) -> Iterator[Finding]:
    rows = {row.reference: row for row in snapshot.applications}
    for application in acknowledgements.by_reference.values():
        row = rows.get(application.reference)
        if row is not None:
            yield from _wrong_end(application, row)
            yield from _wrong_money(application, row, snapshot)
    for application in acknowledgements.applications.values():
        yield from _wrong_refusal(application)
    yield from approvals_missing(acknowledgements, snapshot)
    yield from decisions_missing(snapshot)
    yield from _wrong_records(snapshot)


def _wrong_end(application: AcknowledgedApplication, row: ApplicationSnapshot) -> Iterator[Finding]:
    expected = expected_statuses(application)
    if row.status in FINAL and row.status not in expected:
        rather = " or ".join(sorted(expected)) or "still open"
        yield Finding(Fault.WRONG, row.reference, f"it is {row.status} and should be {rather}")


def _wrong_refusal(application: AcknowledgedApplication) -> Iterator[Finding]:
    """The plan has no forbidden requests: only a withdrawal may cross with a decision."""
    for what, reply in _replies(application):
        crossed = application.withdrawn or (
            reply is application.withdrawal and TOO_LATE in reply.summary
        )
        if reply.state == State.REFUSED and not crossed:
            yield Finding(
                Fault.WRONG,
                application.reference or application.planned.external_id,
                f"{what} was refused: {reply.summary}",
            )


def _wrong_money(
    application: AcknowledgedApplication, row: ApplicationSnapshot, snapshot: Snapshot
) -> Iterator[Finding]:
    planned, reference = application.planned, row.reference
    rate = planned.expected_path.annual_rate
    facts: list[tuple[str, object, object]] = [("the amount", row.amount, planned.amount)]
    for offer in snapshot.offers:
        if offer.reference == reference:
            facts += [
                ("the offer's principal", offer.principal, planned.amount),
                ("the offer's rate", offer.annual_rate, rate),
                (
                    "the instalment",
                    offer.monthly_payment,
                    instalment(amount=planned.amount, annual_rate=rate),
                ),
            ]
    paid = [row for row in snapshot.ledger if row.reference == reference]
    for ledger in paid:
        facts.append(("the ledger's amount", ledger.amount, planned.amount))
        facts.append(("the ledger's currency", ledger.currency, row.currency))
    at_rail = [payout for payout in snapshot.payouts if payout.order == reference]
    for payout in at_rail:
        facts.append(("the payout", payout.amount, planned.amount))
        facts.append(("the payout's currency", payout.currency, row.currency))
    for what, found, expected in facts:
        if found != expected:
            yield Finding(Fault.WRONG, reference, f"{what} is {found} and should be {expected}")
    booked = any(ledger.status == "paid" for ledger in paid)
    if booked and not at_rail:
        yield Finding(Fault.WRONG, reference, "the ledger says paid, the rail knows of nothing")
    if row.status == Status.FUNDED and not booked:
        yield Finding(Fault.WRONG, reference, "it is funded, but the ledger does not say paid")


def _wrong_records(snapshot: Snapshot) -> Iterator[Finding]:
    by_name = {execution.name: execution for execution in snapshot.engine}
    for record in snapshot.executions:
        execution = by_name.get(record.name)
        if execution is None:
            # A start that was cancelled before it was delivered is unknown to the engine.
            if record.status not in {"STOPPED", "QUEUED"}:
                yield Finding(
                    Fault.WRONG,
                    record.reference,
                    f"the record has {record.name} as {record.status}, the engine has none",
                )
        elif execution.status != record.status:
            yield Finding(
                Fault.WRONG,
                record.reference,
                f"{record.name} is {record.status} in the record "
                f"and {execution.status} in the engine",
            )
        elif record.arn and record.arn != execution.arn:
            yield Finding(Fault.WRONG, record.reference, f"{record.name} has another ARN there")


# --- Small parts ------------------------------------------------------------------------


def _replies(application: AcknowledgedApplication) -> Iterator[tuple[str, Reply]]:
    """Every reply about an application, with what it was a reply to."""
    if application.submission is not None:
        yield "the submission", application.submission
    for decision, reply in application.decisions.items():
        yield f"{decision.person}'s {_description(decision)}", reply
    if application.withdrawal is not None:
        yield "the withdrawal", application.withdrawal


def _repeated[T](things: Iterable[T]) -> Sequence[tuple[T, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]


def _outcome(decision: PlannedDecision) -> Outcome:
    return Outcome.APPROVE if decision.approved else Outcome.DECLINE


def _description(decision: PlannedDecision) -> str:
    return f"{'approval' if decision.approved else 'decline'} ({decision.kind})"
