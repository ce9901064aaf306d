"""Keys through their whole life: issued, rotated, expiring at another time, revoked."""

import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from partners.errors import InvalidExpiry, KeyIssuedAlready, KeyNotLive, KeyReplacedAlready
from partners.models import Partner, PartnerKey
from partners.services.keys import (
    SOON,
    key_state,
    partner_key_expire,
    partner_key_issue,
    partner_key_recognise,
    partner_key_revoke,
    partner_key_rotate,
)
from tests.hard_cases.together import together

pytestmark = pytest.mark.django_db
AT_ONCE = 8


def near(at: datetime | None) -> Any:
    return pytest.approx(at, abs=timedelta(minutes=1))


def issue(partner: Partner, **how: Any) -> PartnerKey:
    return partner_key_issue(partner=partner, **how)[0]


def test_rotated_key_keeps_its_scopes_and_both_are_good_for_a_day(
    partner: Partner, partner_manager: User
) -> None:
    old, old_key = partner_key_issue(
        partner=partner, label="Front office", scopes=("applications:read",)
    )

    new, new_key = partner_key_rotate(partner_key=old, by=partner_manager)

    assert new_key != old_key
    assert (new.label, new.scopes, new.replaces) == ("Front office", ["applications:read"], old)
    assert new.expires_at is None
    old.refresh_from_db()
    assert old.expires_at == near(timezone.now() + timedelta(hours=24))
    assert list(old.rotated_to.all()) == [new]
    assert partner_key_recognise(old_key) == old
    assert partner_key_recognise(new_key) == new
    issued, made, changed = AuditEntry.objects.order_by("id")
    assert (issued.actor, made.actor, changed.actor) == (None, partner_manager, partner_manager)
    assert [made.action, changed.action] == ["issued", "changed"]
    assert made.details["replaces"] == str(old)
    assert changed.changes["expires_at"][0] is None
    said = " ".join(str(entry.__dict__) for entry in (issued, made, changed))
    assert new_key not in said
    assert old_key not in said


def test_new_key_lives_as_long_as_the_old_one_was_to(partner: Partner) -> None:
    now = timezone.now()
    old = issue(partner, expires_at=now + timedelta(days=10))
    PartnerKey.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=80))

    new, _ = partner_key_rotate(partner_key=old)

    assert new.expires_at == near(now + timedelta(days=90))


def test_rotation_lets_nothing_live_longer(partner: Partner) -> None:
    ends = timezone.now() + timedelta(hours=2)
    old = issue(partner, expires_at=ends)

    partner_key_rotate(partner_key=old)

    old.refresh_from_db()
    assert old.expires_at == ends
    assert AuditEntry.objects.filter(action="changed").count() == 0


def test_old_key_may_end_at_once(partner: Partner) -> None:
    old, old_key = partner_key_issue(partner=partner)

    new, new_key = partner_key_rotate(partner_key=old, overlap=timedelta())

    assert partner_key_recognise(old_key) is None
    assert partner_key_recognise(new_key) == new


def test_key_is_rotated_once_while_its_replacement_is_live(partner: Partner) -> None:
    old = issue(partner)
    first, _ = partner_key_rotate(partner_key=old)

    with pytest.raises(KeyReplacedAlready, match=first.prefix):
        partner_key_rotate(partner_key=old)
    assert PartnerKey.objects.count() == 2

    partner_key_revoke(partner_key=first)
    second, _ = partner_key_rotate(partner_key=old)
    assert set(old.rotated_to.all()) == {first, second}


@pytest.mark.parametrize("why", ["revoked", "expired"])
def test_dead_key_is_neither_rotated_nor_brought_back(partner: Partner, why: str) -> None:
    now = timezone.now()
    row = issue(partner, expires_at=now - timedelta(seconds=1) if why == "expired" else None)
    if why == "revoked":
        partner_key_revoke(partner_key=row)

    with pytest.raises(KeyNotLive, match=why):
        partner_key_rotate(partner_key=row)
    with pytest.raises(KeyNotLive, match=why):
        partner_key_expire(partner_key=row, expires_at=now + timedelta(days=1))

    assert PartnerKey.objects.count() == 1


@pytest.mark.parametrize("days", [1, 400, None])
def test_expiry_is_moved_and_on_record(
    partner: Partner, partner_manager: User, days: int | None
) -> None:
    now = timezone.now()
    row = issue(partner, expires_at=now + timedelta(days=30))
    wanted = None if days is None else now + timedelta(days=days)

    partner_key_expire(partner_key=row, expires_at=wanted, by=partner_manager)
    partner_key_expire(partner_key=row, expires_at=wanted, by=partner_manager)

    row.refresh_from_db()
    assert row.expires_at == wanted
    entry = AuditEntry.objects.get(action="changed")
    assert (entry.actor, entry.object_id) == (partner_manager, str(row.pk))
    assert entry.changes["expires_at"][1] == (None if wanted is None else str(wanted))


def test_expiry_in_the_past_is_refused(partner: Partner) -> None:
    row = issue(partner)

    with pytest.raises(InvalidExpiry):
        partner_key_expire(partner_key=row, expires_at=timezone.now() - timedelta(seconds=1))

    row.refresh_from_db()
    assert row.expires_at is None


def test_one_form_issues_one_key(partner: Partner) -> None:
    form_id = uuid.uuid4()
    first = issue(partner, form_id=form_id)

    with pytest.raises(KeyIssuedAlready, match=first.prefix):
        issue(partner, form_id=form_id)

    assert PartnerKey.objects.get() == first
    assert AuditEntry.objects.count() == 1
    issue(partner, form_id=uuid.uuid4())
    issue(partner)


@pytest.mark.parametrize(
    ("expires_in", "revoked", "state"),
    [
        (None, False, "live"),
        (SOON + timedelta(seconds=1), False, "live"),
        (SOON, False, "expires_soon"),
        (timedelta(seconds=1), False, "expires_soon"),
        (timedelta(), False, "expired"),
        (timedelta(days=-1), True, "revoked"),
        (None, True, "revoked"),
    ],
)
def test_state(expires_in: timedelta | None, revoked: bool, state: str) -> None:
    now = timezone.now()
    row = PartnerKey(
        expires_at=None if expires_in is None else now + expires_in,
        revoked_at=now if revoked else None,
    )

    assert key_state(row, now=now) == state


# --- At once --------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_many_rotations_at_once_one_makes_a_key(partner: Partner) -> None:
    old = issue(partner)

    outcomes = together([partial(partner_key_rotate, partner_key=old) for _ in range(AT_ONCE)])

    refused = [outcome for outcome in outcomes if isinstance(outcome, KeyReplacedAlready)]
    assert len(refused) == AT_ONCE - 1
    assert PartnerKey.objects.filter(replaces=old).count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_one_form_sent_many_times_at_once_one_makes_a_key(partner: Partner) -> None:
    send = partial(partner_key_issue, partner=partner, form_id=uuid.uuid4())

    outcomes = together([send for _ in range(AT_ONCE)])

    refused = [outcome for outcome in outcomes if isinstance(outcome, KeyIssuedAlready)]
    assert len(refused) == AT_ONCE - 1
    assert PartnerKey.objects.count() == 1
