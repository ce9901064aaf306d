"""List a person's open sessions, and end them. The sessions are rows of Django's own store.

A session's key lets somebody in, so a page names a session by a hash of it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from accounts.devices import device_name
from accounts.services.sign_in import ACTIVE_AT, ADDRESS, SIGNED_IN_AT, USER_AGENT
from audit.models import Action
from audit.services import entry_record


@dataclass(frozen=True)
class OpenSession:
    """A session in which a person is signed in. ``handle`` names it to nobody else."""

    handle: str
    device: str
    address: str
    signed_in_at: datetime
    active_at: datetime
    is_this: bool


def open_sessions(*, user: User, this: str | None) -> list[OpenSession]:
    """Return the sessions that would let ``user`` in now, the latest first; ``this`` is a key."""
    found = [
        OpenSession(
            handle=_handle(row.session_key),
            device=device_name(held.get(USER_AGENT, "")),
            address=held.get(ADDRESS, ""),
            signed_in_at=_moment(held[SIGNED_IN_AT]),
            active_at=_moment(held[ACTIVE_AT]),
            is_this=row.session_key == this,
        )
        for row, held in _rows(user)
        if held.get(HASH_SESSION_KEY) == user.get_session_auth_hash() and _is_in_time(held)
    ]
    return sorted(found, key=lambda session: session.active_at, reverse=True)


@transaction.atomic
def session_end(*, user: User, handle: str) -> bool:
    """End one of one's own sessions; false when there is none of this name any more."""
    for row, held in _rows(user):
        if _handle(row.session_key) == handle:
            row.delete()
            where = f"{device_name(held.get(USER_AGENT, ''))}, {held.get(ADDRESS) or 'unknown'}"
            _note(user, f"Ended a session of theirs: {where}.")
            return True
    return False


@transaction.atomic
def sessions_end_others(*, user: User, this: str | None) -> int:
    """End one's own sessions except ``this``, and return how many."""
    keys = [row.session_key for row, _ in _rows(user) if row.session_key != this]
    count, _ = Session.objects.filter(session_key__in=keys).delete()
    if count:
        _note(user, f"Ended their other sessions: {count}.")
    return count


def _rows(user: User) -> Iterator[tuple[Session, dict[str, Any]]]:
    """The sessions of a person that did not expire, and what they hold."""
    for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        held = row.get_decoded()
        if held.get(SESSION_KEY) == str(user.pk):
            yield row, held


def _is_in_time(held: dict[str, Any]) -> bool:
    now = timezone.now()
    idle = now - _moment(held.get(ACTIVE_AT, 0)) >= settings.LOANOFFICE_SESSION_IDLE
    over = now - _moment(held.get(SIGNED_IN_AT, 0)) >= settings.LOANOFFICE_SESSION_LONGEST
    return not idle and not over


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _handle(key: str) -> str:
    return hashlib.sha256(f"session {key}".encode()).hexdigest()[:32]


def _note(user: User, message: str) -> None:
    entry_record(action=Action.SIGNED_OUT, message=message, actor=user, target=user)
