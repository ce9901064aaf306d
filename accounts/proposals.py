"""Propose an act, and have another person confirm it: the second pair of eyes, in one place.

What may be proposed is in ``proposal_kinds``. Lock order: the proposal, what ``lock`` of its
kind takes, then the people by primary key, then what ``perform`` takes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.errors import OwnProposal, ProposalClosed, ProposalVoid, ProposedAlready
from accounts.models import Proposal
from accounts.proposal_kinds import (
    HOST,
    KINDS,
    SUPERUSER,
    Confirmed,
    Description,
    Outcome,
    ProposalKind,
    holds,
)
from accounts.signals import proposal_closed, proposal_opened
from audit import times
from audit.models import Action
from audit.services import entry_record, object_of, plain
from core.errors import NotPermitted
from core.locking import locked

BACKEND = "accounts.backends.StaffBackend"
SINGLE_ADMIN = "LOANOFFICE_SINGLE_ADMIN"
Status = Proposal.Status


@dataclass(frozen=True)
class Confirmation:
    """A proposal that was confirmed just now, and what was done; a secret is only here."""

    proposal: Proposal
    outcome: Outcome


@dataclass(frozen=True)
class Prepared:
    """The value that ``prepare`` of the kind returned."""

    value: Any


def is_single_admin() -> bool:
    """Tell whether one person may do both, for the kinds that allow it at all."""
    return bool(settings.LOANOFFICE_SINGLE_ADMIN)


def single_admin_notice() -> str:
    """Return what the start says where one person may do both; empty where it takes two."""
    if not is_single_admin():
        return ""
    alone = sorted(kind.label.lower() for kind in KINDS.values() if kind.may_confirm_alone)
    return (
        f"{SINGLE_ADMIN} is set: one person may do alone what two have to do otherwise "
        f"({', '.join(alone)}). Each such act is on record as done alone."
    )


# --- Writes -----------------------------------------------------------------------------


@transaction.atomic
def proposal_open(
    *, kind: ProposalKind, parameters: Mapping[str, Any], user: User | None, note: str = ""
) -> Proposal:
    """Propose an act; ``user`` is ``None`` for a command on the host.

    The same proposal of the same person, while it is open, is returned as it is: a form that is
    sent twice proposes once. An open one that no longer holds makes way. Raises
    ``NotPermitted``, ``ProposedAlready``, and what ``check`` of the kind raises.
    """
    person = None if user is None else User.objects.get(pk=user.pk)
    if person is not None and not holds(person, kind.propose):
        raise NotPermitted(f"You may not propose this: {kind.label.lower()}.")
    given = _as_json(parameters)
    subject = kind.subject(given)
    about = Proposal.objects.filter(kind=kind.name, subject=subject, status=Status.OPEN)
    before = locked(about).first()
    if before is not None and (reason := _void_reason(before, kind)):
        _close(before, Status.VOID, by=None, result=reason)
        before = None
    if before is None:
        kind.check(given)
        made = _make(kind, given, subject, person, note)
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError:
            before = about.first()  # somebody was quicker
            if before is None:
                raise
        else:
            _record(made, Action.PROPOSED, f"Proposed: {made.title}.", by=person)
            proposal_opened.send(Proposal, proposal=made)
            return made
    if before.parameters == given and before.proposed_by == person:
        return before
    raise ProposedAlready(title=before.title, by=proposer_name(before))


def confirmation_prepare(*, proposal: Proposal, user: User) -> Prepared:
    """Ask the outside what a confirmation needs. Call it outside of a transaction.

    Raises as ``confirm_check``.
    """
    confirm_check(proposal=Proposal.objects.get(pk=proposal.pk), user=_again(user))
    return Prepared(kind_of(proposal).prepare(proposal.parameters))


def proposal_confirm(
    *, proposal: Proposal, user: User, prepared: Prepared | None = None
) -> Confirmation:
    """Do what was proposed, once, in the name of ``user``, who is not the proposer.

    The person, both their rights and what the proposal is based on are read again under lock.
    Without what ``confirmation_prepare`` returned it is called here: never in a transaction.
    Raises ``ProposalClosed`` for one that was decided before, ``ProposalVoid`` for one that no
    longer holds, which is then closed and on record, ``NotPermitted``, ``OwnProposal``, and
    what ``perform`` of the kind raises, which leaves it open.
    """
    kind = kind_of(proposal)
    if prepared is None:
        prepared = confirmation_prepare(proposal=proposal, user=user)
    with transaction.atomic():
        row = locked(Proposal.objects.filter(pk=proposal.pk)).get()
        refuse_closed(row)
        kind.lock(row.parameters)
        people = _people_locked({user.pk, row.proposed_by_id, *kind.about(row.parameters)})
        confirmer = people[user.pk]
        proposer = None if row.proposed_by_id is None else people[row.proposed_by_id]
        row.proposed_by = proposer
        alone = confirm_check(proposal=row, user=confirmer)
        reason = _void_reason(row, kind)
        if reason:
            _close(row, Status.VOID, by=confirmer, result=reason)
        else:
            given = Confirmed(
                proposer=proposer, confirmer=confirmer, alone=alone, prepared=prepared.value
            )
            outcome = kind.perform(row.parameters, given)
            row.confirmed_alone = alone
            _close(row, Status.CONFIRMED, by=confirmer, result=outcome.sentence)
    if reason:
        raise ProposalVoid(reason=reason)
    return Confirmation(row, outcome)


@transaction.atomic
def proposal_reject(*, proposal: Proposal, user: User, note: str) -> Proposal:
    """Close a proposal of another person without doing anything.

    Raises ``ProposalClosed``, ``NotPermitted``, ``OwnProposal``: one's own is withdrawn.
    """
    row = locked(Proposal.objects.filter(pk=proposal.pk)).get()
    reject_check(proposal=row, user=_again(user))
    return _close(row, Status.REJECTED, by=user, result=note.strip())


@transaction.atomic
def proposal_withdraw(*, proposal: Proposal, user: User) -> Proposal:
    """Close one's own proposal. Raises ``ProposalClosed``, ``NotPermitted``."""
    row = locked(Proposal.objects.filter(pk=proposal.pk)).get()
    withdraw_check(proposal=row, user=_again(user))
    return _close(row, Status.WITHDRAWN, by=user, result="")


