"""Keeps a few processes running together: starts them, restarts one that dies, stops all."""

import logging
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.error import URLError

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0  # seconds between two restarts of one process
STEADY = 30.0  # seconds after which an earlier death is forgotten
PATIENCE = 10.0  # seconds that a process has to stop by itself


@dataclass
class Process:
    """One child. ``health`` is a URL that answers 200 once it is ready, if it has one."""

    name: str
    command: list[str]
    health: str = ""
    popen: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    deaths: int = field(default=0, init=False)

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops the rest.
        self.popen = subprocess.Popen(self.command, start_new_session=True)  # noqa: S603

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
    def __init__(self, processes: list[Process], *, say: Callable[[str], None]) -> None:
        self.processes = processes
        self.say = say
        self.stopping = threading.Event()
        self.watchers: list[threading.Thread] = []

    def run(self, *, ready: Callable[[], None]) -> int:
        """Start all, call ``ready`` when each is healthy, return after a signal.

        Returns 0 after a clean stop, 1 when a process could not even start.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stopping.set())
        try:
            for process in self.processes:
                process.start()
                if not self._healthy(process):
                    if not self.stopping.is_set():
                        self.say(f"{process.name} did not start; see its message above.")
                        return 1
                    return 0
            for process in self.processes:
                watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
                watcher.start()
                self.watchers.append(watcher)
            ready()
            self.stopping.wait()
            self.say("Stopping.")
            return 0
        finally:
            self.stopping.set()
            for process in reversed(self.processes):
                process.stop()

    def _healthy(self, process: Process) -> bool:
        while not self.stopping.is_set():
            if process.popen is not None and process.popen.poll() is not None:
                return False
            if not process.health:
                return True
            try:
                with urllib.request.urlopen(process.health, timeout=2):  # noqa: S310
                    return True
            except (URLError, OSError):
                self.stopping.wait(0.1)
        return False

    def _watch(self, process: Process) -> None:
        while not self.stopping.is_set():
            started = time.monotonic()
            code = process.popen.wait() if process.popen is not None else None
            if self.stopping.is_set():
                return
            process.deaths = 0 if time.monotonic() - started > STEADY else process.deaths + 1
            pause = min(0.2 * 2**process.deaths, LONGEST_PAUSE)
            self.say(f"{process.name} ended ({_exit(code)}); starting it again.")
            self.stopping.wait(pause)
            if not self.stopping.is_set():
                process.start()


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
