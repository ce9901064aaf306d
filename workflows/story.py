"""The workflow in an application's story: executions, callbacks, messages and incidents.

The record has them always. The engine's history adds each operation with its retries, where the
engine can be asked and still has it; where not, a sentence says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Prefetch, Q
from django.utils.dateparse import parse_datetime

from applications.models import ApplicationEvent, LoanApplication
from audit.story import Facts, Kind, Line
from audit.times import moment
from core.traces.spans import trace_id_of
from workflows.admin import history
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox.emails import to_applicant
from workflows.outbox.splitting import SPLIT

FAILED = (Execution.Status.FAILED, Execution.Status.TIMED_OUT)
Status = OutboxMessage.Status


@dataclass
class WorkflowStory:
    """Lines, and a sentence for each history that could not be read."""

    lines: list[Line] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def workflow_story(application: LoanApplication) -> WorkflowStory:
    """Return the lines of the workflow; the engine is asked once for each execution."""
    executions = list(
        Execution.objects.filter(application=application)
        .order_by("attempt")
        .prefetch_related(Prefetch("callbacks", PendingCallback.objects.order_by("pk")))
    )
    story = WorkflowStory()
    for execution in executions:
        story.lines += [*_recorded(execution), *_callbacks(execution)]
        found, sentence = history.read(execution)
        story.lines += _operations(execution, found)
        if sentence:
            story.unread.append(f"{execution.name}: {sentence}")
    messages = _messages(application, executions)
    story.lines += [*_deliveries(messages), *_incidents(application)]
    return story


def _recorded(execution: Execution) -> Iterator[Line]:
    begun = {"execution": execution.name, "request": execution.request_id}
    begun["trace"] = trace_id_of(execution.traceparent)
    ended = f"Execution ended: {execution.get_status_display().lower()}"
    moments: list[tuple[datetime | None, str, dict[str, str]]] = [
        (execution.queued_at, "Execution queued", begun),
        (execution.started_at, "Execution started", {}),
        (execution.paused_at, "Execution paused", {}),
        (execution.ended_at, ended, {"error": execution.error}),
    ]
    for at, what, facts in moments:
        if at is not None:
            yield _line(execution, at, Kind.EXECUTION, what, facts)


def _callbacks(execution: Execution) -> Iterator[Line]:
    for callback in execution.callbacks.all():
        opened = {
            "until": moment(callback.expires_at),
            "status now": callback.get_status_display().lower(),
            "trace": trace_id_of(callback.traceparent),
        }
        moments: list[tuple[datetime | None, str, dict[str, str]]] = [
            (callback.opened_at, f"Waits for an answer: {callback.name}", opened),
            (callback.flagged_at, f"Flagged: {callback.name}", {}),
            (callback.answered_at, f"Answer recorded: {callback.name}", {}),
            (callback.delivered_at, f"Answer delivered: {callback.name}", {}),
        ]
        for at, what, facts in moments:
            if at is not None:
                yield _line(execution, at, Kind.CALLBACK, what, facts)


def _operations(execution: Execution, found: Iterable[history.Shown]) -> Iterator[Line]:
    for event in found:
        what = f"{event.event}: {event.name}" if event.name else event.event
        yield _line(execution, event.at, Kind.ENGINE, what, {"details": event.details})


def _line(execution: Execution, at: datetime, kind: Kind, what: str, facts: dict[str, str]) -> Line:
    return Line(at=at, kind=kind, what=what, attempt=execution.attempt, facts=_said(facts))


def _said(facts: dict[str, str]) -> Facts:
    return tuple((name, value) for name, value in facts.items() if value)


def _messages(application: LoanApplication, executions: list[Execution]) -> list[OutboxMessage]:
    """Load the messages; webhooks have lines of their own, and a split letter one for each."""
    rows = OutboxMessage.objects.filter(Q(execution__in=executions) | Q(application=application))
    rows = rows.exclude(note__startswith=SPLIT).exclude(kind=OutboxMessage.Kind.WEBHOOK)
    return list(rows.select_related("execution").order_by("pk"))


def _deliveries(messages: list[OutboxMessage]) -> Iterator[Line]:
    """Yield when each message was queued, each try that failed, and how it ended."""
    logins = _logins(messages)
    for message in messages:
        is_mail = message.kind == OutboxMessage.Kind.EMAIL
        kind = Kind.EMAIL if is_mail else Kind.DELIVERY
        what = message.get_kind_display()
        attempt = message.execution.attempt if message.execution else None
        about = {"message": str(message.pk), "to": _recipient(message, logins) if is_mail else ""}
        begun = about | {"trace": trace_id_of(message.traceparent)}
        if message.status in {Status.PENDING, Status.CANCELLED}:
            begun["status now"] = message.get_status_display().lower()
        forgotten = message.attempts - len(message.failures) - (message.sent_at is not None)
        if forgotten > 0:
            begun["failed tries without a time"] = str(forgotten)
        moments = [(message.created_at, "queued", begun)]
        for number, failure in enumerate(message.failures, start=1):
            at = parse_datetime(failure["at"]) or message.created_at
            last = number == len(message.failures) and message.status == Status.DEAD
            result = "given up" if last else "a try failed"
            moments.append((at, result, about | {"error": failure["error"]}))
        if message.status == Status.DEAD and not message.failures:
            moments.append((message.due_at, "given up", about | {"error": message.last_error}))
        if message.sent_at is not None:
            subject = str((message.letter or {}).get("subject", ""))
            result = message.note.lower() or "sent"
            moments.append((message.sent_at, result, about | {"subject": subject}))
        for at, result, facts in moments:
            yield Line(at, kind, f"{what}: {result}", "", attempt, _said(facts))


def _logins(messages: Iterable[OutboxMessage]) -> dict[int, str]:
    people = {message.payload["user"] for message in messages if "user" in message.payload}
    return dict(User.objects.filter(pk__in=people).values_list("pk", "username"))


def _recipient(message: OutboxMessage, logins: dict[int, str]) -> str:
    """Return whom an e-mail goes to: a login or the applicant, and the masked address once sent."""
    if to_applicant(message.payload):
        who = "the applicant"
    elif "user" in message.payload:
        who = logins.get(message.payload["user"], "")
    else:
        who = "staff, each by a message of their own"
    addresses = ", ".join((message.letter or {}).get("to", ()))
    return f"{who} ({addresses})" if addresses else who


def _incidents(application: LoanApplication) -> Iterator[Line]:
    """Yield the incidents. That a person acknowledged or resolved one is in the audit log.

    Not so where it was resolved with something else, such as a restart.
    """
    events = ApplicationEvent.objects.filter(application=application, kind="incident_resolved")
    told = {data.get("incident") for data in events.values_list("data", flat=True)}
    incidents = Incident.objects.filter(application=application).order_by("pk")
    for incident in incidents.select_related("resolved_by"):
        kind, number = incident.get_kind_display(), ("incident", str(incident.pk))
        status = ("status now", incident.get_status_display().lower())
        yield Line(
            at=incident.opened_at,
            kind=Kind.INCIDENT,
            what=f"{kind}: {incident.sentence}",
            facts=(number, status),
        )
        if incident.resolved_at is not None and str(incident.pk) not in told:
            yield Line(
                at=incident.resolved_at,
                kind=Kind.INCIDENT,
                what=f"{kind}: resolved",
                who=incident.resolved_by.get_username() if incident.resolved_by else "",
                facts=_said({"incident": str(incident.pk), "note": incident.note}),
            )
