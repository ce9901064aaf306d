"""Issue and rotate partner keys: at once where they only read, proposed where they may write.

A proposed key is made when another person confirms, and shown once to that person, who passes it
to the partner: whoever asks for a key never holds it. A key's scopes never change, so there is no
other way to widen them. A command on the host acts alone, on record, where no person may confirm.
Registered by ``apps`` where accounts are installed.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import (
    Confirmed,
    Description,
    Outcome,
    Parameters,
    ProposalKind,
    register,
)
from audit import times
from core.locking import locked
from partners.choices import scopes_in_words
from partners.errors import InvalidExpiry
from partners.models import Partner, PartnerKey
from partners.services import keys

ADD = "partners.add_partnerkey"


@dataclass(frozen=True)
class MadeKey:
    """A key that was made at once: its row, and the key itself. ``alone`` says why by one."""

    row: PartnerKey
    key: str = field(repr=False)
    alone: str = ""


def key_issue(
    *,
    partner: Partner,
    user: User | None,
    label: str = "",
    scopes: tuple[str, ...] = keys.SCOPES,
    expires_at: datetime | None = None,
    form_id: uuid.UUID | None = None,
) -> MadeKey | Proposal:
    """Issue a key that only reads, or propose one that may write.

    ``user`` is ``None`` for a command. One form (``form_id``) makes one key. Raises
    ``KeyIssuedAlready``, ``NotPermitted``, ``ProposedAlready``, ``InvalidExpiry``, and
    ``ValueError`` for an unknown scope.
    """
    may_write = keys.may_write(scopes)
    alone = _alone(ISSUE) if may_write and user is None else ""
    if alone or not may_write:
        row, key = keys.partner_key_issue(
            partner=partner,
            by=user,
            label=label,
            scopes=scopes,
            expires_at=expires_at,
            form_id=form_id,
            details=_details(alone),
        )
        return MadeKey(row, key, alone)
    given = {
        "partner": partner.pk,
        "label": label,
        "scopes": list(scopes),
        "expires_at": None if expires_at is None else expires_at.isoformat(),
        "form_id": str(form_id or uuid.uuid4()),
    }
    return proposals.proposal_open(kind=ISSUE, parameters=given, user=user)


def key_rotate(
    *, partner_key: PartnerKey, user: User | None, overlap: timedelta = keys.OVERLAP
) -> MadeKey | Proposal:
    """Rotate a key that only reads, or propose to rotate one that may write.

    Raises ``KeyNotLive``, ``KeyReplacedAlready``, ``NotPermitted``, ``ProposedAlready``.
    """
    may_write = keys.may_write(partner_key.scopes)
    alone = _alone(ROTATE) if may_write and user is None else ""
    if alone or not may_write:
        row, key = keys.partner_key_rotate(
            partner_key=partner_key, by=user, overlap=overlap, details=_details(alone)
        )
        return MadeKey(row, key, alone)
    given = {"key": partner_key.pk, "overlap_hours": overlap // timedelta(hours=1)}
    return proposals.proposal_open(kind=ROTATE, parameters=given, user=user)


def rotation_open(partner_key: PartnerKey) -> Proposal | None:
    """Return the open proposal to rotate this key."""
    subject = _key_subject({"key": partner_key.pk})
    return proposals.open_proposal(kind=ROTATE, subject=subject)


def _alone(kind: ProposalKind) -> str:
    """Return why a command on the host acts alone; empty where a person may confirm."""
    if proposals.is_single_admin():
        return f"{proposals.SINGLE_ADMIN} is set"
    return "" if proposals.confirmers_of(kind) else "no person may confirm it"


def _details(alone: str) -> dict[str, object]:
    return {"alone": f"on the host; {alone}"} if alone else {}


# --- Issue ------------------------------------------------------------------------------


def _partner(given: Parameters) -> Partner:
    return Partner.objects.get(pk=given["partner"])


def _expiry(given: Parameters) -> datetime | None:
    return None if given["expires_at"] is None else parse_datetime(given["expires_at"])


def _moment(at: datetime | None) -> str:
    return "never" if at is None else times.moment(at)


def _check_issue(given: Parameters) -> None:
    keys.issue_check(scopes=given["scopes"], form_id=uuid.UUID(given["form_id"]))
    expires_at = _expiry(given)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidExpiry


def _describe_issue(given: Parameters) -> Description:
    partner = _partner(given)
    return Description(
        title=f"Issue a key to {partner}",
        sentence=(
            "Whoever has the key may do what its scopes say. It is made when this is confirmed, "
            "and shown once to whoever confirms, who passes it to the partner."
        ),
        rows=(
            ("Partner", "", partner.name),
            ("Label", "", given["label"] or "none"),
            ("Scopes", "", scopes_in_words(given["scopes"])),
            ("Expires", "", _moment(_expiry(given))),
        ),
        target=partner,
    )


def _state_issue(given: Parameters) -> dict[str, object]:
    partner = _partner(given)
    return {"name": partner.name, "is_active": partner.is_active}


def _perform_issue(given: Parameters, confirmed: Confirmed) -> Outcome:
    _check_issue(given)
    row, key = keys.partner_key_issue(
        partner=_partner(given),
        by=confirmed.confirmer,
        proposed_by=confirmed.proposer,
        label=given["label"],
        scopes=tuple(given["scopes"]),
        expires_at=_expiry(given),
        form_id=uuid.UUID(given["form_id"]),
        details=confirmed.details,
    )
    return Outcome(
        sentence=f"The key {row} of {row.partner} was issued.",
        secret=key,
        value_name="the key",
    )


ISSUE = register(
    ProposalKind(
        name="partners.issue_key",
        label="Issue a partner key that may write",
        propose=(ADD,),
        confirm=(ADD,),
        based_on="The partner",
        subject=lambda given: f"partner {given['partner']}, form {given['form_id']}",
        check=_check_issue,
        describe=_describe_issue,
        state=_state_issue,
        lock=lambda given: list(locked(Partner.objects.filter(pk=given["partner"]))),
        perform=_perform_issue,
        may_confirm_alone=True,
    )
)


# --- Rotate -----------------------------------------------------------------------------


def _key(given: Parameters) -> PartnerKey:
    return PartnerKey.objects.select_related("partner").get(pk=given["key"])


def _key_subject(given: Parameters) -> str:
    return f"key {given['key']}"


def _describe_rotate(given: Parameters) -> Description:
    old = _key(given)
    hours = given["overlap_hours"]
    return Description(
        title=f"Rotate the key {old} of {old.partner}",
        sentence=(
            "A new key with the same scopes takes its place. It is made when this is confirmed, "
            "and shown once to whoever confirms, who passes it to the partner."
        ),
        rows=(
            ("Partner", "", old.partner.name),
            ("Key", "", f"{old} {old.label}".strip()),
            ("Scopes", "", ", ".join(old.scopes)),
            ("The old key ends", "", f"{hours} hours later" if hours else "at once"),
        ),
        target=old,
    )


def _state_rotate(given: Parameters) -> dict[str, object]:
    old = _key(given)
    return {
        "partner": [old.partner.name, old.partner.is_active],
        "key": [old.scopes, old.expires_at, old.revoked_at],
        "rotated_to": list(old.rotated_to.order_by("pk").values_list("pk", "revoked_at")),
    }


def _perform_rotate(given: Parameters, confirmed: Confirmed) -> Outcome:
    row, key = keys.partner_key_rotate(
        partner_key=_key(given),
        by=confirmed.confirmer,
        proposed_by=confirmed.proposer,
        overlap=timedelta(hours=given["overlap_hours"]),
        details=confirmed.details,
    )
    return Outcome(
        sentence=f"The key {row} of {row.partner} was issued.",
        secret=key,
        value_name="the key",
    )


def _lock_rotate(given: Parameters) -> None:
    """Lock the partner before its key, as issuing does."""
    old = _key(given)
    list(locked(Partner.objects.filter(pk=old.partner_id)))
    list(locked(PartnerKey.objects.filter(pk=old.pk)))


ROTATE = register(
    ProposalKind(
        name="partners.rotate_key",
        label="Rotate a partner key that may write",
        propose=(ADD,),
        confirm=(ADD,),
        based_on="The key or its partner",
        subject=_key_subject,
        check=lambda given: keys.rotate_check(partner_key=_key(given)),
        describe=_describe_rotate,
        state=_state_rotate,
        lock=_lock_rotate,
        perform=_perform_rotate,
        may_confirm_alone=True,
    )
)
