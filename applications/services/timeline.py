"""Write timeline entries, and audit entries for what staff and partners do."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from applications.choices import Level
from applications.models import ApplicationEvent, LoanApplication
from applications.pii import without_contact
from audit.models import Action, AuditEntry
from audit.services import Changes, entries_record, entry_make
from audit.tracing import request_id
from core.database import insert_once
from partners.models import Partner, PartnerKey

logger = logging.getLogger(__name__)

# The audit action of each kind of timeline entry; the message has the details.
ACTIONS = {
    "created": Action.CREATED,
    "noted": Action.CREATED,
    "edited": Action.CHANGED,
    "submitted": Action.SUBMITTED,
    "withdrawn": Action.WITHDRAWN,
    "claimed": Action.CLAIMED,
    "claim_taken_over": Action.CLAIMED,
    "claim_released": Action.CLAIMED,
    "document_added": Action.CREATED,
    "sent_back": Action.CHANGED,
    "question_answered": Action.CHANGED,
    "late_decision": Action.DECIDED,
    "approvals_voided": Action.CHANGED,
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
    partner_key: PartnerKey | None = None,
    data: dict[str, Any] | None = None,
    changes: Changes | None = None,
    key: str | None = None,
) -> bool:
    """Append a timeline entry; false, and nothing is written, if one with the same ``key`` exists.

    ``message`` may be read by the partner, so it names no staff. ``data`` is JSON. An entry with
    an ``actor`` or a ``partner`` is also recorded in the audit log, with ``changes``, whose
    personal values are masked (``pii.masked_changes``). Contact details that somebody typed into
    a text are masked.
    """
    event = event_make(
        application=application,
        kind=kind,
        message=message,
        step=step,
        level=level,
        is_internal=is_internal,
        actor=actor,
        partner=partner,
        partner_key=partner_key,
        data=data,
        key=key,
    )
    if key is None:
        events_record([event], changes=changes)
        return True
    if not insert_once(event, unique="key"):
        return False
    _recorded([event], changes)
    return True


def events_record(events: Sequence[ApplicationEvent], *, changes: Changes | None = None) -> None:
    """Append timeline entries without a key, of one or many applications; in two statements.

    They are recorded in the audit log as those of ``event_record``; ``changes`` are of each.
    """
    ApplicationEvent.objects.bulk_create(events)
    _recorded(events, changes)


def _recorded(events: Sequence[ApplicationEvent], changes: Changes | None) -> None:
    """Record new entries in the audit log, and in the log once they are committed."""
    if logger.isEnabledFor(logging.INFO):
        transaction.on_commit(partial(_log, events), robust=True)
    caused = [event for event in events if event.actor is not None or event.partner is not None]
    if caused:
        entries_record([entry_of_event(event, changes=changes) for event in caused])


def _log(events: Sequence[ApplicationEvent]) -> None:
    """Log kinds and steps only: what an entry says may be personal."""
    for event in events:
        facts = {"entry": event.kind, "step": event.step}
        logger.info("Recorded", extra={"application": event.application.reference, **facts})


def event_make(
    *,
    application: LoanApplication,
    kind: str,
    message: str,
    step: str = "",
    level: Level = Level.INFO,
    is_internal: bool = False,
    actor: User | None = None,
    partner: Partner | None = None,
    partner_key: PartnerKey | None = None,
    data: dict[str, Any] | None = None,
    key: str | None = None,
) -> ApplicationEvent:
    """Make a timeline entry that is not stored yet; takes what ``event_record`` takes."""
    return ApplicationEvent(
        application=application,
        kind=kind,
        message=text_for_everybody(message, application),
        step=step or application.current_step,
        level=level,
        is_internal=is_internal,
        actor=actor,
        partner=partner,
        partner_key=partner_key,
        data=_for_everybody(data or {}, application),
        key=key,
        request_id=request_id.get(),
    )


def text_for_everybody(text: str, application: LoanApplication) -> str:
    """Return a text that somebody typed about the application, without its contact details."""
    return without_contact(
        text, phone=application.phone, email=application.email, address=application.address
    )


def _for_everybody(value: Any, application: LoanApplication) -> Any:
    if isinstance(value, str):
        return text_for_everybody(value, application)
    if isinstance(value, dict):
        return {name: _for_everybody(part, application) for name, part in value.items()}
    if isinstance(value, list):
        return [_for_everybody(part, application) for part in value]
    return value


def entry_of_event(event: ApplicationEvent, *, changes: Changes | None = None) -> AuditEntry:
    """Make the audit entry of a timeline entry that somebody caused, without storing it.

    For many at once: call ``entries_record`` in the transaction that stores the timeline entries.
    """
    decided = event.kind.endswith(DECIDED)
    action = Action.DECIDED if decided else ACTIONS.get(event.kind, Action.CHANGED)
    changed = changes or {}
    return entry_make(
        action=action,
        message=event.message,
        actor=event.actor,
        who=event.partner.name if event.partner is not None and event.actor is None else "",
        is_partner=event.actor is None,
        target=event.application,
        reference=event.application.reference,
        changes=changed,
        details={
            "event": event.kind,
            **{name: value for name, value in event.data.items() if name not in changed},
        },
        at=event.at,
    )
