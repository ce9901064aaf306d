"""``python -m tests.spawner FD``: starts Python processes that find the libraries imported.

A process of the product takes a second to start, and nearly all of it is the import of libraries.
This one imports them once and forks for each process that ``tests.spawned`` asks for. Settings
and models are loaded after the fork, from the environment of the new process. One line of JSON on
the socket FD is one request:

- ``{"words", "env", "cwd"}`` with the file descriptors of stdout and stderr: start ``python
  *words``, where the words begin with a path, ``-m`` or ``-c``; answered by its pid.
- ``{"poll": pid}``: answered by the process's exit code, or ``null`` while it runs.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
from typing import Any

from django.conf import settings

# What the engine and the web application import, as far as it needs no settings.
LIBRARIES = (
    "aws_durable_execution_sdk_python_testing",
    "aws_lambda_powertools.logging",
    "boto3.session",
    "django.contrib.admin.formfields",
    "django.core.management",
    "django.core.management.commands.check",
    "core.sqlite.base",
    "django.db.migrations.executor",
    "django.db.models.sql.compiler",
    "django.forms",
    "django.template.loader_tags",
    "django.template.loader",
    "django.test.client",
    "drf_spectacular.utils",
    "environ",
    "fpdf",
    "functions.local.engine",
    "psycopg",
    "pygments.lexers",
    "requests",
    "rest_framework.serializers",
    "segno",
    "standardwebhooks",
    "uritemplate",
    "waitress",
    "yaml",
)

CHUNK = 1 << 16

type Answer = int | None


class Spawner:
    """The processes that were started and have not been waited for."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.running: set[int] = set()

    def serve(self) -> dict[str, Any] | None:
        """Answer requests until the end; in a new process, return what it is to run."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.connection, CHUNK, 2)
            while data and not data.endswith(b"\n"):
                data += self.connection.recv(CHUNK)
            if not data:
                for pid in self.running:
                    os.kill(pid, signal.SIGKILL)
                return None
            asked: dict[str, Any] = json.loads(data)
            if "poll" in asked:
                self.answer(self.poll(asked["poll"]))
                continue
            pid = os.fork()
            if not pid:
                self.connection.close()
                for number, descriptor in enumerate(descriptors, start=1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return asked
            for descriptor in descriptors:
                os.close(descriptor)
            self.running.add(pid)
            self.answer(pid)

    def answer(self, said: Answer) -> None:
        self.connection.sendall(json.dumps(said).encode() + b"\n")

    def poll(self, pid: int) -> Answer:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            return None
        self.running.discard(pid)
        return os.waitstatus_to_exitcode(status)


def become(*, words: list[str], env: dict[str, str], cwd: str) -> None:
    """Run a program in this process as ``python *words`` does."""
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # a library has asked for it before: TMPDIR of ``env`` is what counts
    os.chdir(cwd)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")


def main(descriptor: int) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    if settings.configured:
        raise RuntimeError("One of the LIBRARIES reads the settings, which belong to a process.")
    gc.collect()
    gc.freeze()  # so that a collection in a new process copies none of it
    asked = Spawner(socket.socket(fileno=descriptor)).serve()
    if asked is not None:
        become(**asked)


if __name__ == "__main__":
    main(int(sys.argv[1]))
