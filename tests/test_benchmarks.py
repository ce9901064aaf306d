"""The parts that the benchmarks share count and keep what they say; nothing is measured here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import admin_list
from benchmarks.support import processes, results


@pytest.mark.parametrize(("taken", "slope"), [([3.0, 3.0, 3.0], 0.0), ([2.0, 20.0, 200.0], 1.0)])
def test_exponent_is_the_slope_of_the_logarithms(taken: list[float], slope: float) -> None:
    assert admin_list.exponent([1000, 10_000, 100_000], taken) == pytest.approx(slope)


def test_benchmark_replaces_its_own_figures_and_keeps_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "performance.json"
    monkeypatch.setenv(results.VARIABLE, str(kept))

    for value in (1.0, 2.0):
        results.record("one", {"seconds": value}, setting="")
    results.record("another", {"seconds": 3.0}, setting="")

    found = json.loads(kept.read_text())
    assert {topic: found[topic]["figures"]["seconds"] for topic in found} == {
        "another": 3.0,
        "one": 2.0,
    }


def test_cpu_of_a_process_includes_that_of_children_that_ended() -> None:
    before = processes.cpu_seconds(os.getpid())

    # Twice what is asked for: the kernel counts in hundredths, and rounds down.
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", burn], check=True)

    assert processes.cpu_seconds(os.getpid()) - before >= 0.1
