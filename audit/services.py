"""Writes the audit log. A caller is in the transaction that does what the entry tells of.

``entry_record`` is for one, ``entries_record`` for many in one statement. Who acts is said by
the caller; from where, and in which request, is known here.
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
    """An entry that is not stored yet.

    ``who`` is for those who have no account: a partner's name (``is_partner``), or what
    somebody typed as a username. ``target`` is what it was done to. ``changes`` must be masked
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


def entry_record(*, action: Action, message: str, **told: Any) -> AuditEntry:
    """Append one entry; takes what ``entry_make`` takes."""
    (entry,) = entries_record([entry_make(action=action, message=message, **told)])
    return entry


def entries_record(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Append many, in as few statements as the database allows."""
    return AuditEntry.objects.bulk_create(entries, batch_size=500)


def object_of(target: Model | None) -> tuple[str, str, str]:
    """What an entry keeps of an object: its kind, its key and what it was called."""
    if target is None:
        return "", "", ""
    return target._meta.label_lower, str(target.pk), str(target)[:200]


def plain(value: object) -> object:
    """As JSON can keep it: amounts and times as text, never as a float."""
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
    """What a proxy called an address, if it is one: an entry is never lost over it."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
