"""``manage.py chaos``: the promise of the product, put to the test with ``kill -9``.

Runs the whole stack on a scratch folder and a scratch database, submits, approves, declines
and withdraws over HTTP, kills processes at random, waits until everything has come to its
end, and reports what is lost, doubled, stuck or wrong. The exit code is 0 only when all
four are zero.

The seed fixes the plan: applications, decisions, withdrawals, kills. It cannot fix timing
(see ``devtools.chaos.plan``).
"""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from devtools.chaos.report import Report
from devtools.chaos.run import Options, Run, RunFailed
from devtools.chaos.sandbox import DatabaseInUse, Scratch

# Lowest and highest, both included.
LIMITS: dict[str, tuple[float, float]] = {
    "applications": (1, 5000),
    "kills": (0, 500),
    "latency": (0.0, 2.0),
    "patience": (1.0, 3600.0),
    "threads": (1, 16),
}


class Command(BaseCommand):
    help = "Drive the whole stack, kill its processes at random, and judge what is left."

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
            "--keep",
            action="store_true",
            help="Keep the scratch folder and database even if nothing was found.",
        )

    def handle(self, *args: Any, keep: bool = False, **options: Any) -> None:  # noqa: ARG002
        if not settings.LOANOFFICE_DEMO:
            raise CommandError("A chaos run needs demo settings: it makes demo logins.")
        check_limits(options)
        chosen = Options(**{name: options[name] for name in ("seed", *LIMITS)})
        # Noted, not raised: a database driver that is interrupted in the middle of an answer
        # may wait for the rest of it for ever.
        self.interrupted = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.interrupted.set())
        scratch = Scratch(latency=chosen.latency)
        keep_it = True
        try:
            report = self.run_in(scratch, chosen)
            keep_it = keep or not report.clean
        except KeyboardInterrupt:
            keep_it = keep
            raise SystemExit(130) from None
        except RunFailed as failed:
            raise CommandError(str(failed)) from None
        finally:
            scratch.leave()
            if not keep_it:
                scratch.discard()
            elif scratch.folder.exists():
                self.say(f"Kept: {scratch.kept}")
        if not report.clean:
            raise SystemExit(1)

    def run_in(self, scratch: Scratch, options: Options) -> Report:
        """Make the scratch, do the run and print its report."""
        try:
            scratch.make()
        except (DatabaseInUse, OperationalError) as error:
            raise CommandError(str(error)) from None
        self.say(f"Working in {scratch.folder}.")
        report = Run(options, scratch, say=self.say, interrupted=self.interrupted).go()
        self.say(report.text())
        return report

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def check_limits(options: dict[str, Any]) -> None:
    """Raise ``CommandError`` for a figure that makes no sense."""
    for name, (lowest, highest) in LIMITS.items():
        if not lowest <= options[name] <= highest:
            raise CommandError(
                f"--{name} is {options[name]:g}; it has to be from {lowest:g} to {highest:g}."
            )
