"""Write-through store: running executions in memory, every change in SQLite.

The testing SDK's own SQLite store opens a connection and parses the whole execution at
every access. Here a running execution is one live object, shared by everyone who loads
it. An execution's queue (see ``execution_queues``) runs each task in ``one_write``: the task
changes a copy, which is written once at the end, before the task's caller gets its result, and
only then replaces the live object. So nobody sees what is not on disk, and a write that fails has
changed nothing. What else follows from the change waits for the write as well (``after_write``).
"""

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.stores.base import BaseExecutionStore

from functions.local.database import Bracket, Database, Value
from functions.local.errors import StorageError
from functions.local.local_execution import LocalExecution

logger = logging.getLogger(__name__)

# Ended executions that stay in memory for callers that still poll them.
RECENTLY_ENDED = 64


@dataclass(frozen=True)
class Summary:
    """A row of a list of executions; timestamps are Unix seconds."""

    arn: str
    function: str
    name: str
    version: str
    status: str
    started_at: float
    ended_at: float | None


@dataclass(frozen=True)
class ListFilter:
    """Filters of a list of a function's executions; ``after_item`` continues a page."""

    function: str
    name: str | None = None
    version: str | None = None
    statuses: Sequence[str] = ()
    started_after: float | None = None
    started_before: float | None = None
    oldest_first: bool = False
    after_item: tuple[float, str] | None = None


@dataclass
class _Unit:
    """Changes of one thread that are not written yet: copies, and what follows their write."""

    drafts: dict[str, LocalExecution] = field(default_factory=dict)
    saved: dict[str, LocalExecution] = field(default_factory=dict)
    after: list[Callable[[], object]] = field(default_factory=list)
    depth: int = 0