# --- Reads ------------------------------------------------------------------------------


def confirm_check(*, proposal: Proposal, user: User) -> bool:
    """Raise the reason why ``user`` may not confirm it now.

    Returns true when they would do so alone, as ``LOANOFFICE_SINGLE_ADMIN`` allows.
    """
    refuse_closed(proposal)
    kind = kind_of(proposal)
    if not holds(user, kind.confirm):
        raise NotPermitted(f"You may not confirm this: {kind.label.lower()}.")
    own = ""
    if proposal.proposed_by_id == user.pk:
        own = "You proposed it yourself"
    elif user.pk in kind.about(proposal.parameters):
        own = "It is about you"
    if own and not (kind.may_confirm_alone and is_single_admin()):
        raise OwnProposal(why=own)
    return bool(own)


def reject_check(*, proposal: Proposal, user: User) -> None:
    """Raise the reason why ``user`` may not reject it now."""
    refuse_closed(proposal)
    kind = kind_of(proposal)
    if proposal.proposed_by_id == user.pk:
        raise OwnProposal(why="You proposed it yourself; withdraw it, or leave it")
    if not holds(user, kind.confirm):
        raise NotPermitted(f"You may not reject this: {kind.label.lower()}.")


def withdraw_check(*, proposal: Proposal, user: User) -> None:
    """Raise the reason why ``user`` may not withdraw it now."""
    refuse_closed(proposal)
    if proposal.proposed_by_id != user.pk:
        raise NotPermitted("Only whoever proposed it withdraws it.")


def refuse_closed(proposal: Proposal) -> None:
    """Raise ``ProposalClosed``, which says how it was decided, unless it is open."""
    if proposal.status == Status.OPEN:
        return
    by = f" by {proposal.decided_by.get_username()}" if proposal.decided_by is not None else ""
    at = "" if proposal.decided_at is None else f" at {times.moment(proposal.decided_at)}"
    raise ProposalClosed(
        f"{proposal.title}: {proposal.get_status_display().lower()}{by}{at}. "
        f"{proposal.result}".strip()
    )


def void_reason(proposal: Proposal) -> str:
    """Return why an open proposal no longer holds; empty while it does."""
    return _void_reason(proposal, kind_of(proposal))


def kind_of(proposal: Proposal) -> ProposalKind:
    return KINDS[proposal.kind]


def proposer_name(proposal: Proposal) -> str:
    return HOST if proposal.proposed_by is None else proposal.proposed_by.get_username()


def open_proposal(*, kind: ProposalKind, subject: str) -> Proposal | None:
    """Return the open proposal of this kind about this subject."""
    return Proposal.objects.filter(kind=kind.name, subject=subject, status=Status.OPEN).first()


def decides_some(user: User) -> bool:
    """Tell whether the person may confirm proposals of any kind."""
    return any(holds(user, kind.confirm) for kind in KINDS.values())


def proposals_waiting_on(user: User) -> list[Proposal]:
    """Return the open proposals that this person may confirm, the oldest first; one query.

    Those of a proposer who was deactivated do not count.
    """
    kinds = [kind.name for kind in KINDS.values() if holds(user, kind.confirm)]
    active = Q(proposed_by__isnull=True) | Q(proposed_by__is_active=True)
    rows = Proposal.objects.filter(active, kind__in=kinds, status=Status.OPEN)
    found = rows.select_related("proposed_by").order_by("proposed_at", "pk") if kinds else []
    return [row for row in found if _is_confirmable(row, user)]


