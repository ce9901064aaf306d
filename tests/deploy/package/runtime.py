"""Lambda on loopback: AWS's own runtime runs a handler of the unpacked package.

The process sees the package, the runtime and Python's library; nothing of the project or of
its environments. The runtime asks the ``RuntimeApi`` here for events, as it does on Lambda.
"""

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput

from tests.aws.process import REGION

ACCOUNT = "123456789012"
LONGEST = 120  # seconds for one invocation
RUN = """
import sys
runtime, package, handler = sys.argv[1:]
sys.path.append(runtime)
sys.path.insert(0, package)
from awslambdaric.__main__ import main
main(["awslambdaric", handler])
"""


class FunctionFailed(Exception):
    """The handler raised; what the runtime told of it."""


class RuntimeApi(ThreadingHTTPServer):
    """Hands out events and takes answers, for one process."""

    daemon_threads = True

    def __init__(self, arn: str) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeApiHandler)
        self.arn = arn
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.answers: dict[str, queue.Queue[tuple[str, bytes]]] = {}
        self.failure: bytes | None = None  # when the handler could not be imported

    def ask(self, event: bytes) -> "queue.Queue[tuple[str, bytes]]":
        number, answer = str(uuid.uuid4()), queue.Queue[tuple[str, bytes]]()
        self.answers[number] = answer
        self.events.put((number, event))
        return answer


class RuntimeApiHandler(BaseHTTPRequestHandler):
    """``/2018-06-01/runtime/``: next, response, error."""

    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        given = self.server.events.get()
        if given is None:  # the function is at its end
            self.close_connection = True
            return
        number, event = given
        headers = {
            "Lambda-Runtime-Aws-Request-Id": number,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + LONGEST) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.arn,
            "Content-Type": "application/json",
        }
        self._say(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        *_, number, what = self.path.split("/")
        if number in self.server.answers:
            self.server.answers.pop(number).put((what, body))
        else:
            self.server.failure = body
        self._say(202, b"{}", {})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Function:
    """A function of the package, in a process that lives until ``close``."""

    def __init__(
        self, name: str, handler: str, *, package: Path, runtime: Path, environment: dict[str, str]
    ) -> None:
        self.name = name
        self.log = package.parent / f"{name}.log"
        self.api = RuntimeApi(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:live")
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [base_python(), "-I", "-S", "-c", RUN, str(runtime), str(package), handler],
                cwd=package,
                env={
                    **environment,
                    "LAMBDA_TASK_ROOT": str(package),
                    "_HANDLER": handler,
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_port}",
                    "AWS_LAMBDA_FUNCTION_NAME": name,
                    "AWS_LAMBDA_FUNCTION_VERSION": "1",
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                    "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
                    "AWS_LAMBDA_LOG_STREAM_NAME": "1",
                    "AWS_REGION": REGION,
                },
                stdout=log,
                stderr=log,
            )

    def invoke(self, event: Any) -> Any:
        """Return the handler's result. Raises ``FunctionFailed`` if it raises."""
        answer = self.api.ask(json.dumps(event).encode())
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                kind, body = answer.get(timeout=0.2)
                break
            except queue.Empty:
                assert self.process.poll() is None, self.last_words()
                assert time.monotonic() < deadline, self.last_words()
        told = json.loads(body or b"null")
        if kind == "error":
            raise FunctionFailed(told)
        return told

    def carry(self, event: DurableExecutionInvocationInput) -> Any:
        """Invoke a durable function with the event as it is on the wire.

        The process checkpoints over HTTP, as it does on Lambda.
        """
        return self.invoke(event.to_json_dict())

    def last_words(self) -> str:
        """The end of its log, and why it could not start."""
        return f"{self.api.failure!r}\n{self.log.read_text()[-5000:]}"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.api.events.put(None)  # whoever still waits for an event on its behalf
        self.api.shutdown()
        self.api.server_close()


def base_python() -> str:
    """The interpreter that the environment of the tests was made with."""
    return str(getattr(sys, "_base_executable", sys.executable))