class WriteThroughStore(BaseExecutionStore):
    """The testing SDK's store protocol, plus the engine's own queries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live: dict[str, LocalExecution] = {}
        self._ended: OrderedDict[str, LocalExecution] = OrderedDict()
        self._ended_lock = threading.Lock()
        self._scope = threading.local()
        self._one_write = Bracket(self._enter_unit, self._leave_unit)

    def save(self, execution: Execution) -> None:
        """Write at the end of this thread's ``one_write``, or now when there is none."""
        if not isinstance(execution, LocalExecution):
            raise TypeError("The engine makes its executions itself.")
        unit: _Unit | None = getattr(self._scope, "unit", None)
        if unit is None:
            with self.one_write():
                self.save(execution)
            return
        arn = execution.durable_execution_arn
        unit.drafts[arn] = unit.saved[arn] = execution

    def update(self, execution: Execution) -> None:
        """The same as ``save``."""
        self.save(execution)

    def one_write(self) -> Bracket:
        """Make all changes of this thread in one transaction; an error makes none of them."""
        return self._one_write

    def _enter_unit(self) -> None:
        unit: _Unit | None = getattr(self._scope, "unit", None)
        if unit is None:
            unit = self._scope.unit = _Unit()
            self._database.enter_transaction()
        unit.depth += 1

    def _leave_unit(self, *, failed: bool) -> None:
        unit: _Unit = self._scope.unit
        unit.depth -= 1
        if unit.depth:
            return
        try:
            self._write_unit(unit, failed=failed)
        finally:
            self._scope.unit = None
        if not failed:
            self._publish_unit(unit)

    def _write_unit(self, unit: _Unit, *, failed: bool) -> None:
        try:
            if not failed:
                self._database.write_last([_statement(saved) for saved in unit.saved.values()])
        except BaseException:
            self._database.leave_transaction(failed=True)
            raise
        self._database.leave_transaction(failed=failed)

    def _publish_unit(self, unit: _Unit) -> None:
        for saved in unit.saved.values():
            self._publish(saved)
        for follow in unit.after:
            try:
                follow()
            except Exception:
                # The change is on disk: its caller must not hear that it failed.
                logger.exception("What follows a change of %s failed.", ", ".join(unit.saved))

    def after_write(self, follow: Callable[[], object]) -> None:
        """Call this when the changes of this thread are on disk, and not at all if they fail.

        At once when the thread has nothing to write.
        """
        unit: _Unit | None = getattr(self._scope, "unit", None)
        if unit is None:
            follow()
        else:
            unit.after.append(follow)

    def load(self, execution_arn: str) -> LocalExecution:
        """Return an execution as it is on disk; inside ``one_write`` a copy to be changed.

        Raises ``ResourceNotFoundException`` for an unknown ARN.
        """
        unit: _Unit | None = getattr(self._scope, "unit", None)
        if unit is None:
            return self._shared(execution_arn)
        draft = unit.drafts.get(execution_arn)
        if draft is None:
            draft = unit.drafts[execution_arn] = _copied(self._shared(execution_arn))
        return draft

    def _shared(self, execution_arn: str) -> LocalExecution:
        execution = self._live.get(execution_arn)
        if execution is not None:
            return execution
        with self._ended_lock:
            ended = self._ended.get(execution_arn)
        if ended is not None:
            return ended
        execution = self._read(execution_arn)
        if execution.is_complete:
            self._remember_ended(execution)
            return execution
        return self._live.setdefault(execution_arn, execution)

    def _read(self, execution_arn: str) -> LocalExecution:
        """Read an execution from disk; one that cannot be read is set aside, and does not exist."""
        try:
            rows = self._database.read("SELECT data FROM executions WHERE arn = ?", [execution_arn])
        except StorageError as error:
            if "decode" not in error.reason:
                raise
            raise self._set_aside(execution_arn, error.reason) from error
        if not rows:
            raise ResourceNotFoundException("Durable Execution does not exist")
        try:
            execution = LocalExecution.from_json_dict(json.loads(str(rows[0][0])))
            _statement(execution)  # it has all that a row needs
        except Exception as error:
            raise self._set_aside(execution_arn, f"{type(error).__name__}: {error}") from error
        return execution

    def _set_aside(self, execution_arn: str, reason: str) -> ResourceNotFoundException:
        logger.error("[%s] Set aside, because its row is damaged: %s", execution_arn, reason)
        if getattr(self._scope, "unit", None) is None:
            with self._database.transaction():
                self._database.write(
                    "REPLACE INTO damaged (arn, function, name, data, reason, found_at) "
                    "SELECT arn, function, name, data, ?, ? FROM executions WHERE arn = ?",
                    [reason, time.time(), execution_arn],
                )
                self._database.write("DELETE FROM executions WHERE arn = ?", [execution_arn])
        return ResourceNotFoundException("Durable Execution was set aside: its row is damaged")

    def damaged_count(self) -> int:
        """Return the number of executions that were set aside."""
        return int(self._database.read("SELECT COUNT(*) FROM damaged")[0][0] or 0)

    def exists(self, execution_arn: str) -> bool:
        """Return true when the execution was created: running, ended, or set aside."""
        return execution_arn in self._live or bool(
            self._database.read(
                "SELECT 1 FROM executions WHERE arn = ? UNION SELECT 1 FROM damaged WHERE arn = ?",
                [execution_arn, execution_arn],
            )
        )

    def note_stop(self, unknown: Collection[str]) -> None:
        """Note that invocations which are still under way did not end the process.

        Except those of ``unknown`` executions: they were under way in another process.
        """
        try:
            with self.one_write():
                for arn in [arn for arn in list(self._live) if arn not in unknown]:
                    execution = self.load(arn)
                    if execution.is_invoked:
                        execution.is_invoked = False
                        self.save(execution)
        except StorageError:
            logger.exception("Invocations that are under way will count as deaths.")

    def delete(self, execution_arn: str) -> None:
        """Delete an ended execution and its data."""
        with self._ended_lock:
            self._ended.pop(execution_arn, None)
        self._database.write("DELETE FROM executions WHERE arn = ?", [execution_arn])

    def delete_ended(self, function: str, *, before: float, limit: int) -> list[str]:
        """Delete up to ``limit`` executions of a function that ended before a time.

        Returns their ARNs. Their names stay reserved, without the payload.
        """
        with self._database.transaction():
            rows = self._database.write(
                "DELETE FROM executions WHERE arn IN (SELECT arn FROM executions "
                "WHERE function = ? AND ended_at < ? LIMIT ?) RETURNING arn",
                [function, before, limit],
            )
            arns = [str(arn) for (arn,) in rows]
            for arn in arns:
                self._database.write("UPDATE names SET payload = '' WHERE arn = ?", [arn])
                self._database.write("DELETE FROM pauses WHERE arn = ?", [arn])
        with self._ended_lock:
            for arn in arns:
                self._ended.pop(arn, None)
        return arns

    def list_all(self) -> list[Execution]:
        """Return every execution, as the store protocol asks; the engine never calls it."""
        rows = self._database.read("SELECT arn FROM executions ORDER BY started_at")
        return [self.load(str(arn)) for (arn,) in rows]

    def unfinished(self) -> list[str]:
        """Return the ARNs of the executions that have not ended, oldest first.

        Their pages are read, so that a damaged file is found out, but nothing is parsed.
        """
        rows = self._database.read(
            "SELECT arn, LENGTH(data) FROM executions WHERE ended_at IS NULL ORDER BY started_at"
        )
        return [str(arn) for arn, _ in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of executions by status."""
        rows = self._database.read("SELECT status, COUNT(*) FROM executions GROUP BY status")
        return {str(status): int(number or 0) for status, number in rows}

    def live_count(self) -> int:
        """Return the number of executions held in memory because they run."""
        return len(self._live)

    def page(self, wanted: ListFilter, size: int) -> list[Summary]:
        """Return up to ``size`` executions, newest first unless asked otherwise."""
        conditions = ["function = ?"]
        values: list[Value] = [wanted.function]
        for column, value in (("name", wanted.name), ("version", wanted.version)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if wanted.statuses:
            conditions.append(f"status IN ({', '.join('?' * len(wanted.statuses))})")
            values.extend(wanted.statuses)
        for operator, moment in ((">", wanted.started_after), ("<", wanted.started_before)):
            if moment is not None:
                conditions.append(f"started_at {operator} ?")
                values.append(moment)
        if wanted.after_item is not None:
            conditions.append(f"(started_at, arn) {'>' if wanted.oldest_first else '<'} (?, ?)")
            values.extend(wanted.after_item)
        direction = "ASC" if wanted.oldest_first else "DESC"
        # Only fixed words are spliced into the statement; every value is bound.
        statement = (
            "SELECT arn, function, name, version, status, started_at, ended_at "  # noqa: S608
            f"FROM executions WHERE {' AND '.join(conditions)} "
            f"ORDER BY started_at {direction}, arn {direction} LIMIT ?"
        )
        rows = self._database.read(statement, [*values, size])
        return [
            Summary(
                arn=str(arn),
                function=str(function),
                name=str(name),
                version=str(version),
                status=str(status),
                started_at=_number(started_at),
                ended_at=None if ended_at is None else _number(ended_at),
            )
            for arn, function, name, version, status, started_at, ended_at in rows
        ]

    def _publish(self, execution: LocalExecution) -> None:
        arn = execution.durable_execution_arn
        if execution.is_complete:
            self._remember_ended(execution)
            self._live.pop(arn, None)
        else:
            self._live[arn] = execution

    def _remember_ended(self, execution: LocalExecution) -> None:
        with self._ended_lock:
            self._ended[execution.durable_execution_arn] = execution
            while len(self._ended) > RECENTLY_ENDED:
                self._ended.popitem(last=False)


def _number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _copied(execution: LocalExecution) -> LocalExecution:
    """Copy an execution and its collections; what is in these is immutable."""
    draft = object.__new__(type(execution))
    values = vars(draft)
    values.update(vars(execution))
    for name, value in vars(execution).items():
        kind = type(value)
        if kind is list or kind is dict:
            values[name] = value.copy()
    return draft


def _statement(execution: LocalExecution) -> tuple[str, list[Value]]:
    arn = execution.durable_execution_arn
    started = execution.get_operation_execution_started()
    if started.start_timestamp is None:
        raise ValueError(f"{arn} has no start time")
    paused = execution.is_paused and not execution.is_complete
    return (
        "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (arn) DO UPDATE "
        "SET status = excluded.status, ended_at = excluded.ended_at, data = excluded.data",
        [
            arn,
            execution.start_input.function_name,
            execution.start_input.execution_name,
            execution.executed_version(),
            "PAUSED" if paused else execution.current_status().value,
            started.start_timestamp.timestamp(),
            started.end_timestamp.timestamp() if started.end_timestamp else None,
            json.dumps(execution.to_json_dict(), separators=(",", ":")),
        ],
    )
