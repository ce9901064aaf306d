"""The timeline of one application: people, rules, workflow, deliveries and incidents in one order.

The log on the application's page has what partners may see too. This page adds who did it and in
which request, the workflow's steps, deliveries and incidents. The engine is asked only on request;
otherwise the stored executions are shown.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from applications.admin.view_helpers import application_or_refuse
from applications.choices import Level
from applications.models import ApplicationEvent, LoanApplication
from applications.services.notes import NOTED, notes_of
from audit import times
from audit.words import in_words
from core.admin.base import NoDeleteAdmin, staff
from core.admin.display import person_name
from core.admin.view_helpers import admin_page
from workflows.admin import history
from workflows.admin.messages import names_of, recipient_of
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox.splitting import SPLIT

ENGINE = "engine"


class Source(models.TextChoices):
    """The source of a line of the timeline."""

    PERSON = "person", "People and partners"
    APPLICATION = "application", "Application"
    WORKFLOW = "workflow", "Workflow"
    DELIVERY = "delivery", "Deliveries"
    INCIDENT = "incident", "Incidents"


# A source is shown only with the permission to see its rows elsewhere.
PERMISSIONS = {
    Source.WORKFLOW: "workflows.view_execution",
    Source.DELIVERY: "workflows.view_outboxmessage",
    Source.INCIDENT: "workflows.view_incident",
}
# What the page shows until somebody chooses.
OPENS_ON = (Source.PERSON, Source.APPLICATION)
LABELS = {
    Source.PERSON: "Person",
    Source.APPLICATION: "Application",
    Source.WORKFLOW: "Workflow",
    Source.DELIVERY: "Delivery",
    Source.INCIDENT: "Incident",
}
TONES = {
    Source.PERSON: "fresh",
    Source.APPLICATION: "info",
    Source.WORKFLOW: "quiet",
    Source.DELIVERY: "wait",
    Source.INCIDENT: "alert",
}


# Functions of the apps above that add deliveries that this person may see.
ALSO_DELIVERED: "list[Callable[[LoanApplication, User], Iterable[Line]]]" = []


@dataclass(frozen=True)
class Line:
    """One line. ``facts`` are label (or nothing) and value, ``order`` breaks a tie of times."""

    at: datetime
    source: Source
    what: str
    who: str = ""
    step: str = ""
    facts: tuple[tuple[str, str], ...] = field(default=())
    is_bad: bool = False
    by_partner: bool = False
    order: int = 0

    @property
    def label(self) -> str:
        return "Partner" if self.by_partner else LABELS[self.source]

    @property
    def tone(self) -> str:
        return TONES[self.source]

    @property
    def day(self) -> datetime:
        return timezone.localtime(self.at).replace(hour=0, minute=0, second=0, microsecond=0)


@require_safe
def timeline_view(
    request: HttpRequest, *, pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponse:
    """Render the page. ``?show=`` (several) picks sources, ``?workflow=engine`` asks the engine."""
    application = application_or_refuse(model_admin, request, pk)
    user = staff(request)
    allowed = [
        source
        for source in Source
        if source not in PERMISSIONS or user.has_perm(PERMISSIONS[source])
    ]
    ask_engine = request.GET.get("workflow") == ENGINE and Source.WORKFLOW in allowed
    asked = {*request.GET.getlist("show"), *([Source.WORKFLOW] if ask_engine else [])}
    chosen = [source for source in allowed if source in asked] or list(OPENS_ON)
    lines, sentences = gather(application, set(chosen), ask_engine=ask_engine)
    if Source.DELIVERY in chosen:
        more = (found for add in ALSO_DELIVERED for found in add(application, user))
        lines = in_order([*lines, *more])
    return admin_page(
        model_admin,
        request,
        "workflows/admin/timeline.html",
        title=f"Timeline of {application.reference}",
        original=application,
        days=[(day, list(rows)) for day, rows in groupby(lines, key=lambda line: line.day)],
        count=len(lines),
        sources=[(source, source in chosen) for source in allowed],
        can_ask_engine=Source.WORKFLOW in allowed,
        ask_engine=ask_engine,
        sentences=sentences,
    )


def gather(
    application: LoanApplication, sources: set[Source], *, ask_engine: bool
) -> tuple[list[Line], list[str]]:
    """Return the lines, oldest first, and sentences about what could not be read."""
    lines = [line for line in _events(application) if line.source in sources]
    sentences: list[str] = []
    executions = list(
        Execution.objects.filter(application=application)
        .order_by("attempt")
        .prefetch_related(Prefetch("callbacks", PendingCallback.objects.order_by("pk")))
    )
    if Source.WORKFLOW in sources:
        for execution in executions:
            found, sentence = history.read(execution) if ask_engine else ([], "")
            if sentence:
                sentences.append(f"{execution.name}: {sentence}")
            lines += _from_engine(execution, found) if found else _recorded(execution)
    if Source.DELIVERY in sources:
        lines += _deliveries(application, executions)
    if Source.INCIDENT in sources:
        lines += _incidents(application)
    return in_order(lines), sentences


def in_order(lines: list[Line]) -> list[Line]:
    """Sort the oldest first."""
    return sorted(lines, key=lambda line: (line.at, line.order))


def _events(application: LoanApplication) -> Iterator[Line]:
    events = list(
        ApplicationEvent.objects.filter(application=application).select_related("actor", "partner")
    )
    noted = any(event.kind == NOTED for event in events)
    texts = {note.pk: note.text for note in notes_of(application=application)} if noted else {}
    for event in events:
        who = person_name(event.actor) if event.actor else str(event.partner or "")
        note = texts.get(event.data.get("note")) if event.kind == NOTED else None
        facts = [*_facts(event.data)] if note is None else []
        if event.request_id and who:  # what the workflow does for it carries the same one
            facts.append(("request", event.request_id))
        if event.is_internal:
            facts.append(("shown to", "staff only"))
        yield Line(
            at=event.at,
            source=Source.PERSON if who else Source.APPLICATION,
            what=event.message if note is None else f"Note: {note}",
            who=who,
            step=event.get_step_display(),
            facts=tuple(facts),
            is_bad=event.level == Level.ERROR,
            by_partner=event.actor_id is None and event.partner_id is not None,
            order=event.pk,
        )


def _facts(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an event's data as pairs: ``{"loan_amount": ["1.00", "2.00"]}`` is a change."""
    for name, value in data.items():
        if value in ("", None, [], {}):
            continue
        parts = value if isinstance(value, list) else [value]
        yield name.replace("_", " "), " to ".join(in_words(name, part) for part in parts)


