"""``manage.py drain``: the deploy runs it before ``migrate`` and stops unless it exits with 0."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)
from django.utils import timezone

from workflows.deploy_check.check import Drain, Version, drain_check
from workflows.errors import EngineError

CLEAR, REFUSED, UNKNOWN = 0, 1, 2
# Errors after which the result is unknown, so that migrating is not called safe.
UNANSWERED = (
    EngineError,
    DatabaseError,
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)


class Command(BaseCommand):
    help = (
        "Say which executions are unfinished, on which version of their function, and refuse "
        "pending migrations that take away what those versions use. Exits with 0 when nothing "
        "is in the way, 1 when something is, 2 when the engine or the database cannot be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="One JSON object, for scripts."
        )
        parser.add_argument(
            "--safe-from",
            type=int,
            metavar="VERSION",
            help="The first version whose code does without what the migrations take away.",
        )

    def handle(
        self,
        *args: Any,  # noqa: ARG002
        as_json: bool = False,
        safe_from: int | None = None,
        **options: Any,  # noqa: ARG002
    ) -> None:
        try:
            found = drain_check(safe_from=safe_from)
        except UNANSWERED as error:
            self._unanswered(error, as_json=as_json)
            sys.exit(UNKNOWN)
        if as_json:
            self._say_json({"refused": found.refused, **asdict(found)})
        else:
            self._say(found)
        if found.refused:
            sys.exit(REFUSED)

    def _unanswered(self, error: Exception, *, as_json: bool) -> None:
        sentence = f"Not known, so not clear. {type(error).__name__}: {error}"
        if as_json:
            self._say_json({"error": sentence})
        else:
            self.stderr.write(sentence)

    def _say_json(self, found: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(found, default=datetime.isoformat))

    def _say(self, found: Drain) -> None:
        function = settings.LOAN_APPROVAL_FUNCTION.partition(":")[0]
        if found.versions:
            self.stdout.write(f"Unfinished executions of {function}:\n\n{_table(found.versions)}\n")
        else:
            self.stdout.write(f"No execution of {function} is unfinished.")
        if found.dangers:
            self.stdout.write("Pending migrations take away what older code uses:\n")
            for danger in found.dangers:
                self.stdout.write(f"  {danger.migration}: {danger.operation}")
                self.stdout.write(f"    {danger.sentence}")
            self.stdout.write("")
        else:
            self.stdout.write("No pending migration takes away what older code uses.")
        if found.refused:
            self.stdout.write(self.style.ERROR(_refusal(found)))
        else:
            self.stdout.write(self.style.SUCCESS("Nothing is in the way of migrating."))


def _refusal(found: Drain) -> str:
    many = sum(version.executions for version in found.in_the_way)
    numbers = ", ".join(version.number for version in found.in_the_way)
    migrations = ", ".join(dict.fromkeys(danger.migration for danger in found.dangers))
    return (
        f"Refused: {many} unfinished {'execution' if many == 1 else 'executions'} on version "
        f"{numbers} may still need what {migrations} would take away. Migrate when they have "
        "ended, or say with --safe-from which versions do without it."
    )


def _table(versions: tuple[Version, ...]) -> str:
    rows = [("Version", "Executions", "Oldest start", "Names")]
    for version in versions:
        more = [f"and {version.unnamed:,} more"] if version.unnamed else []
        started = timezone.localtime(version.oldest_start)
        for number, name in enumerate([*version.names, *more]):
            first = (version.number, f"{version.executions:,}", f"{started:%Y-%m-%d %H:%M}")
            rows.append((*(first if number == 0 else ("", "", "")), name))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"  {number:<{widths[0]}}  {many:>{widths[1]}}  {since:<{widths[2]}}  {name}"
        for number, many, since, name in rows
    )
