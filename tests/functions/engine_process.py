"""The embedded engine as a process of its own, on the test's database, to be killed at will."""

import os
import signal
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from devtools.ports import free_port
from tests.spawned import Spawned
from tests.waiting import eventually
from workflows import engine


def database_url() -> str:
    """The test database, as another process names it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


class EngineProcess:
    """``manage.py durable_engine`` on a data folder that outlives it."""

    def __init__(self, data: Path, *, latency: float = 0.0, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "engine.log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "DATABASE_URL": database_url(),
            "LOANOFFICE_DATA": str(data),
            "LOANOFFICE_SIMULATED_LATENCY": str(latency),
            "AWS_ENDPOINT_URL_LAMBDA": self.url,
            **environment,
        }
        self.popen: Spawned | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        manage = str(settings.BASE_DIR / "manage.py")
        with self.log.open("ab") as log:
            self.popen = Spawned(
                [manage, "durable_engine", f"--port={self.port}"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        eventually(self.healthy, seconds=60, what=f"the engine's health; see {self.log}")
        # The product leaves an engine that was out of reach to the sweep for some seconds; a
        # test has no sweep, and knows that the engine is back.
        engine.forget_client()

    def healthy(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def kill(self) -> None:
        """``kill -9``: no time for a last word."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.terminate()
            self.popen.wait(timeout=30)
