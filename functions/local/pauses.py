"""Store pauses of executions: when, why, and how long the execution's clock was stopped.

The testing SDK only stores that an execution is paused. AWS also returns when and why, and
by default extends the execution timeout by the time spent paused.
"""

from dataclasses import dataclass

from aws_durable_execution_sdk_python_testing.clock import Clock

from functions.local.database import Database


@dataclass(frozen=True)
class Pause:
    """A pause, open or ended; times are Unix seconds."""

    paused_at: float
    reason: str | None
    stops_clock: bool
    token: str | None
    resumed_at: float | None = None
    resume_reason: str | None = None


class Pauses:
    """The table of pauses, open and closed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, arn: str, *, token: str | None, reason: str | None, stops_clock: bool) -> None:
        """Record a pause that starts now."""
        self._database.write(
            "INSERT INTO pauses (arn, token, reason, stops_clock, paused_at) "
            "VALUES (?, ?, ?, ?, ?)",
            [arn, token, reason, int(stops_clock), self._clock.now().timestamp()],
        )

    def end(self, arn: str, *, token: str | None, reason: str | None) -> None:
        """Record that the open pause ends now."""
        self._database.write(
            "UPDATE pauses SET resumed_at = ?, resume_token = ?, resume_reason = ? "
            "WHERE arn = ? AND resumed_at IS NULL",
            [self._clock.now().timestamp(), token, reason, arn],
        )

    def current(self, arn: str) -> Pause | None:
        """Return the open pause, if any."""
        pauses = self.all(arn)
        return pauses[-1] if pauses and pauses[-1].resumed_at is None else None

    def all(self, arn: str) -> list[Pause]:
        """Return the pauses of an execution, oldest first."""
        rows = self._database.read(
            "SELECT paused_at, reason, stops_clock, token, resumed_at, resume_reason "
            "FROM pauses WHERE arn = ? ORDER BY id",
            [arn],
        )
        return [
            Pause(
                paused_at=float(paused_at or 0),
                reason=None if reason is None else str(reason),
                stops_clock=bool(stops_clock),
                token=None if token is None else str(token),
                resumed_at=None if resumed_at is None else float(resumed_at),
                resume_reason=None if resume_reason is None else str(resume_reason),
            )
            for paused_at, reason, stops_clock, token, resumed_at, resume_reason in rows
        ]

    def resumed_with(self, arn: str, token: str | None) -> bool:
        """Return true when the last pause was ended by a request with this token."""
        rows = self._database.read(
            "SELECT resume_token FROM pauses WHERE arn = ? ORDER BY id DESC LIMIT 1", [arn]
        )
        return bool(rows) and token is not None and rows[0][0] == token

    def paused_seconds(self, arn: str) -> float:
        """Sum the seconds for which ended pauses stopped the clock."""
        rows = self._database.read(
            "SELECT TOTAL(resumed_at - paused_at) FROM pauses "
            "WHERE arn = ? AND stops_clock AND resumed_at IS NOT NULL",
            [arn],
        )
        return float(rows[0][0] or 0)

    def discard_open(self, arn: str) -> None:
        """Delete a pause that was recorded but never took effect, because of a crash."""
        self._database.write("DELETE FROM pauses WHERE arn = ? AND resumed_at IS NULL", [arn])

    def forget(self, arn: str) -> None:
        """Delete everything about a deleted execution."""
        self._database.write("DELETE FROM pauses WHERE arn = ?", [arn])