def confirmers_of(kind: ProposalKind) -> list[User]:
    """Return the active people who may confirm proposals of this kind, by name."""
    candidates: dict[int, User] = {}
    for right in kind.confirm:
        candidates |= {person.pk: person for person in _may_hold(right)}
    found = [person for person in candidates.values() if holds(person, kind.confirm)]
    return sorted(found, key=lambda person: person.get_username())


def confirmers_of_proposal(proposal: Proposal) -> list[User]:
    """Return everybody whose confirmation ``confirm_check`` accepts now; nobody for a void one."""
    if proposal.status != Status.OPEN or void_reason(proposal):
        return []
    people = confirmers_of(kind_of(proposal))
    return [person for person in people if _is_confirmable(proposal, person)]


# --- Parts ------------------------------------------------------------------------------


def _may_hold(right: str) -> "QuerySet[User]":
    if right == SUPERUSER:
        return User.objects.filter(is_active=True, is_superuser=True)
    return User.objects.with_perm(right, backend=BACKEND)


def _is_confirmable(proposal: Proposal, user: User) -> bool:
    try:
        confirm_check(proposal=proposal, user=user)
    except (NotPermitted, OwnProposal):
        return False
    return True


def _again(user: User) -> User:
    """Read a person again: rights that this instance has read may be gone by now."""
    return User.objects.get(pk=user.pk)


def _people_locked(keys: set[int | None]) -> dict[int, User]:
    wanted = [key for key in keys if key is not None]
    return {person.pk: person for person in locked(User.objects.filter(pk__in=wanted))}


def _make(
    kind: ProposalKind, given: dict[str, Any], subject: str, person: User | None, note: str
) -> Proposal:
    described = kind.describe(given)
    object_kind, object_id, _ = object_of(described.target)
    return Proposal(
        kind=kind.name,
        subject=subject,
        title=described.title[:200],
        sentence=described.sentence,
        rows=_rows(described),
        parameters=given,
        state_hash=_hash(kind.state(given)),
        note=note.strip(),
        object_kind=object_kind,
        object_id=object_id,
        reference=described.reference,
        proposed_by=person,
    )


def _void_reason(proposal: Proposal, kind: ProposalKind) -> str:
    proposer = proposal.proposed_by
    if proposer is not None and not proposer.is_active:
        return f"{proposer.get_username()}, who proposed it, was deactivated since."
    if proposer is not None and not holds(proposer, kind.propose):
        return f"{proposer.get_username()}, who proposed it, may not do so any more."
    try:
        described = kind.describe(proposal.parameters)
        state = _hash(kind.state(proposal.parameters))
    except ObjectDoesNotExist:
        return "What it is about does not exist any more."
    shown = (described.title[:200], described.sentence, _rows(described))
    if state != proposal.state_hash or shown != (proposal.title, proposal.sentence, proposal.rows):
        return f"{kind.based_on} has changed since it was proposed."
    return ""


def _rows(described: Description) -> list[list[str]]:
    return [list(row) for row in described.rows]


def _close(proposal: Proposal, status: Status, *, by: User | None, result: str) -> Proposal:
    proposal.status, proposal.decided_by, proposal.result = status, by, result
    proposal.decided_at = timezone.now()
    proposal.save(update_fields=["status", "decided_by", "decided_at", "result", "confirmed_alone"])
    action = Action.CONFIRMED if status == Status.CONFIRMED else Action.REJECTED
    said = f"{status.label}: {proposal.title}, which {proposer_name(proposal)} had proposed."
    alone = f" One person did both, as {SINGLE_ADMIN} allows." if proposal.confirmed_alone else ""
    _record(proposal, action, f"{said} {result}".strip() + alone, by=by)
    proposal_closed.send(Proposal, proposal=proposal)
    return proposal


def _record(proposal: Proposal, action: Action, message: str, *, by: User | None) -> None:
    decided = {} if action == Action.PROPOSED or by is None else {"decided_by": by.get_username()}
    alone = {"alone": SINGLE_ADMIN} if proposal.confirmed_alone else {}
    entry_record(
        action=action,
        message=message,
        actor=by,
        target=proposal,
        reference=proposal.reference,
        changes={label: (before, after) for label, before, after in proposal.rows},
        details={
            "kind": proposal.kind,
            "proposed_by": proposer_name(proposal),
            **decided,
            **alone,
            **({"note": proposal.note} if proposal.note else {}),
        },
    )


def _as_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the database returns them, so that they compare equal."""
    read: dict[str, Any] = json.loads(json.dumps(plain(parameters)))
    return read


def _hash(state: object) -> str:
    return hashlib.sha256(json.dumps(plain(state), sort_keys=True).encode()).hexdigest()
