"""Writes the timeline, and with it the audit log. Every service here ends with one of these."""

from typing import Any

from django.contrib.auth.models import User

from applications.choices import Level
from applications.models import ApplicationEvent, LoanApplication
from audit.models import Action, AuditEntry
from audit.services import Changes, entries_record, entry_make
from audit.tracing import request_id
from partners.models import Partner

# What the audit log calls an event that somebody caused; the message says the rest.
ACTIONS = {
    "created": Action.CREATED,
    "edited": Action.CHANGED,
    "submitted": Action.SUBMITTED,
    "withdrawn": Action.WITHDRAWN,
    "claimed": Action.CLAIMED,
    "claim_taken_over": Action.CLAIMED,
    "claim_released": Action.CLAIMED,
    "document_added": Action.CREATED,
    "late_decision": Action.DECIDED,
    "restarted": Action.OPERATED,
    "stopped": Action.OPERATED,
    "paused": Action.OPERATED,
    "resumed": Action.OPERATED,
    "resent": Action.OPERATED,
    "incident_acknowledged": Action.OPERATED,
    "incident_resolved": Action.OPERATED,
    "payout_settled": Action.OPERATED,
    "payout_found": Action.OPERATED,
    "reconciled": Action.OPERATED,
}
DECIDED = ("_approved", "_declined")


def event_record(
    *,
    application: LoanApplication,
    kind: str,
    message: str,
    step: str = "",
    level: Level = Level.INFO,
    is_internal: bool = False,
    actor: User | None = None,
    partner: Partner | None = None,
    data: dict[str, Any] | None = None,
    changes: Changes | None = None,
    key: str | None = None,
) -> None:
    """Append one line. With a ``key`` a line that is there already stays as it is.

    ``message`` may be read by the partner: it names no staff. ``data`` is JSON. What somebody
    caused (``actor`` or ``partner``) goes into the audit log as well, with ``changes``, whose
    personal values are masked (``personal.masked_changes``).
    """
    event = ApplicationEvent(
        application=application,
        kind=kind,
        message=message,
        step=step or application.current_step,
        level=level,
        is_internal=is_internal,
        actor=actor,
        partner=partner,
        data=data or {},
        key=key,
        request_id=request_id.get(),
    )
    ApplicationEvent.objects.bulk_create([event], ignore_conflicts=key is not None)
    if actor is not None or partner is not None:
        entries_record([entry_of_event(event, changes=changes)])


def entry_of_event(event: ApplicationEvent, *, changes: Changes | None = None) -> AuditEntry:
    """What the audit log keeps of a line that somebody caused; not stored yet.

    For many at once: ``entries_record`` in the transaction that stores the lines.
    """
    decided = event.kind.endswith(DECIDED)
    action = Action.DECIDED if decided else ACTIONS.get(event.kind, Action.CHANGED)
    told = changes or {}
    return entry_make(
        action=action,
        message=event.message,
        actor=event.actor,
        who=event.partner.name if event.partner is not None and event.actor is None else "",
        is_partner=event.actor is None,
        target=event.application,
        reference=event.application.reference,
        changes=told,
        details={
            "event": event.kind,
            **{name: value for name, value in event.data.items() if name not in told},
        },
        at=event.at,
    )
