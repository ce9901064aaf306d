"""``manage.py audit_verify``: compare the sealed tables with their seals and with the copies."""

import sys
from typing import Any, override

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from audit.seal_copies import CopiesUnreachable
from audit.seal_verification import Verified, seals_verify

VERIFIED, DIFFERENT, UNKNOWN = 0, 1, 2
SAY_EVERY = 10_000  # rows between two lines of progress


class Command(BaseCommand):
    help = (
        "Say whether every sealed row is as it was sealed, and name the first one that was "
        "changed, added behind or removed. Exits with 0 when all is as it was, 1 when something "
        "is not, 2 when the database or the copies of the seals cannot be asked."
    )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        self.reported = 0  # rows, in the last line of progress
        try:
            found = seals_verify(on_progress=self.progress)
        except (CopiesUnreachable, DatabaseError) as error:
            self.stderr.write(f"Not known. {type(error).__name__}: {error}")
            sys.exit(UNKNOWN)
        self._say(found)
        if found.finding:
            sys.exit(DIFFERENT)

    def progress(self, rows: int) -> None:
        """Write a line to stderr every ``SAY_EVERY`` rows, so that progress is visible."""
        if rows >= self.reported + SAY_EVERY:
            self.reported = rows - rows % SAY_EVERY
            self.stderr.write(f"{rows} rows verified ...")
            sys.stderr.flush()

    def _say(self, found: Verified) -> None:
        for sentence in found.given_up:
            self.stdout.write(sentence)
        copies = (
            f"compared with {found.copies} copies in {found.where}"
            if found.where
            else ("compared with no copies: the settings name no place for them")
        )
        self.stdout.write(f"{found.rows} rows up to seal {found.seal}, {copies}.")
        unsealed = ", ".join(f"{each.rows} {each.label}" for each in found.unsealed)
        self.stdout.write(f"Not sealed yet: {unsealed or 'nothing'}.")
        if found.finding:
            self.stdout.write(self.style.ERROR(found.finding))
        else:
            self.stdout.write(self.style.SUCCESS("Everything is as it was sealed."))
