"""Store the last heartbeat of each pending callback, so that a restart does not shorten it."""

from datetime import UTC, datetime

from aws_durable_execution_sdk_python_testing.clock import Clock

from functions.local.database import Database


class Heartbeats:
    """The table of last heartbeats."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def beat(self, callback_id: str) -> None:
        """Record a heartbeat now."""
        self._database.write(
            "INSERT INTO heartbeats (callback_id, beat_at) VALUES (?, ?) "
            "ON CONFLICT (callback_id) DO UPDATE SET beat_at = excluded.beat_at",
            [callback_id, self._clock.now().timestamp()],
        )

    def last(self, callback_id: str) -> datetime | None:
        """Return the last heartbeat, if there was one."""
        rows = self._database.read(
            "SELECT beat_at FROM heartbeats WHERE callback_id = ?", [callback_id]
        )
        return datetime.fromtimestamp(float(rows[0][0] or 0), UTC) if rows else None

    def forget(self, callback_id: str) -> None:
        """Delete the heartbeat of a closed callback."""
        self._database.write("DELETE FROM heartbeats WHERE callback_id = ?", [callback_id])
