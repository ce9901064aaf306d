"""Processes that are kept running, by whoever started the supervisor."""

import os
import sys
from pathlib import Path

from devtools.supervisor import Process, Supervisor
from tests.waiting import eventually

SAYS_ITS_NUMBER = "import os; print(os.getpid(), os.environ['WHO'], os.getcwd(), flush=True)"
SLEEPER = f"{SAYS_ITS_NUMBER}; import time; time.sleep(60)"


def process(folder: Path, code: str = SLEEPER) -> Process:
    return Process(
        name="The sleeper",
        command=[sys.executable, "-c", code],
        environment={**os.environ, "WHO": "somebody"},
        folder=folder,
        log=folder / "log",
    )


def lines(folder: Path) -> list[str]:
    """Return the lines of the log that are complete: a process may be writing another."""
    log = folder / "log"
    return log.read_text().split("\n")[:-1] if log.exists() else []


def test_killed_process_is_started_again_and_its_end_is_reported(tmp_path: Path) -> None:
    sleeper = process(tmp_path)
    ended: list[tuple[str, int | None]] = []
    messages: list[str] = []
    supervisor = Supervisor(
        [sleeper],
        write_line=messages.append,
        longest_pause=0.01,
        ended=lambda which, code: ended.append((which.name, code)),
    )
    try:
        assert supervisor.start() is None
        for number in (1, 2, 3):
            eventually(lambda expected=number: len(lines(tmp_path)) == expected)
            eventually(sleeper.kill)  # its line can come before the supervisor has its handle
            eventually(lambda expected=number: len(ended) == expected)
        eventually(lambda: len(lines(tmp_path)) == 4)
    finally:
        supervisor.stop()
    assert ended == [("The sleeper", -9)] * 3
    assert messages == ["The sleeper ended (signal SIGKILL); starting it again."] * 3
    assert len({line.split()[0] for line in lines(tmp_path)}) == 4
    assert all(line.endswith(f"somebody {tmp_path}") for line in lines(tmp_path))


def test_stop_ends_the_process_for_good(tmp_path: Path) -> None:
    sleeper = process(tmp_path)
    supervisor = Supervisor([sleeper], write_line=lambda _: None, longest_pause=0.01)
    assert supervisor.start() is None
    supervisor.stop()
    for watcher in supervisor.watchers:
        watcher.join(timeout=10)
        assert not watcher.is_alive()
    assert sleeper.popen is not None
    assert sleeper.popen.poll() == -15
    assert not sleeper.kill(), "there is nothing to kill"


def test_process_that_cannot_become_healthy_is_named(tmp_path: Path) -> None:
    broken = process(tmp_path, "raise SystemExit(3)")
    broken.health = "http://127.0.0.1:9/"
    supervisor = Supervisor([broken], write_line=lambda _: None)
    try:
        assert supervisor.start() is broken
    finally:
        supervisor.stop()
    assert supervisor.watchers == []


def test_process_that_was_never_started_has_nothing_to_stop_or_to_kill(tmp_path: Path) -> None:
    sleeper = process(tmp_path)
    sleeper.stop()
    assert not sleeper.kill()
    assert lines(tmp_path) == []
