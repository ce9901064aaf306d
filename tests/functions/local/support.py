"""A boto3 client for an engine, and an engine in a process that can be killed."""

import json
import os
import signal
from pathlib import Path
from typing import IO, Any, Self

import boto3
import urllib3
from botocore.config import Config

from devtools.ports import free_port
from tests.spawned import Spawned
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[3]
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}


def client_for(url: str) -> Any:
    """boto3's Lambda client, which tries once and waits long enough."""
    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"max_attempts": 0}, read_timeout=60, connect_timeout=5),
    )


def start(client: Any, function: str, name: str, **event: Any) -> str:
    """Start an execution as the outbox does; return its ARN."""
    answer = client.invoke(
        FunctionName=f"{function}:live",
        InvocationType="Event",
        DurableExecutionName=name,
        Payload=json.dumps({"id": name, **event}),
    )
    answer["Payload"].read()  # so that its connection is closed
    assert answer["StatusCode"] == 202
    return str(answer["DurableExecutionArn"])


def callback_of(folder: Path, name: str) -> str:
    """The callback id that the execution has published, awaited."""
    path = folder / f"{name}.callback"
    eventually(path.exists, what=f"{name} publishes its callback")
    return path.read_text()


def ended(client: Any, arn: str, seconds: float = 30) -> dict[str, Any]:
    """The execution after its end, awaited."""

    def look() -> dict[str, Any] | None:
        details: dict[str, Any] = client.get_durable_execution(DurableExecutionArn=arn)
        return details if details["Status"] in ENDED else None

    found = eventually(look, seconds=seconds, what=f"{arn} ends")
    assert found is not None
    return found


def history_of(client: Any, arn: str) -> list[str]:
    """The kinds of event in the execution's history, in order."""
    history = client.get_durable_execution_history(DurableExecutionArn=arn)
    return [event["EventType"] for event in history["Events"]]


class EngineProcess:
    """An engine in its own process, on one folder and one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.recovered = 0
        self._process: Spawned | None = None
        self._output: IO[str] | None = None
        self._client: Any = None

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Start it without waiting."""
        reading, writing = os.pipe()
        self._output = os.fdopen(reading)
        with (self.folder / "engine.log").open("a") as log, os.fdopen(writing, "w") as output:
            self._process = Spawned(
                [
                    "-m",
                    "tests.functions.local.engine_process",
                    str(self.folder / "data"),
                    str(self.port),
                ],
                env=os.environ,
                stdout=output,
                stderr=log,
            )

    def ready(self) -> Self:
        """Wait for the line that says so."""
        assert self._output is not None
        line = self._output.readline()
        assert line.startswith("ready "), (self.folder / "engine.log").read_text()
        words = dict(word.split("=") for word in line.split()[1:])
        assert int(words["port"]) == self.port
        self.recovered = int(words["recovered"])
        return self

    @property
    def client(self) -> Any:
        """boto3 for this engine; the port stays the same after a restart."""
        if self._client is None:
            self._client = client_for(f"http://127.0.0.1:{self.port}")
        return self._client

    @property
    def pid(self) -> int:
        """The process, as the kernel names it."""
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        """Return false when it is killed, or has ended by itself."""
        return self._process is not None and self._process.poll() is None

    def health(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/health``."""
        answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}/health", timeout=30)
        return answer.status, answer.json()

    def kill(self) -> None:
        """``kill -9``."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; return the exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> Self:
        """``kill -9``, and a new process on the same folder."""
        self.kill()
        return self.start()

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(timeout=30)
        if self._output is not None:
            self._output.close()
        self._process = None
        return code
