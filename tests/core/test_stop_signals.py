"""A signal stops a process whenever it comes, and whichever of its threads gets it."""

import ast
import os
from pathlib import Path

import pytest
from django.conf import settings

from tests.spawned import run
from tests.test_docstrings import PACKAGES

# The main thread waits; the signal goes to another. Who misses it ends with 3.
WAITING = """
import os, signal, threading
from core.stop_signals import set_on_stop_signal

class Stopped(threading.Event):
    def wait(self, timeout=None):
        waiting.set()
        return super().wait(timeout)

waiting, stopped = threading.Event(), Stopped()
set_on_stop_signal(stopped)
threading.Timer(5, os._exit, [3]).start()

def send():
    waiting.wait()
    signal.pthread_kill(threading.get_ident(), signal.{name})

threading.Thread(target=send).start()
stopped.wait()
os._exit(0)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signal_that_another_thread_gets_stops_the_main_thread(name: str) -> None:
    ended = run(["-c", WAITING.format(name=name)], env=dict(os.environ))

    assert (ended.returncode, ended.stderr) == (0, "")


def test_no_other_module_handles_signals() -> None:
    root = Path(settings.BASE_DIR)
    handling = {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "signal.signal"
    }

    assert handling == {"core/stop_signals.py"}
