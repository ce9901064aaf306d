"""Writes the timeline and the audit trail. Every service here ends with one of these."""

from typing import Any

from django.contrib.auth.models import User

from applications.models import ApplicationEvent, LoanApplication, Partner
from applications.tracing import request_id
from applications.vocabulary import Level


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
    key: str | None = None,
) -> None:
    """Append one line. With a ``key`` a line that is there already stays as it is.

    ``message`` may be read by the partner: it names no staff. ``data`` is JSON.
    """
    ApplicationEvent.objects.bulk_create(
        [
            ApplicationEvent(
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
        ],
        ignore_conflicts=key is not None,
    )
