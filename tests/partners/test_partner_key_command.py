"""``manage.py partner_key``: the key alone on stdout, and clear words when something is wrong."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEntry
from partners.models import Partner, PartnerKey
from partners.services.keys import SCOPES, key_hash, partner_key_issue, partner_key_recognise

pytestmark = pytest.mark.django_db
type Ran = Callable[..., tuple[str, str]]
NAME = "Maple Brokers"


@pytest.fixture
def run() -> Ran:
    """``run("list")``: what came out on stdout and on stderr."""

    def command(*arguments: object) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("partner_key", *map(str, arguments), stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return command


def test_issued_key_is_alone_on_stdout_and_works(run: Ran, partner: Partner) -> None:
    out, err = run("issue", NAME, "--label", "Front office")

    key = out.removesuffix("\n")
    row = partner_key_recognise(key)
    assert row is not None
    assert (row.partner, row.label, tuple(row.scopes)) == (partner, "Front office", SCOPES)
    assert row.expires_at is None
    assert key not in err
    assert f"id is {row.pk}" in err
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.who) == ("issued", None, "")
    assert key not in json.dumps([entry.message, entry.changes, entry.details])


def test_scopes_and_days_are_taken(run: Ran, partner: Partner) -> None:
    run("issue", NAME, "--scope", SCOPES[0], "--scope", SCOPES[2], "--expires", 30)

    row = PartnerKey.objects.get()
    assert row.scopes == [SCOPES[0], SCOPES[2]]
    assert row.expires_at is not None
    assert row.expires_at == pytest.approx(
        timezone.now() + timedelta(days=30), abs=timedelta(minutes=5)
    )


def test_date_is_the_first_day_on_which_it_is_refused(run: Ran, partner: Partner) -> None:
    run("issue", NAME, "--expires", "2999-02-01")

    expires_at = PartnerKey.objects.get().expires_at
    assert expires_at is not None
    assert timezone.localtime(expires_at).replace(tzinfo=None) == datetime(2999, 2, 1)  # noqa: DTZ001


def test_partner_is_made_only_when_asked(run: Ran, db: None) -> None:
    with pytest.raises(CommandError, match="no partner “Birch”"):
        run("issue", "Birch")
    assert not Partner.objects.exists()

    out, _ = run("issue", "Birch", "--create-partner")

    row = partner_key_recognise(out.strip())
    assert row is not None
    assert row.partner.name == "Birch"
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "created",
        "issued",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scope", "everything"), "Unknown: everything"),
        (("--expires", "2001-01-01"), "not in the future"),
        (("--expires", "0"), "days"),
        (("--expires", "99999999999999"), "days"),
        (("--expires", "soon"), "a date as in"),
        (("--expires", "-3"), "a date as in|argument --expires"),
    ],
)
def test_what_makes_no_sense_makes_no_key_and_no_partner(
    run: Ran, db: None, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run("issue", "Birch", "--create-partner", *arguments)

    assert not Partner.objects.exists()
    assert not PartnerKey.objects.exists()


def test_rotated_key_is_alone_on_stdout_and_the_old_one_ends_later(
    run: Ran, partner: Partner, partner_key: str
) -> None:
    out, err = run("rotate", NAME, partner_key[:8])

    row = partner_key_recognise(out.strip())
    assert row is not None
    old = PartnerKey.objects.get(key_hash=key_hash(partner_key))
    assert row.replaces == old
    assert old.expires_at is not None
    assert str(old) in err
    assert partner_key_recognise(partner_key) is not None
    assert {entry.actor for entry in AuditEntry.objects.all()} == {None}


def test_rotation_may_end_the_old_key_now(run: Ran, partner: Partner, partner_key: str) -> None:
    out, _ = run("rotate", NAME, PartnerKey.objects.get().pk, "--overlap-hours", 0)

    assert partner_key_recognise(partner_key) is None
    assert partner_key_recognise(out.strip()) is not None


def test_dead_key_is_not_rotated(run: Ran, partner: Partner, partner_key: str) -> None:
    run("revoke", NAME, partner_key[:8])

    with pytest.raises(CommandError, match="is revoked"):
        run("rotate", NAME, partner_key[:8])
    with pytest.raises(CommandError, match="0 or more"):
        run("rotate", NAME, partner_key[:8], "--overlap-hours", "-1")


@pytest.mark.parametrize("how", ["prefix", "id", "all of it"])
def test_revoked_key_is_refused(run: Ran, partner: Partner, partner_key: str, how: str) -> None:
    key = PartnerKey.objects.get()
    named = {"prefix": key.prefix, "id": str(key.pk), "all of it": partner_key}[how]

    out, err = run("revoke", NAME, named)

    assert partner_key_recognise(partner_key) is None
    assert (out, "is revoked" in err) == ("", True)
    assert "before" in run("revoke", NAME, named)[1]
    assert AuditEntry.objects.filter(action="revoked").count() == 1


def test_prefix_of_two_keys_is_refused_with_their_ids(run: Ran, partner: Partner) -> None:
    rows = [partner_key_issue(partner=partner)[0] for _ in range(2)]

    with pytest.raises(CommandError, match="More than one") as refused:
        run("revoke", NAME, "lo_")

    assert all(f"id {row.pk}" in str(refused.value) for row in rows)
    assert not PartnerKey.objects.filter(revoked_at__isnull=False).exists()


@pytest.mark.parametrize("named", ["lo_nothi", "999999", "9" * 40, "lo_nothing_of_the_kind", "%"])
def test_key_that_is_not_there_is_named(
    run: Ran, partner: Partner, partner_key: str, named: str
) -> None:
    with pytest.raises(CommandError, match="no such key"):
        run("revoke", NAME, named)


def test_key_of_another_partner_is_not_there(run: Ran, partner: Partner) -> None:
    row, _ = partner_key_issue(partner=Partner.objects.create(name="Birch"))

    with pytest.raises(CommandError, match="no such key"):
        run("revoke", NAME, row.pk)


def test_list_shows_every_key_and_none_itself(run: Ran, partner: Partner, partner_key: str) -> None:
    other, _ = partner_key_issue(partner=Partner.objects.create(name="Birch"), label="Branch")

    everybody, err = run("list")
    one, _ = run("list", "Birch")

    assert err == ""
    assert [line.split()[0] for line in everybody.splitlines()] == [
        "id",
        str(other.pk),
        str(PartnerKey.objects.get(partner=partner).pk),
    ]
    assert len(one.splitlines()) == 2
    assert "Branch" in one
    assert partner_key not in everybody


def test_list_as_json_is_for_programs(run: Ran, partner: Partner, partner_key: str) -> None:
    run("rotate", NAME, partner_key[:8])
    run("revoke", NAME, PartnerKey.objects.exclude(replaces=None).get().pk)

    new, old = json.loads(run("list", "--json")[0])

    assert (new["state"], old["state"]) == ("revoked", "expires_soon")
    assert (new["replaces"], old["replaces"]) == (old["id"], None)
    assert new["partner"] == NAME
    assert new["scopes"] == list(SCOPES)
    assert datetime.fromisoformat(old["expires_at"]) > timezone.now()
    assert partner_key not in json.dumps([new, old])


def test_unknown_partner_is_named_with_those_there_are(run: Ran, partner: Partner) -> None:
    with pytest.raises(CommandError, match="There are: Maple Brokers"):
        run("list", "Birch")