def _from_engine(execution: Execution, found: Iterable[history.Shown]) -> Iterator[Line]:
    for event in found:
        yield Line(
            at=event.at,
            source=Source.WORKFLOW,
            what=f"{event.event}: {event.name}" if event.name else event.event,
            who=f"Attempt {execution.attempt}",
            facts=(("", event.details),) if event.details else (),
            is_bad=event.is_bad,
            order=event.number,
        )


def _recorded(execution: Execution) -> Iterator[Line]:
    """Yield the lines of a stored execution and its callbacks."""
    request = (("request", execution.request_id),) if execution.request_id else ()
    moments: list[tuple[datetime | None, str, tuple[tuple[str, str], ...], bool]] = [
        (execution.queued_at, "Execution queued", request, False),
        (execution.started_at, "Execution started", (), False),
        (execution.paused_at, "Execution paused", (), False),
        (
            execution.ended_at,
            f"Execution ended: {execution.get_status_display().lower()}",
            (("error", execution.error),) if execution.error else (),
            execution.status in {Execution.Status.FAILED, Execution.Status.TIMED_OUT},
        ),
    ]
    for callback in execution.callbacks.all():
        until = (("until", times.moment(callback.expires_at)),)
        moments += [
            (callback.opened_at, f"Waits for an answer: {callback.what}", until, False),
            (callback.answered_at, f"Answer recorded: {callback.what}", (), False),
            (callback.delivered_at, f"Answer delivered: {callback.what}", (), False),
        ]
    for number, (at, what, facts, is_bad) in enumerate(moments):
        if at is not None:
            yield Line(
                at=at,
                source=Source.WORKFLOW,
                what=what,
                who=f"Attempt {execution.attempt}",
                facts=facts,
                is_bad=is_bad,
                order=number,
            )


def _deliveries(application: LoanApplication, executions: list[Execution]) -> Iterator[Line]:
    rows = OutboxMessage.objects.filter(
        Q(execution__in=executions) | Q(application=application)
    ).exclude(note__startswith=SPLIT)
    messages = list(rows.select_related("execution").order_by("pk"))
    names = names_of(messages)
    for message in messages:
        who = f"Attempt {message.execution.attempt}" if message.execution else ""
        what = message.get_kind_display()
        to = tuple(("to", name) for name in [recipient_of(message, names)] if name)
        tries = (*to, ("tries", str(message.attempts)))
        failed = (*tries, ("last error", message.last_error))
        yield Line(message.created_at, Source.DELIVERY, f"{what}: queued", who, facts=to)
        if message.sent_at is not None:
            result = message.note.lower() or "sent"
            yield Line(message.sent_at, Source.DELIVERY, f"{what}: {result}", who, facts=tries)
        elif message.status == OutboxMessage.Status.DEAD:
            given_up = f"{what}: given up"
            yield Line(message.due_at, Source.DELIVERY, given_up, who, facts=failed, is_bad=True)
        elif message.attempts:
            again = f"{what}: to be tried again"
            yield Line(message.due_at, Source.DELIVERY, again, who, facts=failed)


def _incidents(application: LoanApplication) -> Iterator[Line]:
    for incident in Incident.objects.filter(application=application).select_related(
        "acknowledged_by", "resolved_by"
    ):
        kind = incident.get_kind_display()
        yield Line(
            incident.opened_at,
            Source.INCIDENT,
            f"{kind}: {incident.sentence}",
            facts=(("incident", str(incident.pk)),),
            is_bad=True,
        )
        if incident.acknowledged_at is not None and incident.acknowledged_by is not None:
            who = person_name(incident.acknowledged_by)
            yield Line(incident.acknowledged_at, Source.INCIDENT, f"{kind}: acknowledged", who)
        if incident.resolved_at is not None:
            who = person_name(incident.resolved_by) if incident.resolved_by else ""
            facts = (("note", incident.note),) if incident.note else ()
            yield Line(incident.resolved_at, Source.INCIDENT, f"{kind}: resolved", who, facts=facts)
