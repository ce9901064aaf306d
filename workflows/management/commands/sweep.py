"""``manage.py sweep``: sweep once, or every few seconds until SIGTERM or SIGINT."""

import logging
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections

from core.stop_signals import set_on_stop_signal
from workflows.sweep import sweep

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Send what is due, remind, escalate, expire, and reconcile now and then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=float, metavar="SECONDS", help="Go on until stopped (default: once)."
        )

    def handle(self, *args: Any, every: float | None = None, **options: Any) -> None:  # noqa: ARG002
        self.check(databases=["default"])
        if every is None:
            swept = sweep()
            self.stdout.write(", ".join(f"{what} {number}" for what, number in swept.items()))
            return
        stopped = threading.Event()
        set_on_stop_signal(stopped)
        while not stopped.is_set():
            try:
                sweep()
            except OperationalError:
                logger.exception("The database did not answer; the next sweep tries again")
            close_old_connections()
            stopped.wait(every)
