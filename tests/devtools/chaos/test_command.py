"""``manage.py chaos`` as a person runs it: refused, interrupted, and to its end."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from devtools.chaos.findings import Fault, Finding
from devtools.chaos.report import Report
from tests import casework
from tests.devtools.chaos.scratch_databases import databases_like
from tests.functions.engine_process import database_url
from tests.sizes import LONG, size
from tests.spawned import Spawned
from tests.waiting import eventually

# The simulated rail; in the long run one that answers 409, 408, garbage and late at random.
RAIL = ("--careless-rail",) if LONG else ()
# The short plan kills each of the three processes, and withdraws an application that waits for a
# person and that nobody decides.
APPLICATIONS, KILLS = size(short=10, long=80), size(short=3, long=12)
SEED = size(short=17, long=4)


class Chaos:
    """The command as a process; its output is a file that can be read while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": str(folder / "data"),
            "TMPDIR": str(folder),
        }
        self.popen: Spawned | None = None

    def start(self, *options: str) -> None:
        with self.output.open("wb") as output:
            self.popen = Spawned(
                [str(settings.BASE_DIR / "manage.py"), "chaos", *options],
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def wait(self, seconds: float) -> int:
        assert self.popen is not None
        return self.popen.wait(timeout=seconds)

    @property
    def text(self) -> str:
        return self.output.read_text()

    def figure(self, name: str) -> float:
        found = re.search(rf"^  {name} +([0-9.]+)", self.text, re.MULTILINE)
        assert found, self.text
        return float(found[1])

    def has_started_one(self) -> bool:
        """True once the web server has sent the start of an application to the engine."""
        logs = self.folder.glob("loanoffice-chaos-*/web.log")
        return any("kind=start_execution" in log.read_text() for log in logs)

    def scratch_folders(self) -> list[Path]:
        return list(self.folder.glob("loanoffice-chaos-*"))

    def scratch_databases(self) -> int:
        assert self.popen is not None
        return databases_like(f"loanoffice_chaos_{self.popen.pid}_%")


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Chaos]:
    running = Chaos(tmp_path)
    yield running
    if running.popen is not None and running.popen.poll() is None:
        running.popen.send_signal(signal.SIGINT)
        running.wait(60)


@pytest.mark.long
@pytest.mark.django_db
def test_run_finds_nothing_lost_doubled_stuck_or_wrong(chaos: Chaos) -> None:
    figures = (f"--applications={APPLICATIONS}", f"--kills={KILLS}", f"--seed={SEED}")
    chaos.start(*figures, "--patience=100", *RAIL)
    code = chaos.wait(seconds=900)
    for fault in Fault:
        assert chaos.figure(fault) == 0, chaos.text
    assert code == 0, chaos.text
    assert chaos.figure("applications") == APPLICATIONS
    assert chaos.figure("kills") == KILLS
    assert chaos.figure("decisions") > 0
    assert chaos.figure("withdrawals") > 0
    assert chaos.scratch_folders() == []
    assert chaos.scratch_databases() == 0


@pytest.mark.long
@pytest.mark.skipif(not LONG, reason="it starts the product only to stop it: in the long run")
@pytest.mark.django_db
def test_interrupted_run_stops_what_it_started_and_leaves_nothing(chaos: Chaos) -> None:
    chaos.start("--applications=2000", "--kills=0")
    eventually(chaos.has_started_one, seconds=180)
    (folder,) = chaos.scratch_folders()
    pids = children_in(folder)
    assert len(pids) == 3
    assert chaos.popen is not None
    chaos.popen.send_signal(signal.SIGINT)
    assert chaos.wait(seconds=120) == 130, chaos.text
    assert "Traceback" not in chaos.text
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert chaos.scratch_folders() == []
    assert chaos.scratch_databases() == 0


def children_in(folder: Path) -> list[int]:
    """The processes that work in this folder, by their environment."""
    mark = f"LOANOFFICE_DATA={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
        except OSError:  # it ended, or belongs to somebody else
            continue
    return found


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--applications=0", "--applications is 0; it has to be from 1 to 5000."),
        ("--kills=-1", "--kills is -1; it has to be from 0 to 500."),
        ("--latency=nan", "--latency is nan; it has to be from 0 to 2."),
        ("--patience=0.5", "--patience is 0.5; it has to be from 1 to 3600."),
        ("--threads=17", "--threads is 17; it has to be from 1 to 16."),
    ],
)
def test_figure_that_makes_no_sense_is_refused(option: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command("chaos", option)


def test_run_outside_of_the_demo_is_refused(settings: object) -> None:
    settings.LOANOFFICE_DEMO = False
    with pytest.raises(CommandError, match="demo settings"):
        call_command("chaos")


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="a run on SQLite has a file of its own")
def test_server_whose_database_holds_applications_is_refused(chaos: Chaos, officer: User) -> None:
    casework.submit(officer)
    chaos.environment["DATABASE_URL"] = database_url()
    chaos.start("--applications=1")
    assert chaos.wait(seconds=60) == 1
    assert "holds applications" in chaos.text
    assert "Traceback" not in chaos.text
    assert chaos.scratch_folders() == []


def test_report_counts_and_lists_what_was_found() -> None:
    report = Report(
        options_line="seed 7 on SQLite, latency 0.02",
        applications=20,
        counts={
            "decisions acknowledged": 12,
            "decisions refused": 2,
            "withdrawals accepted": 3,
            "withdrawals refused": 1,
            "lost answers": 9,
        },
        killed={"The engine": 3, "The sweep": 1},
        late_kills=1,
        seconds=40.0,
        findings=(
            Finding(Fault.LOST, "LOAN-1", "gone"),
            Finding(Fault.WRONG, "LOAN-2", "it is funded and should be declined"),
        ),
    )
    assert not report.clean
    assert report.text().splitlines() == [
        "seed 7 on SQLite, latency 0.02",
        "  applications          20",
        "  decisions             12  2 refused",
        "  withdrawals            3  1 refused",
        "  kills                  4  engine 3, sweep 1 (1 after their moment)",
        "  lost answers           9  asked again",
        "  seconds             40.0",
        "  per second          0.50",
        "  lost                   1",
        "  doubled                0",
        "  stuck                  0",
        "  wrong                  1",
        "lost     LOAN-1: gone",
        "wrong    LOAN-2: it is funded and should be declined",
    ]
