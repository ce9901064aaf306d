"""A temporary office for a benchmark: migrated, with demo people, and with an engine if asked."""

import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.processes import NOTES, ROOT, Database, wait_until
from devtools.ports import free_port


@dataclass(frozen=True)
class Office:
    """The folder of an office's data, its database and the process of its engine."""

    folder: Path
    database: Database
    engine: int | None


def healthy(port: int) -> bool:
    """Return whether an engine answers on this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of this checkout with the present environment until the block ends."""
    running = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=60)


@contextmanager
def office(database: Database, *, with_engine: bool = True) -> Iterator[Office]:
    """Open a temporary office on this database; one for each process, as Django is set up once."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="loanoffice-bench-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": folder,
            "LOANOFFICE_SIMULATED_LATENCY": "0",
            "ENGINE_PORT": str(port),
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}",
            "LOG_LEVEL": "ERROR",
            NOTES: str(Path(folder) / "notes.txt"),
        }
        if database.url:
            os.environ["DATABASE_URL"] = database.url
        import django

        django.setup()
        from django.core.management import call_command

        from devtools.demo_data import create_demo_data

        call_command("migrate", verbosity=0)
        create_demo_data()
        with process("benchmarks.support.engine") if with_engine else nullcontext() as running:
            if running is not None:
                wait_until("the engine", lambda: healthy(port))
            yield Office(Path(folder), database, running.pid if running is not None else None)
