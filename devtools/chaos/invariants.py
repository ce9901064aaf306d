"""Compares what was promised with what stands written. Pure: values in, findings out.

- *lost*: an acknowledged application or decision is not there, or has no effect.
- *doubled*: something that may be there once is there twice; money for a case that is not
  funded.
- *stuck*: after the wait for the end something is still open, for the product or a person.
- *wrong*: a case ended otherwise than policy and people said, or two records disagree.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from applications.choices import Status
from devtools.chaos.acknowledgements import CaseTold, Reply, State, Told
from devtools.chaos.oracle import instalment
from devtools.chaos.plan import SENIORS, PlannedDecision
from devtools.chaos.snapshot import ApplicationSnapshot, Books, Decision
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus

FINAL = frozenset({Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED})
# A line of the timeline that may stand there more than once a case.
LATE_ANSWER = "late_answer"
TOO_LATE = "409 wrong-state"  # what a withdrawal is told when the case has gone too far


class Fault(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """``subject``: a reference where there is one."""

    fault: Fault
    subject: str
    why: str


def judge(*, told: Told, books: Books) -> list[Finding]:
    """Everything that is not as it was promised; empty when all is well."""
    findings = [*_lost(told, books), *_doubled(told, books), *_stuck(told, books)]
    findings += _wrong(told, books)
    order = list(Fault)
    return sorted(findings, key=lambda found: (order.index(found.fault), found.subject))


def expected_statuses(case: CaseTold) -> frozenset[Status]:
    """How the case may end, by policy and by what was acknowledged; empty: not at all."""
    undisturbed = _undisturbed(case)
    if case.withdrawal is None or case.withdrawal.state == State.REFUSED:
        return undisturbed
    if case.withdrawal.state == State.ACKNOWLEDGED:
        return frozenset({Status.WITHDRAWN})
    return undisturbed | {Status.WITHDRAWN}


def _undisturbed(case: CaseTold) -> frozenset[Status]:
    course = case.planned.course
    if course.declined:
        return frozenset({Status.DECLINED})
    approvals: Counter[TaskKind] = Counter()
    for decision in case.planned.decisions:
        reply = case.decisions.get(decision)
        if reply is not None and reply.state == State.UNANSWERED:  # it counts, or it does not
            approved = all(other.approved for other in case.planned.decisions)
            return frozenset({Status.FUNDED if approved else Status.DECLINED})
        if reply is None or reply.state != State.ACKNOWLEDGED:
            return frozenset()
        if not decision.approved:
            return frozenset({Status.DECLINED})
        approvals[decision.kind] += 1
    complete = all(approvals[ask.kind] >= ask.approvals for ask in course.asks)
    return frozenset({Status.FUNDED}) if complete else frozenset()


# --- Lost -------------------------------------------------------------------------------


def _lost(told: Told, books: Books) -> Iterator[Finding]:
    there = {case.reference for case in books.cases}
    given = {(found.reference, found.kind, found.person): found for found in books.decisions}
    tasks = {(task.reference, task.kind): task for task in books.tasks}
    for case in told.by_reference.values():
        reference = case.reference
        if reference not in there:
            yield Finding(Fault.LOST, reference, "acknowledged, but there is no such application")
            continue
        for decision, reply in case.decisions.items():
            if reply.state != State.ACKNOWLEDGED:
                continue
            who = f"{decision.person}'s {_word(decision)}"
            row = given.get((reference, decision.kind.value, decision.person))
            if row is None:
                yield Finding(Fault.LOST, reference, f"{who} was acknowledged and is not there")
            elif row.late:
                yield Finding(Fault.LOST, reference, f"{who} was acknowledged and not applied")
            elif decision == _settling(case, decision.kind):
                task = tasks[reference, decision.kind.value]
                if (task.status, task.outcome) != (TaskStatus.DECIDED, _outcome(decision)):
                    yield Finding(
                        Fault.LOST,
                        reference,
                        f"{who} had no effect: the task is {task.status} {task.outcome}".strip(),
                    )


def _settling(case: CaseTold, kind: TaskKind) -> PlannedDecision | None:
    """The acknowledged decision that settles this task, if there is one."""
    ask = next((ask for ask in case.planned.course.asks if ask.kind == kind), None)
    given = [
        decision
        for decision, reply in case.decisions.items()
        if decision.kind == kind and reply.state == State.ACKNOWLEDGED
    ]
    for number, decision in enumerate(given, start=1):
        if not decision.approved or (ask is not None and number == ask.approvals):
            return decision
    return None


# --- Doubled ----------------------------------------------------------------------------


def _doubled(told: Told, books: Books) -> Iterator[Finding]:
    yield from _doubled_cases(told, books)
    yield from _doubled_money(books)
    yield from _doubled_rows(books)
    yield from _doubled_in_engine(books)


def _doubled_cases(told: Told, books: Books) -> Iterator[Finding]:
    for external_id, cases in _grouped(books.cases, lambda case: case.external_id).items():
        if len(cases) > 1:
            known = told.cases[external_id].reference if external_id in told.cases else ""
            others = ", ".join(f"{case.reference} ({case.status})" for case in cases)
            yield Finding(
                Fault.DOUBLED,
                known or cases[0].reference,
                f"{len(cases)} applications for {external_id}: {others}",
            )


def _doubled_money(books: Books) -> Iterator[Finding]:
    status = {case.reference: case.status for case in books.cases}
    for order, count in _repeated(payout.order for payout in books.payouts):
        yield Finding(Fault.DOUBLED, order, f"the rail paid {count} times")
    for payout in books.payouts:
        if status.get(payout.order) != Status.FUNDED:
            stands = status.get(payout.order, "unknown here")
            yield Finding(Fault.DOUBLED, payout.order, f"the rail paid, but the case is {stands}")
    for reference, count in _repeated(row.reference for row in books.ledger):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} ledger rows")


def _doubled_rows(books: Books) -> Iterator[Finding]:
    for (reference, kind, person), count in _repeated(
        (found.reference, found.kind, found.person) for found in books.decisions
    ):
        yield Finding(Fault.DOUBLED, reference, f"{person} decided {kind} {count} times")
    for reference, count in _repeated(offer.reference for offer in books.offers):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} offers")
    for (reference, pk), count in _repeated(
        (message.reference, message.callback)
        for message in books.messages
        if message.callback is not None
    ):
        yield Finding(Fault.DOUBLED, reference, f"callback {pk} has {count} deliveries")
    approvals = {
        (task.reference, f"{task.kind}_approved"): task.approvals_required for task in books.tasks
    }
    for line, count in _repeated((line.reference, line.kind) for line in books.timeline):
        reference, kind = line
        if kind != LATE_ANSWER and count > approvals.get(line, 1):
            why = f"“{kind}” stands {count} times in the timeline"
            yield Finding(Fault.DOUBLED, reference, why)


def _doubled_in_engine(books: Books) -> Iterator[Finding]:
    mirrored = {mirror.name: mirror.reference for mirror in books.mirrors}
    for reference, count in _repeated(mirrored.values()):
        yield Finding(Fault.DOUBLED, reference, f"there are {count} executions")
    for name, count in _repeated(run.name for run in books.engine):
        subject = mirrored.get(name, name)
        yield Finding(Fault.DOUBLED, subject, f"the engine has {count} executions named {name}")
    for run in books.engine:
        if run.name not in mirrored:
            yield Finding(Fault.DOUBLED, run.name, "the engine runs what there is no record of")


# --- Stuck ------------------------------------------------------------------------------


def _stuck(told: Told, books: Books) -> Iterator[Finding]:
    """One finding a case, with all of its symptoms; first what a person is told of it."""
    why: dict[str, list[str]] = defaultdict(list)
    copies = {row.reference for row in books.cases if _is_copy(told, row)}
    for subject, symptom in (*_unfinished(books, copies), *_unheard(told)):
        why[subject].append(symptom)
    for subject, symptoms in why.items():
        yield Finding(Fault.STUCK, subject, "; ".join(symptoms))


def _unfinished(books: Books, copies: set[str]) -> Iterator[tuple[str, str]]:
    """Subject and symptom of whatever has not come to its end. ``copies`` wait for nobody."""
    for trouble in books.troubles:
        if trouble.status != "resolved":
            yield trouble.reference, f"incident: {trouble.sentence}"
    for message in books.messages:
        if message.status in {"pending", "dead"}:
            said = f": {message.last_error}" if message.last_error else ""
            yield (
                message.reference or message.key,
                f"{message.key} is {message.status} after {message.attempts} tries{said}",
            )
    running = {run.name for run in books.engine if run.status == "RUNNING"}
    for row in books.cases:
        if row.status not in FINAL and row.reference not in copies:
            handed_over = row.status == Status.NEEDS_ATTENTION
            waits = f", waiting for {row.waiting_on}" if row.waiting_on else ""
            yield (
                row.reference,
                "handed to Operations" if handed_over else f"silently {row.status}{waits}",
            )
    for mirror in books.mirrors:
        if mirror.reference not in copies:
            if mirror.ended_at is None:
                yield mirror.reference, f"the record says that {mirror.name} is {mirror.status}"
            if mirror.name in running:
                yield mirror.reference, f"{mirror.name} still runs in the engine"
    for callback in books.callbacks:
        if callback.status in {"open", "answered"} and callback.reference not in copies:
            yield callback.reference, f"callback {callback.name} is {callback.status}"


def _unheard(told: Told) -> Iterator[tuple[str, str]]:
    """Subject and symptom of whoever got no answer."""
    for case in told.cases.values():
        name = case.reference or case.planned.external_id
        for what, reply in _replies(case):
            if reply.state == State.UNANSWERED:
                yield name, f"{what} was never answered; last: {reply.said}"
        if case.submission is None:
            yield name, "the submission was never begun"


def _is_copy(told: Told, row: ApplicationSnapshot) -> bool:
    """A second application of one submission: reported as doubled, and nobody decides it."""
    case = told.cases.get(row.external_id)
    return case is not None and bool(case.reference) and case.reference != row.reference


# --- Wrong ------------------------------------------------------------------------------


def _wrong(told: Told, books: Books) -> Iterator[Finding]:
    rows = {row.reference: row for row in books.cases}
    for case in told.by_reference.values():
        row = rows.get(case.reference)
        if row is not None:
            yield from _wrong_end(case, row)
            yield from _wrong_money(case, row, books)
    for case in told.cases.values():
        yield from _wrong_refusal(case)
    yield from _wrong_approvals(told, books)
    yield from _wrong_records(books)


def _wrong_end(case: CaseTold, row: ApplicationSnapshot) -> Iterator[Finding]:
    expected = expected_statuses(case)
    if row.status in FINAL and row.status not in expected:
        rather = " or ".join(sorted(expected)) or "still open"
        yield Finding(Fault.WRONG, row.reference, f"it is {row.status} and should be {rather}")


def _wrong_refusal(case: CaseTold) -> Iterator[Finding]:
    """Nobody sends what may not be done: only the withdrawal and the rest may cross."""
    for what, reply in _replies(case):
        crossed = case.withdrawn or (reply is case.withdrawal and TOO_LATE in reply.said)
        if reply.state == State.REFUSED and not crossed:
            yield Finding(
                Fault.WRONG,
                case.reference or case.planned.external_id,
                f"{what} was refused: {reply.said}",
            )


def _wrong_approvals(told: Told, books: Books) -> Iterator[Finding]:
    planned = {case.reference: case for case in told.by_reference.values()}
    by_case = _grouped(books.decisions, lambda found: found.reference)
    for row in books.cases:
        # A copy's course is that of the one it was copied from.
        case = planned.get(row.reference) or told.cases.get(row.external_id)
        if case is None or row.status != Status.FUNDED:
            continue
        for ask in case.planned.course.asks:
            approving = {
                found.person
                for found in by_case.get(row.reference, [])
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


def _wrong_money(case: CaseTold, row: ApplicationSnapshot, books: Books) -> Iterator[Finding]:
    planned, reference = case.planned, row.reference
    rate = planned.course.annual_rate
    facts: list[tuple[str, object, object]] = [("the amount", row.amount, planned.amount)]
    for offer in books.offers:
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
    paid = [row for row in books.ledger if row.reference == reference]
    for ledger in paid:
        facts.append(("the ledger's amount", ledger.amount, planned.amount))
        facts.append(("the ledger's currency", ledger.currency, row.currency))
    at_rail = [payout for payout in books.payouts if payout.order == reference]
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


def _wrong_records(books: Books) -> Iterator[Finding]:
    ran = {run.name: run for run in books.engine}
    for mirror in books.mirrors:
        run = ran.get(mirror.name)
        if run is None:
            # A start that was cancelled before it left is no execution anywhere else.
            if mirror.status not in {"STOPPED", "QUEUED"}:
                yield Finding(
                    Fault.WRONG,
                    mirror.reference,
                    f"the record has {mirror.name} as {mirror.status}, the engine has none",
                )
        elif run.status != mirror.status:
            yield Finding(
                Fault.WRONG,
                mirror.reference,
                f"{mirror.name} is {mirror.status} in the record and {run.status} in the engine",
            )
        elif mirror.arn and mirror.arn != run.arn:
            yield Finding(Fault.WRONG, mirror.reference, f"{mirror.name} has another ARN there")


# --- Small parts ------------------------------------------------------------------------


def _replies(case: CaseTold) -> Iterator[tuple[str, Reply]]:
    """Every reply of a case, with what it was a reply to."""
    if case.submission is not None:
        yield "the submission", case.submission
    for decision, reply in case.decisions.items():
        yield f"{decision.person}'s {_word(decision)}", reply
    if case.withdrawal is not None:
        yield "the withdrawal", case.withdrawal


def _grouped[T, K](things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups


def _repeated[T](things: Iterable[T]) -> Sequence[tuple[T, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]


def _outcome(decision: PlannedDecision) -> Outcome:
    return Outcome.APPROVE if decision.approved else Outcome.DECLINE


def _word(decision: PlannedDecision) -> str:
    return f"{'approval' if decision.approved else 'decline'} ({decision.kind})"
