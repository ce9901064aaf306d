"""The web application in a process of its own, and what it answers."""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.ports import free_port
from tests.functions.engine_process import database_url
from tests.partners.api.calls import ALICE, BASE
from tests.spawned import Spawned
from tests.waiting import eventually
from tests.workflows.lambda_stub import lambda_stub

KEY = {"Idempotency-Key": "crm-42"}


@dataclass(frozen=True)
class Got:
    status: int
    body: bytes
    replayed: bool


class WebProcess:
    """The application in a process of its own, on the test's database."""

    def __init__(self, data: Path, when: str = "") -> None:
        self.port = free_port()
        self.log = data / f"web-{when or 'healthy'}.log"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.test",
            "DATABASE_URL": database_url(),
            "LOANOFFICE_DATA": str(data),
        }
        with self.log.open("wb") as log:
            self.popen = Spawned(
                ["-m", "tests.hard_cases.web_process", str(self.port), when],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def ask(self, method: str, path: str, key: str = "") -> Got:
        """Raises ``ConnectionError`` when the process ends before it has answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method,
                path,
                json.dumps(ALICE).encode() if method == "POST" else None,
                {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **KEY},
            )
            answer = connection.getresponse()
            replayed = answer.getheader("Idempotent-Replayed") == "true"
            return Got(answer.status, answer.read(), replayed)
        finally:
            connection.close()

    def listening(self) -> bool:
        assert self.popen.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/health/live/").status == 200
        except ConnectionError:
            return False

    def submit(self, key: str) -> Got:
        return self.ask("POST", BASE, key)

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


@contextmanager
def served(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebProcess]:
    """The application, listening, with an engine that says yes to everything."""
    with lambda_stub(monkeypatch):
        process = WebProcess(data)
        try:
            eventually(process.listening, seconds=60, what=f"the web process; see {process.log}")
            yield process
        finally:
            process.stop()
