"""``manage.py demo`` as people run it: with the partners' guide, killed, stopped, started again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError

from applications.choices import Status
from devtools.management.commands.demo import refuse_taken_port
from devtools.management.commands.demo_partner import ENDPOINT
from devtools.ports import free_port
from loanoffice.demo_logins import ROLES
from tests import spawned
from tests.devtools.demo_process import Demo, demo, module_demo
from tests.guide import blocks
from tests.sizes import LONG
from tests.waiting import eventually

__all__ = ["demo", "module_demo"]

OWN = {"LOANOFFICE_URL", "LOANOFFICE_KEY"}  # what a reader with a Loan Office of their own sets

ALICE = {"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in what curl printed, one after the other, whatever stands between."""
    found, at = [], text.find("{")
    while at >= 0:
        value, end = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at = text.find("{", end)
    return found


@pytest.mark.long
@pytest.mark.skipif(not LONG, reason="it runs each line in a process of its own: in the long run")
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_every_line_of_the_partners_guide_runs_as_it_stands_on_the_demo(
    demo: Demo, tmp_path: Path
) -> None:
    """Run it as a reader does, who has started the demo and gives the guide nothing."""
    environment = {k: v for k, v in demo.environment.items() if k not in OWN}
    environment["TMPDIR"] = str(tmp_path)
    lines = [f"echo '== {number}'\n{block}\necho" for number, block in enumerate(blocks("sh"))]

    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    said = [part.split("\n", 1)[1].strip() for part in run.stdout.split("== ")[1:]]
    assert len(said) == len(lines) == 12
    assert "is registered. Its secret: whsec_" in said[1]
    assert "Policy version 2 is in force" in said[1]
    assert said[4].endswith("304")
    told = [objects(part) for part in said]
    (submitted,), (replayed,), (followed,), (events, found) = told[2:6]
    (kept, files), (approved,), (accepted,), (withdrawn,), (wrong,), (missed, event) = told[6:]
    assert submitted == replayed
    assert followed["reference"] == submitted["reference"]
    assert followed["waiting_on"]["who"] == "manager"
    assert events["results"][-1]["message"] == "Waiting for a manager to decide."
    assert found["results"] == [followed]
    assert kept["kind"] == "proof_of_income"
    assert files["results"][0]["url"].startswith(f"http://127.0.0.1:{demo.port}/")
    assert accepted["reference"] == approved["reference"]
    assert accepted["offer"]["offer_id"]
    assert withdrawn["reference"] == submitted["reference"]
    assert withdrawn["status"] == Status.WITHDRAWN
    shown = json.loads(next(block for block in blocks("json") if "invalid-application" in block))
    assert {**wrong, "request_id": ""} == {**shown, "request_id": ""}
    assert missed["results"][0]["id"] == event["id"]
    assert event["data"]["reference"] == submitted["reference"]
    assert [delivery["url"] for delivery in event["deliveries"]] == [ENDPOINT]
    funded = f"/api/v1/applications/{accepted['reference']}/"
    eventually(lambda: demo.ask(funded)["status"] == Status.FUNDED, seconds=60)


@pytest.mark.long
def test_demo_serves_survives_the_death_of_its_engine_and_keeps_its_data(demo: Demo) -> None:
    """In the short run it serves and stops; the short run of chaos kills an engine, too."""
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

    if LONG:
        engine_dies(demo)

    assert demo.interrupt() == 0
    assert not demo.ready()
    assert "Traceback" not in demo.text()
    if LONG:
        starts_again_with_traces(demo, status)


def engine_dies(demo: Demo) -> None:
    engine = re.search(rf"ready port={demo.engine_port} .*pid=(\d+)", demo.text())
    assert engine is not None
    os.kill(int(engine[1]), signal.SIGKILL)
    eventually(lambda: "The engine ended (signal SIGKILL); starting it again." in demo.text())
    eventually(demo.ready, seconds=60)
    second = demo.ask("/api/v1/applications/", {**ALICE, "sin_last4": "2222"})["reference"]
    eventually(
        lambda: demo.ask(f"/api/v1/applications/{second}/")["status"] == "declined", seconds=60
    )


def starts_again_with_traces(demo: Demo, status: Callable[[], object]) -> None:
    """Start it on the data it left, with traces: cases wait as before, and each span is kept."""
    traces = demo.data / "traces.jsonl"
    assert not traces.exists()
    demo.environment["TRACES"] = "1"
    demo.start()
    assert f"traces      {traces}" in demo.text()
    third = demo.ask("/api/v1/applications/", {**ALICE, "sin_last4": "2222"})["reference"]
    eventually(lambda: demo.ask(f"/api/v1/applications/{third}/")["status"] == "declined")
    looks = [status() for _ in range(3)]
    assert looks == ["pending_approval"] * 3
    assert demo.interrupt() == 0
    assert "Traceback" not in demo.text()
    assert traces.stat().st_mode & 0o077 == 0
    found = [json.loads(line) for line in traces.read_text().splitlines()]
    (post,) = (span for span in found if span["name"] == "POST api/v1/applications/")
    loan = [span for span in found if span["trace_id"] == post["trace_id"]]
    # Nothing is lost of the last second, when the processes were stopped.
    assert [span["service"] for span in found if span["kind"] == "server"][-3:] == [
        "loanoffice-web"
    ] * 3
    assert sum(span["name"].startswith("GET api/v1/applications/") for span in found) > 3
    assert {span["service"] for span in loan} >= {"loanoffice-web", "loanoffice-engine"}
    assert {span["parent_id"] for span in loan} - {span["span_id"] for span in loan} == {""}


def test_demo_says_which_port_is_taken(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    with socket.create_server(("127.0.0.1", demo.port)):
        second = spawned.run([str(settings.BASE_DIR / "manage.py"), "demo"], env=demo.environment)
    assert second.returncode == 1
    assert f"Something listens on port {demo.port} already." in second.stderr
    assert f"PORT={demo.port + 100} make demo" in second.stderr
    assert "Traceback" not in second.stderr


def test_refusal_of_a_taken_port_names_its_variable() -> None:
    port = free_port()
    refuse_taken_port("ENGINE_PORT", port)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(CommandError, match=f"ENGINE_PORT={port + 100} make demo"),
    ):
        refuse_taken_port("ENGINE_PORT", port)
