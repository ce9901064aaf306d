"""``manage.py durable_engine``, as a person or a supervisor runs it."""

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import spawned
from tests.functions.local.handlers import runs
from tests.functions.local.support import client_for, start
from tests.spawned import Spawned
from tests.waiting import eventually


def words_of(*arguments: str) -> list[str]:
    return ["manage.py", "durable_engine", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.functions.local.command_settings"}


@contextmanager
def running(data: Path, *options: str) -> Iterator[tuple[Spawned, str]]:
    """The command, ready, and the engine's address."""
    said = data.with_name("said")
    with said.open("w") as output:
        process = Spawned(
            words_of("--port", "0", "--data", str(data), *options), env=environment(), stdout=output
        )
    try:
        eventually(lambda: "\n" in said.read_text(), what="it says that it is ready")
        line = said.read_text().splitlines()[0]
        words = dict(word.split("=") for word in line.split()[1:])
        assert line.startswith("ready port=")
        assert int(words["pid"]) == process.pid
        assert words["recovered"] == "0"
        yield process, f"http://127.0.0.1:{words['port']}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_serves_until_a_signal_and_exits_with_zero(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path / "engine") as (process, url):
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            assert answer.status == 200
        client = client_for(url)
        assert client.invoke(FunctionName="echo", Payload=b"1")["Payload"].read() == b"1"
        arn = start(client, "echo-durable", "two")
        assert arn.split(":")[3] == os.environ["AWS_DEFAULT_REGION"] == "ca-central-1"
        details = client.get_durable_execution(DurableExecutionArn=arn)
        assert details["DurableConfig"]["ExecutionTimeout"] == 2 * 86_400
        process.send_signal(number)
        assert process.wait(timeout=20) == 0


def test_command_exits_although_a_step_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "engine", "--grace", "0.2") as (process, url):
        start(client_for(url), "gated", "endless", effects=str(tmp_path))
        eventually(lambda: runs(tmp_path, "endless", "gated") == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_second_command_on_the_same_folder_says_so_in_one_sentence(tmp_path: Path) -> None:
    with running(tmp_path / "engine"):
        second = spawned.run(
            words_of("--port", "0", "--data", str(tmp_path / "engine")), env=environment()
        )
    assert second.returncode == 1
    assert second.stdout == ""
    assert (
        second.stderr
        == f"CommandError: Another engine is already running on {tmp_path / 'engine'}.\n"
    )


def test_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        second = spawned.run(words_of("--port", port, "--data", str(tmp_path)), env=environment())
    assert second.returncode == 1
    assert second.stderr == (
        f"CommandError: Port {port} on 127.0.0.1 cannot be used: Address already in use.\n"
    )
