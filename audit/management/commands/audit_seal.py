"""``manage.py audit_seal``: seal now what the sweep would seal, or record a restore."""

from argparse import ArgumentParser
from typing import Any, override

from django.core.management.base import BaseCommand, CommandError

from audit import sealing
from audit.seal_copies import CopiesUnreachable


class Command(BaseCommand):
    help = "Seal what was added to the sealed tables, without waiting for the sweep, and copy it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--after-restore",
            metavar="REASON",
            help="The database was put back to an earlier time: give up the seals that it lost.",
        )

    @override
    def handle(
        self,
        *args: Any,
        after_restore: str | None = None,
        **options: Any,
    ) -> None:
        try:
            if after_restore is not None:
                self._restored(after_restore.strip())
            sealed = sealing.seals_make()
            while copied := sealing.seals_copy():
                self.stderr.write(f"{copied} seals copied ...")
        except CopiesUnreachable as error:
            raise CommandError(
                f"The copies of the seals cannot be reached: {error} What is sealed stays sealed; "
                "run it again."
            ) from error
        self.stdout.write(
            f"{sealed.rows} rows sealed in {sealed.seals} seals; the last one is {sealed.number}."
        )
        if sealed.waiting:
            self.stdout.write(
                f"{sealed.waiting} transactions are running: what was added since they began is "
                "sealed when they have ended."
            )

    def _restored(self, reason: str) -> None:
        if not reason:
            raise CommandError("Say why the database was put back.")
        seal, lost = sealing.seal_after_restore(reason=reason)
        self.stdout.write(f"Seal {seal.number} records the restore; it gives up {lost} seals.")
