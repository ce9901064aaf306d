"""``manage.py reconcile``: compare the record with the engine, and repair it."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows.errors import EngineError
from workflows.reconcile.compare import CALLS_PER_SECOND, reconcile
from workflows.reconcile.findings import Finding, Report

SAY_EVERY = 1000  # executions between two lines of progress
COLUMNS = ("execution", "engine", "record", "found", "repair")


class Command(BaseCommand):
    help = "Compare the record with the engine: repair what was missed, open incidents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be done; change nothing."
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="Compare every execution that the engine has, not only those of the last day "
            "and those that have not ended.",
        )
        parser.add_argument(
            "--rate",
            type=float,
            default=CALLS_PER_SECOND,
            metavar="N",
            help="Calls to the engine a second, at the most (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if options["rate"] <= 0:
            raise CommandError("--rate has to be above zero.")
        self.reported = 0  # executions, in the last line of progress
        try:
            report = reconcile(
                dry_run=options["dry_run"],
                everything=options["all"],
                calls_per_second=options["rate"],
                on_progress=self.progress,
            )
        except EngineError as error:
            raise CommandError(
                f"The engine cannot be asked: {error} What was repaired stays repaired; "
                "run it again."
            ) from error
        self.stdout.write(table(report.findings))
        self.stdout.write(conclusion(report))

    def progress(self, compared: int) -> None:
        """Write a line to stderr every ``SAY_EVERY`` executions, so that progress is visible."""
        if compared >= self.reported + SAY_EVERY:
            self.reported = compared - compared % SAY_EVERY
            self.stderr.write(f"{compared} compared ...")
            sys.stderr.flush()


def table(findings: list[Finding]) -> str:
    """Format the findings as a table of plain text; empty when there are none."""
    if not findings:
        return ""
    rows = [COLUMNS, *((f.name, f.engine, f.record, f.what, f.repair) for f in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def conclusion(report: Report) -> str:
    found = len(report.findings)
    if not found:
        return f"{report.compared} compared: the record and the engine agree."
    verb = "would be repaired (dry run: nothing was changed)" if report.dry_run else "repaired"
    return f"{report.compared} compared, {found} {verb}."
