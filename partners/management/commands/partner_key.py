"""``partner_key``: list, issue, rotate and revoke the keys of partners, from a shell.

A new key is alone on stdout, so that it can be piped to where it is stored; everything
else goes to stderr. A key that may write is proposed where a person may confirm it: then nothing
is on stdout and the exit code is 3. The audit log has each action, without a signed-in user.
"""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import Proposal
from accounts.proposals import confirmers_of_proposal
from audit.models import Action
from audit.services import entry_record
from audit.times import day_begins
from core.errors import DomainError
from core.site_urls import site_url
from partners.choices import KeyState
from partners.models import Partner, PartnerKey
from partners.proposals import MadeKey, key_issue, key_rotate
from partners.services import keys

MOST_DAYS = 36_500
PROPOSED = 3  # the exit code where a person has to confirm first
COLUMNS = ("id", "partner", "prefix", "state", "scopes", "expires_at", "last_used_at", "label")


class Command(BaseCommand):
    help = "List, issue, rotate and revoke partners' keys. Each action is in the audit log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")

        listing = acts.add_parser("list", help="the keys that there are, never the keys themselves")
        listing.add_argument("partner", nargs="?", help="the name of one partner; all without it")
        listing.add_argument("--json", action="store_true", help="as JSON, for programs")

        issue = acts.add_parser("issue", help="make a key and print it, this once")
        issue.add_argument("partner", help="its name")
        issue.add_argument(
            "--create-partner", action="store_true", help="make the partner if there is none"
        )
        issue.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help=f"may be repeated; all without it: {', '.join(keys.SCOPES)}",
        )
        issue.add_argument(
            "--expires",
            metavar="DATE|DAYS",
            help="the first day on which it is refused, as in 2027-01-31, or in how many days",
        )
        issue.add_argument("--label", default="", help="for people: where the key is used")

        rotate = acts.add_parser("rotate", help="make a key that takes another's place")
        self._add_key(rotate)
        rotate.add_argument(
            "--overlap-hours",
            type=int,
            default=keys.OVERLAP // timedelta(hours=1),
            metavar="HOURS",
            help="how long the old key stays good; 0: it ends now (default: %(default)s)",
        )

        self._add_key(acts.add_parser("revoke", help="refuse a key from now on"))

    @staticmethod
    def _add_key(parser: ArgumentParser) -> None:
        parser.add_argument("partner", help="its name")
        parser.add_argument("key", help="how the key begins, or its id; both are in the list")

    def handle(self, *_: Any, **options: Any) -> None:
        acts: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "issue": self._issue,
            "rotate": self._rotate,
            "revoke": self._revoke,
        }
        try:
            acts[options["act"]](options)
        except DomainError as refused:
            raise CommandError(str(refused)) from refused

    def _list(self, options: dict[str, Any]) -> None:
        rows = PartnerKey.objects.select_related("partner", "replaces").order_by(
            "partner__name", "-created_at", "-pk"
        )
        if options["partner"]:
            rows = rows.filter(partner=partner_named(options["partner"]))
        found = [shown(row) for row in rows]
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        lines = [list(COLUMNS), *([_text(row[name]) for name in COLUMNS] for row in found)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())

    def _issue(self, options: dict[str, Any]) -> None:
        scopes = tuple(dict.fromkeys(options["scope"] or keys.SCOPES))
        unknown = sorted(set(scopes) - set(keys.SCOPES))
        if unknown:
            raise CommandError(
                f"Unknown: {', '.join(unknown)}. Scopes are {', '.join(keys.SCOPES)}."
            )
        expires_at = None if options["expires"] is None else moment(options["expires"])
        with transaction.atomic():
            partner = partner_named(options["partner"], create=options["create_partner"])
            made = key_issue(
                partner=partner,
                user=None,
                label=options["label"],
                scopes=scopes,
                expires_at=expires_at,
            )
        self._tell(made, f"A key for {partner}: {', '.join(scopes)}.")

    def _rotate(self, options: dict[str, Any]) -> None:
        if not 0 <= options["overlap_hours"] <= MOST_DAYS * 24:
            raise CommandError("The overlap is a number of hours, 0 or more.")
        old = key_named(options["partner"], options["key"])
        overlap = timedelta(hours=options["overlap_hours"])
        made = key_rotate(partner_key=old, user=None, overlap=overlap)
        old.refresh_from_db()
        self._tell(made, f"It takes the place of {old} (id {old.pk}). {_end(old)}")

    def _revoke(self, options: dict[str, Any]) -> None:
        row = key_named(options["partner"], options["key"])
        if row.revoked_at is not None:
            self.stderr.write(f"{row} (id {row.pk}) of {row.partner} was revoked before.")
            return
        keys.partner_key_revoke(partner_key=row)
        self.stderr.write(f"{row} (id {row.pk}) of {row.partner} is revoked.")

    def _tell(self, made: MadeKey | Proposal, sentence: str) -> None:
        """Write the key, or raise ``CommandError`` that says who has to confirm it."""
        if isinstance(made, Proposal):
            names = ", ".join(person.get_username() for person in confirmers_of_proposal(made))
            address = site_url(f"/admin/accounts/proposal/{made.pk}/change/")
            raise CommandError(
                f"Proposed: {made.title}. There is no key yet: it is shown once to whoever "
                f"confirms it, one of {names}, at {address}",
                returncode=PROPOSED,
            )
        if made.alone:
            self.stderr.write(f"Nobody confirms this ({made.alone}); the audit log says so.")
        self.stderr.write(f"{sentence} {_end(made.row)} Its id is {made.row.pk}.")
        self.stderr.write("It is shown this once:")
        self.stdout.write(made.key)


