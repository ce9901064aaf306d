"""``manage.py demo`` as a process of its own, with ports and a data folder of its own."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from django.conf import settings

from devtools.ports import free_port
from tests.spawned import Spawned
from tests.waiting import eventually


class Demo:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.port, self.engine_port = free_port(), free_port()
        self.output = data / "output"
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL"}},
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{self.engine_port}",
            "LOANOFFICE_DATA": str(data),
            "LOANOFFICE_SIMULATED_LATENCY": "0",
            "PORT": str(self.port),
            "ENGINE_PORT": str(self.engine_port),
            "PYTHONUNBUFFERED": "1",
        }
        self.popen: Spawned | None = None

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.popen = Spawned(
                [str(settings.BASE_DIR / "manage.py"), "demo"],
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        told = self.text().count("Ctrl-C stops it.")
        eventually(
            lambda: self.alive() and self.text().count("Ctrl-C stops it.") > told, seconds=90
        )

    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def alive(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, self.text()
        return True

    def text(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def interrupt(self) -> int:
        assert self.popen is not None
        self.popen.send_signal(signal.SIGINT)
        return self.popen.wait(timeout=60)

    def ask(self, path: str, body: dict[str, str] | None = None) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer lo_demo_partner_key",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return dict(json.load(response))

    def ready(self) -> bool:
        try:
            return self.ask("/health/ready/")["status"] == "ok"
        except (URLError, OSError):
            return False


@pytest.fixture(scope="module")
def module_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that the tests of a module share, because its start costs seconds of CPU."""
    shared = Demo(tmp_path_factory.mktemp("demo"))
    yield shared
    if shared.is_running():
        shared.interrupt()


@pytest.fixture
def demo(module_demo: Demo) -> Demo:
    """The module's demo, started unless it runs already."""
    if not module_demo.is_running():
        module_demo.start()
    return module_demo
