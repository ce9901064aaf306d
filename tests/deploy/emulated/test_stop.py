"""``make demo-aws`` leaves no process, however early it is stopped."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from devtools.aws.names import REPOSITORY
from devtools.ports import free_port
from tests.deploy.office import needs_the_deploy_environment
from tests.waiting import eventually

MARK = "EMULATED_AWS_TEST"


def of_this_run(mark: str, folder: Path) -> set[str]:
    """The processes that a demo started: by a variable that they inherit, or their folder."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            known = process.environ().get(MARK) == mark or str(folder) in process.cwd()
            if known or "loanoffice-aws-" in words:
                found.add(f"{process.pid} {words}")
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_is_stopped_while_it_deploys_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    needs_the_deploy_environment()
    mark = str(tmp_path)
    before = of_this_run(mark, tmp_path)
    with (tmp_path / "said.log").open("w+") as said:
        demo = subprocess.Popen(
            [sys.executable, "-m", "devtools.aws"],
            cwd=REPOSITORY,
            env={
                **os.environ,
                MARK: mark,
                "LOANOFFICE_DATA": str(tmp_path),
                "PORT": str(free_port()),
            },
            stdout=said,
            stderr=said,
        )
        try:
            zappa = tmp_path / "aws" / "zappa.log"
            eventually(
                lambda: zappa.exists() and "Calling deploy" in zappa.read_text(),
                seconds=120,
                what="the deploy does not begin",
            )
            assert len(of_this_run(mark, tmp_path) - before) > 3
            demo.send_signal(number)
            code = demo.wait(60)
        finally:
            demo.kill()
            demo.wait()
        said.seek(0)
        text = said.read()
    assert code == 0, text
    assert of_this_run(mark, tmp_path) - before == set()
    assert text.rstrip().endswith("Stopping.")
