"""Recover at start: continue every execution, start and event that had not ended.

A timer, a retry or an invocation lives only in the process that had it. Their causes
are in the database: each running execution gets its timers back with the time that
is left, and is replayed once, whether it seems to wait for something or not. (To replay
only those that look interrupted loses the ones that were killed between two
checkpoints.) Replay is what the SDK is made for: finished steps answer from the log.
"""

import logging
from concurrent.futures import wait
from dataclasses import dataclass

from functions.local.errors import StorageError
from functions.local.events import EventQueue
from functions.local.execution_names import ExecutionNames
from functions.local.invocations import Invocations
from functions.local.patched_executor import LocalExecutor
from functions.local.store import WriteThroughStore

LONGEST_WAIT = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovered:
    """Numbers of recovered executions, reservations and events."""

    executions: int
    reservations: int
    events: int

    @property
    def total(self) -> int:
        """The sum of all three."""
        return self.executions + self.reservations + self.events


def recover(
    *,
    store: WriteThroughStore,
    executor: LocalExecutor,
    names: ExecutionNames,
    invocations: Invocations,
    events: EventQueue,
    unfinished: list[str],
) -> Recovered:
    """Continue ``unfinished`` executions, unstarted reservations and queued events."""
    rearmed = [executor.rearm_soon(arn) for arn in unfinished]
    reservations = names.unstarted()
    for reservation in reservations:
        try:
            if not store.exists(reservation.arn):
                invocations.start_reserved(reservation)
        except StorageError:
            logger.exception("[%s] Started by its sender, or the next time.", reservation.arn)
        except Exception as error:
            logger.exception("[%s] Set aside: it cannot be started.", reservation.arn)
            names.set_aside(reservation, f"{type(error).__name__}: {error}")
    recovered = Recovered(len(unfinished), len(reservations), events.recover())
    # Not for ever: while the disk refuses writes, each is tried again after the start.
    wait(rearmed, timeout=LONGEST_WAIT)
    if recovered.total:
        logger.info(
            "Recovered %s executions, %s accepted starts and %s events.",
            recovered.executions,
            recovered.reservations,
            recovered.events,
        )
    return recovered
