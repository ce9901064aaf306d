"""``manage.py demo`` as a person runs it: started, used, hurt, stopped, started again."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from django.conf import settings

from loanoffice.demo_logins import ROLES
from tests.devtools.demo_process import Demo, demo
from tests.waiting import eventually

__all__ = ["demo"]

ALICE = {"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}


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
