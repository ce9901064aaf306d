"""Processes of the product, started by ``tests.spawner`` in a third of the time."""

import atexit
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[1]


class _Spawner:
    """The other end of the socket that ``tests.spawner`` reads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.socket, theirs = socket.socketpair()
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.spawner", str(theirs.fileno())],
            cwd=REPOSITORY,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    def ask(self, asked: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        with self.lock:
            data = json.dumps(asked).encode() + b"\n"
            sent = socket.send_fds(self.socket, [data], descriptors)
            self.socket.sendall(data[sent:])
            answer = self.socket.recv(100)
        if not answer:
            raise ChildProcessError("The spawner has ended; see its traceback above.")
        return json.loads(answer)

    def close(self) -> None:
        """End it and whatever it has started."""
        self.socket.close()
        self.popen.wait(timeout=30)


@cache
def _spawner() -> _Spawner:
    """One for each process that runs tests."""
    return _Spawner()


def run(words: Sequence[str], *, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Like ``subprocess.run([sys.executable, *words], capture_output=True, text=True)``.

    Fails after a minute.
    """
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        code = Spawned(words, env=env, stdout=stdout, stderr=stderr).wait(timeout=60)
        said = []
        for file in (stdout, stderr):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(list(words), code, *said)


class Spawned:
    """Like ``subprocess.Popen([sys.executable, *words])``, without its start-up time.

    ``stdout`` and ``stderr`` are files of this process or, where None, its own.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path = REPOSITORY,
        stdout: "IO[Any] | int | None" = None,
        stderr: "IO[Any] | int | None" = None,
    ) -> None:
        descriptors = [
            default if given is None else given if isinstance(given, int) else given.fileno()
            for given, default in ((stdout, 1), (stderr, 2))
        ]
        asked = {"words": list(words), "env": dict(env), "cwd": str(cwd)}
        self.returncode: int | None = None
        self.pid = int(_spawner().ask(asked, descriptors))

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        if self.returncode is None:
            self.returncode = _spawner().ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, awaited. Fails when the time is over."""
        seconds = math.inf if timeout is None else timeout
        eventually(lambda: self.poll() is not None, seconds=seconds, what=f"{self.pid} ends")
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
