"""``manage.py durable_engine``: run the embedded engine until a signal."""

import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from core.stop_signals import set_on_stop_signal
from core.traces import spans
from functions.local.credentials import Credentials, credentials_read
from functions.local.engine import GRACE_SECONDS, HANDLER_THREADS, LocalEngine
from functions.local.errors import EngineError
from functions.local.function import DEFAULT_REGION, Function
from functions.local.private_files import UMASK

DEFAULT_PORT = 9001


def configured_functions() -> dict[str, Function]:
    """Import the functions of ``settings.LOANOFFICE_FUNCTIONS``.

    ``{"name": {"handler": "dotted.path.to.callable", "durable": bool}}``; a durable function
    gets ``settings.LOAN_APPROVAL_EXECUTION_TIMEOUT``, a timedelta.
    """
    configured: Mapping[str, Mapping[str, Any]] = getattr(settings, "LOANOFFICE_FUNCTIONS", {})
    if not configured:
        raise ImproperlyConfigured("LOANOFFICE_FUNCTIONS names no function to serve.")
    timeout: timedelta | None = getattr(settings, "LOAN_APPROVAL_EXECUTION_TIMEOUT", None)
    functions = {}
    for name, options in configured.items():
        handler = import_string(options["handler"])
        durable = bool(options.get("durable", False))
        if durable and timeout is not None:
            functions[name] = Function(
                handler, durable=True, execution_timeout_seconds=int(timeout.total_seconds())
            )
        else:
            functions[name] = Function(handler, durable=durable)
    return functions


def default_data() -> Path | None:
    """Return ``settings.DATA_DIR / "engine"``, if there is such a setting."""
    data = getattr(settings, "DATA_DIR", None)
    return None if data is None else Path(data) / "engine"


def configured_credentials() -> Credentials | None:
    """Return those of ``settings.DATA_DIR``; without any, requests need no signature."""
    data = getattr(settings, "DATA_DIR", None)
    try:
        return None if data is None else credentials_read(Path(data))
    except ValueError as error:
        raise CommandError(str(error)) from None


class Command(BaseCommand):
    """Serve the project's functions on 127.0.0.1 and store their executions."""

    help = "Run the embedded engine: Lambda with durable functions, on 127.0.0.1."
    # The handlers' own checks belong to the web process; the engine starts without them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for port, data folder, threads and grace."""
        parser.add_argument(
            "--port", type=int, default=int(getattr(settings, "ENGINE_PORT", DEFAULT_PORT))
        )
        parser.add_argument("--data", type=Path, default=default_data())
        parser.add_argument(
            "--handler-threads",
            type=int,
            default=int(getattr(settings, "ENGINE_HANDLER_THREADS", HANDLER_THREADS)),
        )

        parser.add_argument(
            "--grace",
            type=float,
            default=GRACE_SECONDS,
            help="Seconds that running functions get to end after a signal.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Start, print the ready line, wait for SIGTERM or SIGINT, stop."""
        if options["data"] is None:
            raise CommandError("--data is needed, for there is no DATA_DIR setting.")
        os.umask(UMASK)
        asked_to_stop = threading.Event()
        set_on_stop_signal(asked_to_stop)
        try:
            engine = LocalEngine(
                functions=configured_functions(),
                data=options["data"],
                port=options["port"],
                region=os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION,
                handler_threads=options["handler_threads"],
                credentials=configured_credentials(),
            )
            engine.start()
        except EngineError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"ready port={engine.port} recovered={engine.recovered.total} pid={os.getpid()}"
        )
        self.stdout.flush()
        asked_to_stop.wait()
        if not engine.stop(options["grace"]):
            # A function is still running. Its threads would keep the process alive; the
            # next engine starts it again.
            sys.stderr.flush()
            spans.shut_down()
            os._exit(0)
