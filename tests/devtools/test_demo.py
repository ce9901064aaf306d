"""``manage.py demo`` as a person runs it: started, used, hurt, stopped, started again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from django.conf import settings

from loanoffice.demo_logins import ROLES
from tests.ports import free_port
from tests.waiting import eventually

ALICE = {"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}


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
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo"],
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        told = self.text().count("Ctrl-C stops it.")
        eventually(
            lambda: self.alive() and self.text().count("Ctrl-C stops it.") > told, seconds=90
        )

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


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path)
    yield running
    if running.popen is not None and running.popen.poll() is None:
        running.interrupt()


def test_demo_serves_survives_the_death_of_its_engine_and_keeps_its_data(demo: Demo) -> None:
    demo.start()
    assert f"http://127.0.0.1:{demo.port}/admin/" in demo.text()
    assert ", ".join(ROLES) in demo.text()
    readable = [path.name for path in demo.data.rglob("*") if path.stat().st_mode & 0o077]
    assert readable == []  # for nobody but the owner
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/admin/login/") as page:
        assert b"Loan Office" in page.read()

    reference = demo.ask("/api/v1/applications/", ALICE)["reference"]

    def status() -> object:
        return demo.ask(f"/api/v1/applications/{reference}/")["status"]

    eventually(lambda: status() == "pending_approval")

    engine = re.search(rf"ready port={demo.engine_port} .*pid=(\d+)", demo.text())
    assert engine is not None
    os.kill(int(engine[1]), signal.SIGKILL)
    eventually(lambda: "The engine ended (signal SIGKILL); starting it again." in demo.text())
    eventually(demo.ready, seconds=60)
    second = demo.ask("/api/v1/applications/", {**ALICE, "sin_last4": "2222"})["reference"]
    eventually(
        lambda: demo.ask(f"/api/v1/applications/{second}/")["status"] == "declined", seconds=60
    )

    assert demo.interrupt() == 0
    assert not demo.ready()
    demo.start()
    assert status() == "pending_approval"
    assert demo.interrupt() == 0
    assert "Traceback" not in demo.text()


@pytest.mark.parametrize("which", ["port", "engine_port"])
def test_demo_says_which_port_is_taken(demo: Demo, which: str) -> None:
    port = getattr(demo, which)
    with socket.create_server(("127.0.0.1", port)):
        second = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo"],
            env=demo.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert f"Something listens on port {port} already." in second.stderr
    assert f"{which.upper()}={port + 100} make demo" in second.stderr
    assert "Traceback" not in second.stderr
