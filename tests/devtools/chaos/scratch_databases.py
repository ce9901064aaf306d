"""Count the databases that a run created on a server."""

from django.db import connection


def databases_like(pattern: str) -> int:
    """Return how many databases of the server have such a name; SQLite has no server."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [pattern])
        return int(cursor.fetchone()[0])
