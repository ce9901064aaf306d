"""The engine as a process: its folder, its port, its start and its stop."""

import logging
import os
import socket
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.local import patched_executor
from functions.local.engine import LocalEngine
from functions.local.errors import EngineError
from tests import spawned
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import (
    EngineProcess,
    callback_of,
    client_for,
    ended,
    start,
)
from tests.waiting import eventually


def second_process(data: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Try to start another engine and see it end."""
    words = ["-m", "tests.functions.local.engine_process", str(data), str(port)]
    return spawned.run(words, env=os.environ)


def test_second_engine_on_the_same_folder_refuses_to_start(killable: EngineProcess) -> None:
    refused = second_process(killable.folder / "data", 0)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (f"Another engine is already running on {killable.folder / 'data'}.\n")


def test_folder_is_free_again_after_a_kill(killable: EngineProcess) -> None:
    killable.restart()
    assert killable.recovered == 0


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = second_process(tmp_path, port)
    assert refused.returncode == 1
    assert refused.stderr == f"Port {port} on 127.0.0.1 cannot be used: Address already in use.\n"


def test_failed_start_frees_the_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine = LocalEngine(functions=FUNCTIONS, data=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(EngineError, match="cannot be used"):
            engine.start()
    with LocalEngine(functions=FUNCTIONS, data=tmp_path):
        pass


def test_another_version_of_the_testing_sdk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patched_executor, "version", lambda _: "1.5.0")
    with pytest.raises(EngineError, match=r"1\.4\.0, but 1\.5\.0"):
        LocalEngine(functions=FUNCTIONS, data=tmp_path).start()


def test_logging_is_left_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("botocore").level)
    with LocalEngine(functions=FUNCTIONS, data=tmp_path):
        pass
    assert (root.level, list(root.handlers), logging.getLogger("botocore").level) == before


def test_sigterm_ends_an_idle_engine_with_exit_code_zero(killable: EngineProcess) -> None:
    assert killable.terminate() == 0


def test_stop_lets_a_running_step_end_and_refuses_new_work(tmp_path: Path) -> None:
    engine = LocalEngine(functions=FUNCTIONS, data=tmp_path / "data")
    engine.start()
    client = client_for(engine.url)
    arn = start(client, "gated", "graceful", effects=str(tmp_path))
    eventually(lambda: runs(tmp_path, "graceful", "gated") == 1)
    (tmp_path / "graceful.gate").touch()
    assert engine.stop(grace=10)
    with pytest.raises(EndpointConnectionError):
        client.get_durable_execution(DurableExecutionArn=arn)
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data") as again:
        assert ended(client_for(again.url), arn)["Status"] == "SUCCEEDED"
    assert runs(tmp_path, "graceful", "gated") == 1


def test_invocations_that_wait_for_a_thread_are_left_to_the_next_engine(tmp_path: Path) -> None:
    names = [f"q{number}" for number in range(4)]
    engine = LocalEngine(functions=FUNCTIONS, data=tmp_path / "data", handler_threads=1)
    engine.start()
    client = client_for(engine.url)
    arns = [start(client, "gated", name, effects=str(tmp_path)) for name in names]
    eventually(lambda: engine._activity.running == 1)
    for name in names:
        (tmp_path / f"{name}.gate").touch()
    assert engine.stop(grace=10)
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data") as again:
        assert {ended(client_for(again.url), arn)["Status"] for arn in arns} == {"SUCCEEDED"}
        tries = [again._store.load(arn).consecutive_failed_invocation_attempts for arn in arns]
    assert tries == [0] * 4


def test_stop_does_not_wait_longer_than_its_grace(tmp_path: Path) -> None:
    engine = LocalEngine(functions=FUNCTIONS, data=tmp_path / "data")
    engine.start()
    start(client_for(engine.url), "gated", "endless", effects=str(tmp_path))
    eventually(lambda: runs(tmp_path, "endless", "gated") == 1)
    try:
        assert not engine.stop(grace=0.1)
    finally:
        (tmp_path / "endless.gate").touch()
    eventually((tmp_path / "endless.passed").exists)


def test_engine_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LocalEngine(functions=FUNCTIONS, data=data) as first:
        arn = start(client_for(first.url), "approval", "moved", effects=str(tmp_path))
        callback_id = callback_of(tmp_path, "moved")
    with LocalEngine(functions=FUNCTIONS, data=data) as second:
        assert second.recovered.executions == 1
        client = client_for(second.url)
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        assert ended(client, arn)["Status"] == "SUCCEEDED"
