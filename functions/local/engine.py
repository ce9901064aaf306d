"""Run the embedded engine: Lambda with durable functions, in one process on this machine.

``LocalEngine`` puts the parts together, starts and stops them. It speaks Lambda's wire
protocol on 127.0.0.1: point ``AWS_ENDPOINT_URL_LAMBDA`` at ``url`` and use boto3. It
knows nothing of Django and nothing of loans; functions are passed to it.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from aws_durable_execution_sdk_python_testing.clock import Clock, RealClock

from functions.local.credentials import Credentials
from functions.local.data_folder import FILE, locked_folder, usable
from functions.local.database import Database
from functions.local.errors import EngineError
from functions.local.events import LAMBDA_RETRY_DELAYS, EventQueue
from functions.local.execution_names import ExecutionNames
from functions.local.execution_queues import ExecutionQueueRegistry
from functions.local.executions import Executions
from functions.local.function import DEFAULT_REGION, Function
from functions.local.heartbeats import Heartbeats
from functions.local.http_server import LOOPBACK, HttpServer
from functions.local.invocations import Invocations
from functions.local.invoker import Activity, ThreadInvoker
from functions.local.patched_batches import mend_batches
from functions.local.patched_executor import LocalExecutor, check_testing_sdk
from functions.local.patched_scheduler import LocalScheduler
from functions.local.pauses import Pauses
from functions.local.recovery import Recovered, Recovery, recover_starts
from functions.local.responses import Response, json_response
from functions.local.retention import Retention
from functions.local.store import WriteThroughStore

__all__ = ["EngineError", "Function", "LocalEngine"]

HANDLER_THREADS = 16
GRACE_SECONDS = 5.0
INVOCATION_TIMEOUT_SECONDS = 900
RETRY_BACKOFF_SECONDS = 5
# Seconds before an execution is invoked again whose invocation was under way when the process died,
# by how often that happened in a row; once more, and it fails. So many, because whoever kills the
# process at random (``manage.py chaos``) must not meet one execution as often.
DEATH_DELAYS = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)

logger = logging.getLogger(__name__)


class LocalEngine:
    """Serve durable and plain functions on a port, with their state in a folder.

    ``data`` belongs to one engine at a time. ``port`` 0 takes a free one; ``engine.port``
    and ``engine.url`` return it. ``handler_threads`` bounds the durable invocations, the
    events and the synchronous calls of plain functions that run at once, each kind
    separately. ``retry_backoff_seconds`` is the pause after an invocation that raised,
    ``event_retry_delays`` the pauses between the attempts of an event, ``death_delays`` those
    before an execution goes on in whose invocation the process died. Requests have to be signed
    with ``credentials``; without them any request from this machine is taken. ``clock`` is the
    wall clock, unless a test has one of its own.
    """

    def __init__(
        self,
        *,
        functions: Mapping[str, Function],
        data: Path,
        port: int = 0,
        region: str = DEFAULT_REGION,
        handler_threads: int = HANDLER_THREADS,
        retry_backoff_seconds: int = RETRY_BACKOFF_SECONDS,
        event_retry_delays: Sequence[float] = LAMBDA_RETRY_DELAYS,
        credentials: Credentials | None = None,
        death_delays: Sequence[float] = DEATH_DELAYS,
        clock: Clock | None = None,
    ) -> None:
        self._functions = dict(functions)
        self._data = Path(data)
        self._wanted_port = port
        self._region = region
        self._handler_threads = handler_threads
        self._retry_backoff_seconds = retry_backoff_seconds
        self._event_retry_delays = tuple(event_retry_delays)
        self._credentials = credentials
        self._death_delays = tuple(death_delays)
        self._clock: Clock = clock or RealClock()
        self._state = "new"
        self._server_thread: threading.Thread | None = None
        self._unfinished: list[str] = []
        self.recovered = Recovered(0, 0, 0)

    @property
    def port(self) -> int:
        """The port the engine listens on."""
        return int(self._http_server.server_address[1])

    @property
    def url(self) -> str:
        """The value for ``AWS_ENDPOINT_URL_LAMBDA``."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Lock the folder, bind the port, and serve; executions continue meanwhile.

        Raises ``EngineError`` when the folder or the port is taken, or cannot be used.
        """
        check_testing_sdk()
        mend_batches()
        self._lock = locked_folder(self._data)
        try:
            self._build()
        except BaseException:
            self._lock.release()
            raise
        self._state = "starting"
        self._scheduler.start()
        self._recovery.begin(self._unfinished)
        self._server_thread = threading.Thread(
            target=self._http_server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="http-server",
            daemon=True,
        )
        self._server_thread.start()
        self.recovered = Recovered(
            len(self._unfinished),
            recover_starts(store=self._store, names=self._names, invocations=self._invocations),
            self._events.recover(),
        )
        self._retention.start()
        self._state = "ok"

    def stop(self, grace: float = GRACE_SECONDS) -> bool:
        """Stop serving, let running functions end for ``grace`` seconds, release everything.

        Returns whether all of them ended. One that did not is started again by the next
        engine on the same folder, as after a crash.
        """
        if self._state in {"new", "stopped"}:
            return True
        self._state = "stopping"
        self._executor.drain()
        self._invoker.drain()
        self._events.drain()
        self._http_server.shutdown()
        self._http_server.server_close()
        if self._server_thread is not None:
            self._server_thread.join()
        deadline = time.monotonic() + grace
        idle = self._activity.wait_until_idle(grace)
        if idle:
            # Their results are still to be written.
            self._registry.wait_until_idle(max(0.0, deadline - time.monotonic()))
        if not idle:
            logger.warning("%s functions still run; they start again.", self._activity.running)
        self._events.stop()
        self._retention.stop()
        self._executor.shutdown()
        self._scheduler.stop()
        self._registry.shutdown()
        self._store.note_stop(unknown=self._executor.unrestored)
        self._database.close()
        self._lock.release()
        self._state = "stopped"
        return idle

    def tracked(self) -> dict[str, int]:
        """Return the sizes of what is kept in memory for running executions."""
        return {"executions": self._store.live_count(), **self._executor.tracked()}

    def _build(self) -> None:
        with usable(self._data / FILE):
            database = Database(self._data / FILE)
        try:
            self._assemble(database)
            with usable(self._data / FILE):
                self._unfinished = self._store.unfinished()
        except EngineError:
            self._http_server.server_close()
            self._scheduler.stop()
            database.close()
            raise
        except OSError as error:
            self._scheduler.stop()
            database.close()
            raise EngineError(
                f"Port {self._wanted_port} on {LOOPBACK} cannot be used: {error.strerror}."
            ) from error

    def _assemble(self, database: Database) -> None:
        self._database = database
        self._activity = Activity()
        self._store = WriteThroughStore(database)
        self._names = ExecutionNames(database)
        pauses = Pauses(database, self._clock)
        self._scheduler = LocalScheduler(self._clock)
        self._registry = ExecutionQueueRegistry(self._store, self._scheduler)
        self._invoker = ThreadInvoker(self._functions, region=self._region, activity=self._activity)
        self._executor = LocalExecutor(
            store=self._store,
            scheduler=self._scheduler,
            registry=self._registry,
            invoker=self._invoker,
            heartbeats=Heartbeats(database, self._clock),
            pauses=pauses,
            region=self._region,
            handler_threads=self._handler_threads,
            invocation_timeout_seconds=INVOCATION_TIMEOUT_SECONDS,
            retry_backoff_seconds=self._retry_backoff_seconds,
            death_delays=self._death_delays,
            clock=self._clock,
        )
        self._invoker.connect(self._executor)
        self._recovery = Recovery(
            store=self._store,
            executor=self._executor,
            scheduler=self._scheduler,
            at_once=self._handler_threads,
        )
        self._events = EventQueue(
            database,
            self._functions,
            scheduler=self._scheduler,
            activity=self._activity,
            clock=self._clock,
            region=self._region,
            threads=self._handler_threads,
            retry_delays=self._event_retry_delays,
        )
        self._invocations = Invocations(
            self._functions,
            executor=self._executor,
            store=self._store,
            database=database,
            names=self._names,
            events=self._events,
            activity=self._activity,
            region=self._region,
            threads=self._handler_threads,
        )
        executions = Executions(
            self._functions,
            executor=self._executor,
            store=self._store,
            names=self._names,
            pauses=pauses,
            database=database,
            region=self._region,
        )
        self._retention = Retention(database, self._functions, store=self._store, clock=self._clock)
        self._http_server = HttpServer(
            self._wanted_port,
            invocations=self._invocations,
            executions=executions,
            health=self._health,
            credentials=self._credentials,
        )

    def _health(self) -> Response:
        events = self._events.counts()
        status = self._state
        if status == "ok" and not self._database.is_writable():
            status = "cannot write"
        return json_response(
            200 if status == "ok" else 503,
            {
                "status": status,
                "storage": self._database.failure or "ok",
                "pid": os.getpid(),
                "time": time.time(),
                "recovered": self.recovered.total,
                "recovering": self._recovery.left,
                "invocations": self._activity.running,
                "executions": self._store.counts(),
                "damaged": self._store.damaged_count(),
                "events": {"queued": events.get("queued", 0), "dead": events.get("dead", 0)},
            },
        )
