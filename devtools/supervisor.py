"""Supervise a few processes: start them, restart one that dies, stop all."""

import logging
import math
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from core.stop_signals import set_on_stop_signal

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.2  # seconds before the first restart of one process; it doubles
LONGEST_PAUSE = 10.0  # seconds between two restarts of one process
STEADY = 30.0  # seconds after which an earlier death is forgotten
PATIENCE = 10.0  # seconds that a process has to stop by itself


@dataclass
class Process:
    """One child process. ``health`` is a URL that answers 200 once it is ready, if it has one.

    ``environment`` and ``log`` are those of the supervisor itself unless given.
    """

    name: str
    command: list[str]
    health: str = ""
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    log: Path | None = None
    popen: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    deaths: int = field(default=0, init=False)

    def start(self) -> None:
        with ExitStack() as opened:
            output = opened.enter_context(self.log.open("ab")) if self.log else None
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops the rest.
            self.popen = subprocess.Popen(  # noqa: S603
                self.command,
                start_new_session=True,
                env=self.environment,
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )

    def wait_until_healthy(
        self, stopping: threading.Event | None = None, *, seconds: float = math.inf
    ) -> bool:
        """Wait until ``health`` answers; return false when it ended, was stopped, or is late."""
        stopping = stopping or threading.Event()
        deadline = time.monotonic() + seconds
        while not stopping.is_set() and time.monotonic() < deadline:
            if self.popen is not None and self.popen.poll() is not None:
                return False
            if not self.health:
                return True
            try:
                with urllib.request.urlopen(self.health, timeout=2):  # noqa: S310
                    return True
            except (URLError, OSError):
                stopping.wait(0.1)
        return False

    def kill(self) -> bool:
        """Send ``kill -9``; return false when the process does not run just now."""
        if self.popen is None or self.popen.poll() is not None:
            return False
        self.popen.kill()
        return True

    def stop(self) -> None:
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            logger.warning("Did not stop in time, so it is killed", extra={"child": self.name})
            self.popen.kill()
            self.popen.wait()


class Supervisor:
    """Start processes, watch them and stop them; ``run`` does so until a signal.

    A process that dies is started again after a pause that grows to ``longest_pause``
    seconds. ``ended`` is called with the process and its exit code (negative: a signal).
    """

    def __init__(
        self,
        processes: list[Process],
        *,
        write_line: Callable[[str], None],
        longest_pause: float = LONGEST_PAUSE,
        ended: Callable[[Process, int | None], None] | None = None,
    ) -> None:
        self.processes = processes
        self.write_line = write_line
        self.longest_pause = longest_pause
        self.ended = ended
        self.stopping = threading.Event()
        self.watchers: list[threading.Thread] = []
        self._restarting = threading.Lock()

    def run(self, *, ready: Callable[[], None]) -> int:
        """Start all, call ``ready`` when each is healthy, return after a signal.

        Returns 0 after a clean stop, 1 when a process could not even start.
        """
        set_on_stop_signal(self.stopping)
        try:
            failed = self.start()
            if failed is not None:
                if self.stopping.is_set():
                    return 0
                self.write_line(f"{failed.name} did not start; see its message above.")
                return 1
            ready()
            self.stopping.wait()
            self.write_line("Stopping.")
            return 0
        finally:
            self.stop()

    def start(self) -> Process | None:
        """Start each process when the one before it is healthy, then watch them all.

        Returns the one that did not become healthy; the others are not watched then.
        """
        for process in self.processes:
            process.start()
            if not process.wait_until_healthy(self.stopping):
                return process
        for process in self.processes:
            watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
            watcher.start()
            self.watchers.append(watcher)
        return None

    def stop(self) -> None:
        """Stop all of them, the last one first; nothing is started again."""
        with self._restarting:
            self.stopping.set()
        for process in reversed(self.processes):
            process.stop()

    def _watch(self, process: Process) -> None:
        while not self.stopping.is_set():
            started = time.monotonic()
            code = process.popen.wait() if process.popen is not None else None
            if self.stopping.is_set():
                return
            process.deaths = 0 if time.monotonic() - started > STEADY else process.deaths + 1
            pause = min(FIRST_PAUSE * 2**process.deaths, self.longest_pause)
            self.write_line(f"{process.name} ended ({exit_text(code)}); starting it again.")
            if self.ended is not None:
                self.ended(process, code)
            self.stopping.wait(pause)
            with self._restarting:  # not during a stop: it would not be stopped
                if not self.stopping.is_set():
                    process.start()


def exit_text(code: int | None) -> str:
    """Describe how a process ended."""
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
