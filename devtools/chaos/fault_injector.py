"""Kill processes at the moments that the plan names; only children that this run started."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import connections
from django.db.utils import Error

from applications.models import Disbursement
from devtools.chaos.acknowledgements import Acknowledgements
from devtools.chaos.plan import Moment, PlannedKill
from devtools.supervisor import Process
from reviews.models import ReviewTask

POLL_PAUSE = 0.05  # seconds between two checks of the run's progress
IDLE = 15.0  # seconds without any progress after which a kill no longer waits for its moment


class FaultInjector:
    """One thread that watches the progress of the run; ``killed`` counts kills by process."""

    def __init__(
        self,
        *,
        kills: Sequence[PlannedKill],
        processes: Mapping[str, Process],
        acknowledgements: Acknowledgements,
    ) -> None:
        self.left = list(kills)
        self.killed: Counter[str] = Counter()
        self.late = 0  # kills that were done although their moment did not come
        self._processes = processes
        self._acknowledgements = acknowledgements
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-injector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            reached, since = self._reached(), time.monotonic()
            while self.left and not self._over.is_set():
                due = next((k for k in self.left if reached[k.moment] >= k.count), None)
                if due is None and time.monotonic() - since > IDLE:
                    due = self.left[0]
                    self.late += 1
                if due is not None:
                    self._kill(due)
                    since = time.monotonic()
                self._over.wait(POLL_PAUSE)
                before, reached = reached, self._reached()
                if reached != before:
                    since = time.monotonic()
        finally:
            connections.close_all()

    def _kill(self, planned: PlannedKill) -> None:
        self.left.remove(planned)
        self._over.wait(planned.pause)
        process = self._processes[planned.process]
        while not self._over.is_set():
            if process.kill():
                self.killed[planned.process] += 1
                return
            self._over.wait(POLL_PAUSE)  # the supervisor is restarting it

    def _reached(self) -> dict[Moment, int]:
        try:
            waiting, disbursing = ReviewTask.objects.count(), Disbursement.objects.count()
        except Error:  # the database is busy: the next check reads again
            waiting = disbursing = 0
        return {
            Moment.SUBMITTING: self._acknowledgements.counts["submissions begun"],
            Moment.WAITING: waiting,
            Moment.DELIVERING: self._acknowledgements.counts["decisions begun"],
            Moment.DISBURSING: disbursing,
        }
