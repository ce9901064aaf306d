"""``manage.py chaos``: test the product's guarantees with ``kill -9``.

Runs the whole stack on a folder and a database of its own, submits, approves, declines
and withdraws over HTTP, kills processes at random, waits until everything has ended, and
reports what is lost, doubled, stuck or wrong. The exit code is 0 only when all four are zero.

The seed fixes the plan: applications, decisions, withdrawals, kills. It cannot fix timing
(see ``devtools.chaos.plan``).
"""

import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from core.stop_signals import set_on_stop_signal
from devtools.chaos.report import Report
from devtools.chaos.run import Options, Run, RunFailed
from devtools.chaos.sandbox import DatabaseInUse, Sandbox

# Lowest and highest, both included.
LIMITS: dict[str, tuple[float, float]] = {
    "applications": (1, 5000),
    "kills": (0, 500),
    "latency": (0.0, 2.0),
    "patience": (1.0, 3600.0),
    "threads": (1, 16),
}


class Command(BaseCommand):
    help = "Run the whole stack, kill its processes at random, and check that nothing is lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--applications", type=int, default=200)
        parser.add_argument("--kills", type=int, default=20)
        parser.add_argument("--seed", type=int, default=1, help="The same seed, the same plan.")
        parser.add_argument(
            "--latency",
            type=float,
            default=0.02,
            help="Times the delays of the demo, so that kills hit the middle of steps.",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=420,
            metavar="SECONDS",
            help="How long to wait without progress, and for the end after the last kill.",
        )
        parser.add_argument(
            "--threads", type=int, default=4, help="Partners that submit side by side."
        )
        parser.add_argument(
            "--careless-rail",
            action="store_true",
            help="Pay over HTTP by a rail that answers 409, 408, garbage and late at random; two "
            "people settle what is held.",
        )
        parser.add_argument(
            "--keep",
            action="store_true",
            help="Keep the run's folder and database even if nothing was found.",
        )

    def handle(self, *args: Any, keep: bool = False, **options: Any) -> None:  # noqa: ARG002
        if not settings.LOANOFFICE_DEMO:
            raise CommandError("A chaos run needs demo settings: it makes demo logins.")
        check_limits(options)
        chosen = Options(**{name: options[name] for name in ("seed", "careless_rail", *LIMITS)})
        # Noted, not raised: a database driver that is interrupted in the middle of an answer
        # may wait for the rest of it for ever.
        self.interrupted = threading.Event()
        set_on_stop_signal(self.interrupted)
        sandbox = Sandbox(latency=chosen.latency)
        keep_it = True
        try:
            report = self.run_in(sandbox, chosen)
            keep_it = keep or not report.clean
        except KeyboardInterrupt:
            keep_it = keep
            raise SystemExit(130) from None
        except RunFailed as failed:
            raise CommandError(str(failed)) from None
        finally:
            sandbox.restore()
            if not keep_it:
                sandbox.discard()
            elif sandbox.folder.exists():
                self.write_line(f"Kept: {sandbox.kept}")
        if not report.clean:
            raise SystemExit(1)

    def run_in(self, sandbox: Sandbox, options: Options) -> Report:
        """Create the sandbox, do the run and print its report."""
        try:
            sandbox.create()
        except (DatabaseInUse, OperationalError) as error:
            raise CommandError(str(error)) from None
        self.write_line(f"Working in {sandbox.folder}.")
        report = Run(
            options, sandbox, write_line=self.write_line, interrupted=self.interrupted
        ).go()
        self.write_line(report.text())
        return report

    def write_line(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def check_limits(options: dict[str, Any]) -> None:
    """Raise ``CommandError`` for a figure outside of its limits."""
    for name, (lowest, highest) in LIMITS.items():
        if not lowest <= options[name] <= highest:
            raise CommandError(
                f"--{name} is {options[name]:g}; it has to be from {lowest:g} to {highest:g}."
            )
