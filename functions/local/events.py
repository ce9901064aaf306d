"""Deliver event invocations of plain functions: a durable queue with Lambda's retries.

Lambda keeps an event until the function has accepted it, and retries twice when the
function fails. An event is a row before its sender gets a response. A crash during an
attempt does not count: the event is delivered again. After the last failed attempt the row
stays, as dead, with the traceback.
"""

import json
import logging
import traceback
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from aws_durable_execution_sdk_python_testing.clock import Clock
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool

from functions.local.database import Database, Value
from functions.local.errors import StorageError
from functions.local.function import Function, FunctionName, context_for, find_function
from functions.local.invoker import Activity

# Seconds before the second and the third attempt, as Lambda waits.
LAMBDA_RETRY_DELAYS = (60.0, 120.0)

# Seconds until a write that failed is tried again.
STORAGE_RETRY_DELAY = 1.0

logger = logging.getLogger(__name__)


class EventQueue:
    """Delivers events on a bounded pool of threads."""

    def __init__(
        self,
        database: Database,
        functions: Mapping[str, Function],
        *,
        scheduler: Scheduler,
        activity: Activity,
        clock: Clock,
        region: str,
        threads: int,
        retry_delays: Sequence[float] = LAMBDA_RETRY_DELAYS,
    ) -> None:
        self._database = database
        self._functions = functions
        self._scheduler = scheduler
        self._activity = activity
        self._clock = clock
        self._region = region
        self._retry_delays = retry_delays
        self._pool = DaemonThreadPool(threads, "lambda-event")
        self._draining = False
        self._stopped = False

    def put(self, function: FunctionName, payload: str) -> str:
        """Store an event and deliver it soon; return its request id."""
        request_id = str(uuid.uuid4())
        rows = self._database.write(
            "INSERT INTO events (request_id, function, qualifier, payload, due_at) "
            "VALUES (?, ?, ?, ?, ?) RETURNING id",
            [request_id, function.name, function.qualifier, payload, self._clock.now().timestamp()],
        )
        self._deliver_later(int(rows[0][0] or 0), 0)
        return request_id

    def recover(self) -> int:
        """Deliver the events of the previous process when they are due; return how many."""
        rows = self._database.read(
            "SELECT id, due_at FROM events WHERE state = 'queued' ORDER BY id"
        )
        now = self._clock.now().timestamp()
        for event_id, due_at in rows:
            due = due_at if isinstance(due_at, (int, float)) else now
            self._deliver_later(int(event_id or 0), max(0.0, due - now))
        return len(rows)

    def drain(self) -> None:
        """Begin no further attempt; queued events are delivered after the next start."""
        self._draining = True

    def stop(self) -> None:
        """Release the threads."""
        self._stopped = True
        self._pool.shutdown()

    def counts(self) -> dict[str, int]:
        """Return the number of events by state."""
        rows = self._database.read("SELECT state, COUNT(*) FROM events GROUP BY state")
        return {str(state): int(number or 0) for state, number in rows}

    def _deliver_later(self, event_id: int, delay: float) -> None:
        if delay > 0:
            self._scheduler.call_later(lambda: self._submit(event_id), delay=delay)
        else:
            self._submit(event_id)

    def _submit(self, event_id: int) -> Future[None] | None:
        return None if self._draining else self._pool.submit(self._attempt, event_id)

    def _attempt(self, event_id: int) -> None:
        try:
            self._attempt_once(event_id)
        except StorageError as error:
            logger.warning("Event %s: again in %s s: %s", event_id, STORAGE_RETRY_DELAY, error)
            self._deliver_later(event_id, STORAGE_RETRY_DELAY)
        except Exception:
            logger.exception("Event %s is given up: its row is damaged.", event_id)
            self._settle(
                "UPDATE events SET state = 'dead', error = ? WHERE id = ?",
                [traceback.format_exc(), event_id],
            )

    def _attempt_once(self, event_id: int) -> None:
        if self._draining:
            return
        with self._activity.one():
            rows = self._database.read(
                "SELECT request_id, function, qualifier, payload, attempts FROM events "
                "WHERE id = ? AND state = 'queued'",
                [event_id],
            )
            if not rows:
                return
            request_id, function_name, qualifier, payload, attempts = rows[0]
            name = FunctionName(str(function_name), str(qualifier))
            try:
                self._run(name, str(payload), str(request_id))
            except (Exception, SystemExit):  # noqa: BLE001 - all of it is a failed attempt
                self._failed(event_id, name, int(attempts or 0) + 1, traceback.format_exc())
            else:
                self._settle("DELETE FROM events WHERE id = ?", [event_id])

    def _settle(self, sql: str, values: Sequence[Value]) -> None:
        """Write what became of an attempt, later if not now: it is not made again for that."""
        try:
            self._database.write(sql, values)
        except StorageError as error:
            if self._stopped:
                return  # not on record, so the next engine delivers it again
            logger.warning("Written again in %s s: %s", STORAGE_RETRY_DELAY, error)
            self._scheduler.call_later(lambda: self._settle(sql, values), delay=STORAGE_RETRY_DELAY)

    def _run(self, name: FunctionName, payload: str, request_id: str) -> None:
        target = find_function(self._functions, name, self._region)
        context = context_for(target, self._region, request_id=request_id)
        target.handler(json.loads(payload), context)

    def _failed(self, event_id: int, name: FunctionName, attempts: int, error: str) -> None:
        if attempts > len(self._retry_delays):
            self._settle(
                "UPDATE events SET state = 'dead', attempts = ?, error = ? WHERE id = ?",
                [attempts, error, event_id],
            )
            logger.error(
                "Event %s for %s failed %s times and is given up.\n%s",
                event_id,
                name.identifier,
                attempts,
                error,
            )
            return
        delay = self._retry_delays[attempts - 1]
        self._settle(
            "UPDATE events SET attempts = ?, due_at = ?, error = ? WHERE id = ?",
            [attempts, self._clock.now().timestamp() + delay, error, event_id],
        )
        logger.warning(
            "Event %s for %s failed (attempt %s); again in %s s.\n%s",
            event_id,
            name.identifier,
            attempts,
            delay,
            error,
        )
        self._deliver_later(event_id, delay)
