"""Write the audit log. The caller is in the transaction that makes the recorded change.

``entry_record`` is for one, ``entries_record`` for many in one statement. The caller passes
who acts; the address and the request are known here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from audit.models import Action, AuditEntry
from audit.tracing import client_address, request_id, user_agent

type Changes = Mapping[str, tuple[object, object] | list[object]]


def entry_make(
    *,
    action: Action,
    message: str,
    actor: User | None = None,
    who: str = "",
    is_partner: bool = False,
    target: Model | None = None,
    reference: str = "",
    changes: Changes | None = None,
    details: Mapping[str, object] | None = None,
    at: datetime | None = None,
) -> AuditEntry:
    """Make an entry that is not stored yet.

    ``who`` is for actors without an account: a partner's name (``is_partner``), or what
    somebody typed as a username. ``target`` is the object of the action. ``changes`` must be masked
    already where a value is personal; they are made JSON here.
    """
    kind, key, name = object_of(target)
    return AuditEntry(
        at=at or timezone.now(),
        action=action,
        message=message,
        actor=actor,
        who=(who or (actor.get_username() if actor is not None else ""))[:200],
        is_partner=is_partner,
        object_kind=kind,
        object_id=key,
        object_name=name,
        reference=reference,
        changes={field: [plain(old), plain(new)] for field, (old, new) in (changes or {}).items()},
        details={name: plain(value) for name, value in (details or {}).items()},
        address=_address(client_address.get()),
        user_agent=user_agent.get()[:300].replace("\0", ""),
        request_id=request_id.get(),
    )


def entry_record(*, action: Action, message: str, **fields: Any) -> AuditEntry:
    """Append one entry; takes what ``entry_make`` takes."""
    (entry,) = entries_record([entry_make(action=action, message=message, **fields)])
    return entry


def entries_record(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Append many, in as few statements as the database allows."""
    return AuditEntry.objects.bulk_create(entries, batch_size=500)


def object_of(target: Model | None) -> tuple[str, str, str]:
    """Return what an entry stores of an object: its kind, its key and its name."""
    if target is None:
        return "", "", ""
    return target._meta.label_lower, str(target.pk), str(target)[:200]


def plain(value: object) -> object:
    """Convert to JSON values: amounts and times as text, never as a float."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return str(value)


def _address(text: str) -> str | None:
    """The address that a proxy sent, if it is valid: a bad one must not lose the entry."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