def partner_named(name: str, *, create: bool = False) -> Partner:
    """Find or create a partner. Raises ``CommandError`` when there is none of this name."""
    partner = Partner.objects.filter(name=name).first()
    if partner is not None:
        return partner
    if not create:
        known = ", ".join(Partner.objects.values_list("name", flat=True)[:20]) or "none"
        raise CommandError(f"There is no partner “{name}”. There are: {known}.")
    if not name.strip() or len(name) > 200:
        raise CommandError("A partner's name has 1 to 200 characters.")
    partner = Partner.objects.create(name=name)
    entry_record(
        action=Action.CREATED, message=f"The partner “{partner}” was created.", target=partner
    )
    return partner


def key_named(partner_name: str, named: str) -> PartnerKey:
    """Find the partner's one key with this prefix or id. Raises ``CommandError``."""
    partner = partner_named(partner_name)
    rows = PartnerKey.objects.select_related("partner").filter(partner=partner)
    if named.isascii() and named.isdecimal():
        found = list(rows.filter(pk=int(named[:18])))
    elif len(named) > keys.PREFIX_LENGTH:  # somebody has all of it
        found = list(rows.filter(key_hash=keys.key_hash(named)))
    else:
        found = list(rows.filter(prefix__startswith=named))
    if not found:
        raise CommandError(f"{partner} has no such key; see: partner_key list")
    if len(found) > 1:
        each = ", ".join(f"{row} (id {row.pk})" for row in found)
        raise CommandError(f"More than one key begins like that: {each}. Name one by its id.")
    return found[0]


def moment(text: str) -> datetime:
    """Parse a date, or a number of days from now. Raises ``CommandError``."""
    if text.isascii() and text.isdecimal():
        days = int(text[:9])
        if not 0 < days <= MOST_DAYS:
            raise CommandError(f"--expires: 1 to {MOST_DAYS} days.")
        return timezone.now() + timedelta(days=days)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise CommandError("--expires: a date as in 2027-01-31, or a number of days.") from error
    if day <= timezone.localdate():
        raise CommandError(f"--expires: {day} is not in the future.")
    return day_begins(day)


def shown(row: PartnerKey) -> dict[str, Any]:
    """Format a key for the list."""
    return {
        "id": row.pk,
        "partner": row.partner.name,
        "prefix": row.prefix,
        "label": row.label,
        "state": KeyState(keys.key_state(row, now=timezone.now())).value,
        "scopes": row.scopes,
        "created_at": _iso(row.created_at),
        "expires_at": _iso(row.expires_at),
        "revoked_at": _iso(row.revoked_at),
        "last_used_at": _iso(row.last_used_at),
        "replaces": row.replaces_id,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else timezone.localtime(at).isoformat(timespec="seconds")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return "" if value is None else str(value)


def _end(row: PartnerKey) -> str:
    return f"{row} ends at {_iso(row.expires_at)}." if row.expires_at else f"{row} does not expire."
