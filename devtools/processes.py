"""Define the processes of the product on one machine: engine, sweep, web server."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from devtools.supervisor import Process

ENGINE, SWEEP, WEB = "The engine", "The sweep", "The web server"
SWEEP_SECONDS = 2
WEB_THREADS = 8


def stack_processes(
    *,
    port: int,
    engine_port: int,
    environment: Mapping[str, str] | None = None,
    logs: Path | None = None,
) -> list[Process]:
    """Return the processes in the order in which they start; they read their own settings.

    ``environment`` replaces this process's own; with ``logs``, a folder, each process writes
    to a file of its own there. Spans name the process that made them.
    """
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]

    def process(name: str, file: str, command: list[str], health: str = "") -> Process:
        return Process(
            name=name,
            command=command,
            health=health,
            environment={
                **(os.environ if environment is None else environment),
                "LOANOFFICE_PROCESS": file.partition(".")[0],
                "OTEL_SERVICE_NAME": f"loanoffice-{file.partition('.')[0]}",
            },
            folder=settings.BASE_DIR,
            log=None if logs is None else logs / file,
        )

    return [
        process(
            ENGINE,
            "engine.log",
            [*manage, "durable_engine", f"--port={engine_port}"],
            f"http://127.0.0.1:{engine_port}/health",
        ),
        process(SWEEP, "sweep.log", [*manage, "sweep", f"--every={SWEEP_SECONDS}"]),
        process(
            WEB,
            "web.log",
            [
                sys.executable,
                "-m",
                "waitress",
                f"--listen=127.0.0.1:{port}",
                f"--threads={WEB_THREADS}",
                "loanoffice.wsgi:application",
            ],
            f"http://127.0.0.1:{port}/health/live/",
        ),
    ]
