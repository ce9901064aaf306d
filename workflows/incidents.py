"""Open, acknowledge and resolve incidents. What Operations does is audited."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from applications.choices import Level, Status
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.timeline import event_record, text_for_everybody
from audit.times import instant
from core.errors import NotPermitted
from core.locking import locked
from lending.choices import Outcome
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from workflows.errors import NobodyCanDecide, StillStuck
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue

PERMISSION = "workflows.change_incident"


def decisions_late(*, task: ReviewTask, decisions: list[ReviewDecision]) -> None:
    """Open an incident for decisions that were kept, not applied: a restart asks people again."""
    application = task.application
    given = " and ".join(
        f"{'approved' if decision.outcome == Outcome.APPROVE else 'declined'} by "
        f"{decision.decided_by or decision.partner} at {instant(decision.decided_at)}"
        for decision in decisions
    )
    incident_open(
        kind=Incident.Kind.DECISION_LATE,
        key=f"late/{task.pk}",
        application=application,
        execution=Execution.objects.filter(application=application, attempt=task.attempt).first(),
        sentence=(
            f"{task.get_kind_display()} of {application.reference} was {given}, after the "
            "workflow had stopped waiting. It is kept and was not applied. Restart the "
            "application to decide again."
        ),
    )


def incidents_close(*, application: LoanApplication, note: str, by: User | None) -> int:
    """Resolve every open incident of an application; returns how many."""
    return mark_resolved(Incident.objects.filter(application=application), by=by, note=note)


def mark_resolved(incidents: QuerySet[Incident], *, by: User | None, note: str) -> int:
    """Resolve the unresolved ones of some incidents; returns how many."""
    return incidents.exclude(status=Incident.Status.RESOLVED).update(
        status=Incident.Status.RESOLVED,
        resolved_at=timezone.now(),
        resolved_by=by,
        note=note.strip(),
    )


def incident_open(
    *,
    kind: Incident.Kind,
    key: str,
    application: LoanApplication,
    sentence: str,
    execution: Execution | None = None,
) -> None:
    """Open an incident that says what is stuck and why; one for each ``key``."""
    Incident.objects.bulk_create(
        [
            Incident(
                kind=kind,
                key=key,
                application=application,
                execution=execution,
                sentence=sentence,
            )
        ],
        ignore_conflicts=True,
    )


def undecidable_key(task: ReviewTask) -> str:
    """Return the key of the incident that nobody can decide a task."""
    return f"undecidable/{task.pk}"


def tasks_undecidable() -> QuerySet[ReviewTask]:
    """Return the open tasks that nobody in the office can decide."""
    return ReviewTask.objects.filter(status=TaskStatus.OPEN, undecidable_since__isnull=False)


def incident_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may work on incidents."""
    if not user.has_perm(PERMISSION):
        raise NotPermitted("Only Operations works on incidents.")


@transaction.atomic
def incident_acknowledge(*, incident: Incident, user: User) -> Incident:
    """Record that a person works on an incident. One that is resolved stays as it is."""
    incident_check(user=user)
    application_lock(incident.application.reference)
    incident = locked(Incident.objects.all()).get(pk=incident.pk)
    if incident.status == Incident.Status.OPEN:
        incident.status = Incident.Status.ACKNOWLEDGED
        incident.acknowledged_at = timezone.now()
        incident.acknowledged_by = user
        incident.save(update_fields=["status", "acknowledged_at", "acknowledged_by"])
        _audit_incident(incident, "incident_acknowledged", "is looked at", user)
    return incident


def resolve_check(*, incident: Incident, user: User) -> None:
    """Raise the reason why ``user`` may not resolve an incident now."""
    incident_check(user=user)
    if is_last_word(incident.application, incident):
        raise StillStuck(reference=incident.application.reference)
    if incident.kind == Incident.Kind.NOBODY_CAN_DECIDE:
        waiting = tasks_undecidable().filter(application=incident.application)
        if incident.key in {undecidable_key(task) for task in waiting}:
            raise NobodyCanDecide(reference=incident.application.reference)


@transaction.atomic
def incident_resolve(*, incident: Incident, user: User, note: str) -> Incident:
    """Resolve an incident. One that is resolved stays as it is.

    A message that was given up and that a workflow waits for is sent again, because without the
    incident nothing would show that it was not delivered. Raises ``StillStuck`` when the
    application would be left stuck without an incident, and ``NotPermitted``.
    """
    incident_check(user=user)
    application_lock(incident.application.reference)
    incident = locked(Incident.objects.select_related("application")).get(pk=incident.pk)
    if incident.status == Incident.Status.RESOLVED:
        return incident
    resolve_check(incident=incident, user=user)
    if incident.message is not None and _is_waited_for(incident.message):
        queue.put_again(OutboxMessage.objects.filter(pk=incident.message.pk))
    note = text_for_everybody(note, incident.application)
    mark_resolved(Incident.objects.filter(pk=incident.pk), by=user, note=note)
    _audit_incident(incident, "incident_resolved", "is resolved", user, note=note.strip())
    return incident


def is_last_word(application: LoanApplication, incident: Incident) -> bool:
    """Return True when an application needs attention and this is its only open incident."""
    others = Incident.objects.filter(application=application).exclude(
        status=Incident.Status.RESOLVED
    )
    return (
        application.status == Status.NEEDS_ATTENTION and not others.exclude(pk=incident.pk).exists()
    )


def _is_waited_for(message: OutboxMessage) -> bool:
    """Return True when a workflow that has not ended needs a message that was given up."""
    if message.status != OutboxMessage.Status.DEAD or message.execution is None:
        return False
    is_answered = message.callback is not None and (
        message.callback.status != PendingCallback.Status.ANSWERED
    )
    return message.execution.ended_at is None and not is_answered


def _audit_incident(incident: Incident, kind: str, what: str, user: User, **data: str) -> None:
    message = f"The incident “{incident.get_kind_display()}” {what}."
    event_record(
        application=incident.application,
        kind=kind,
        message=message,
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data={"incident": str(incident.pk), **data},
    )
