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
from pathlib import Path

from devtools.postgresql import serve

REPOSITORY = Path(__file__).resolve().parents[1]


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
