"""Processes of a benchmark: a PostgreSQL server, what they cost, and how long they are waited for.

A benchmark's PostgreSQL has its usual settings: it waits for the disk at each commit, which that
of the tests does not.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATABASES = ("sqlite", "postgresql")
# The variable that names the file into which the bare loan writes.
NOTES = "LOANOFFICE_BENCH_NOTES"
DEADLINE = 600.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


def wait_until(what: str, done: Callable[[], bool], *, every: float = 0.05) -> None:
    """Ask for a condition every few seconds; end the benchmark when its time is over."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(every)


def on_each_database(module: str) -> int:
    """Run a benchmark again on each database, each time in a process: Django is set up once.

    Returns the highest of their exit codes.
    """
    codes = []
    for vendor in DATABASES:
        again = [sys.executable, "-m", module, *sys.argv[1:], "--database", vendor]
        codes.append(subprocess.run(again, cwd=ROOT, check=False).returncode)
    return max(codes)


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds of a process and of its children, those that ended included.

    Of this machine's /proc; in steps of a hundredth of a second.
    """
    total, parents = 0, {pid}
    rows = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        fields = rest.split()
        rows.append((int(name.split()[0]), int(fields[1]), sum(map(int, fields[11:15]))))
    for process, parent, ticks in sorted(rows):
        if process in parents or parent in parents:
            parents.add(process)
            total += ticks
    return total / TICKS


def memory_and_threads(pid: int) -> tuple[float, int]:
    """Return the resident megabytes and the number of threads of a process."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(rows["VmRSS"].split()[0]) / 1024, int(rows["Threads"])


@dataclass(frozen=True)
class Database:
    """A temporary database: its URL (none: SQLite in the data folder), and its server."""

    vendor: str
    version: str
    url: str | None = None
    other_url: str | None = None  # a second one of the same server, for a peer's own tables
    server: int | None = None  # the process

    def cpu(self) -> float:
        """Return the processor seconds of the server so far; SQLite has none."""
        return 0.0 if self.server is None else cpu_seconds(self.server)


@contextmanager
def database(vendor: str) -> Iterator[Database]:
    """Serve a temporary database of this kind until the block ends."""
    if vendor == "sqlite":
        import sqlite3

        yield Database(vendor, sqlite3.sqlite_version)
        return
    with tempfile.TemporaryDirectory(prefix="loanoffice-bench-") as folder, ExitStack() as stack:
        os.environ["XDG_RUNTIME_DIR"] = folder
        from devtools.postgresql import serve

        server = stack.enter_context(serve(Path(folder) / "data", settings=()))
        server.psql("CREATE DATABASE office;")
        server.psql("CREATE DATABASE peer;")
        version = server.psql("SHOW server_version;").split()[2]
        yield Database(
            vendor, version, server.get_uri("office"), server.get_uri("peer"), server.get_pid()
        )
