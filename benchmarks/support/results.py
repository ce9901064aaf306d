"""Keep the figures of a benchmark for ``docs/performance.py``, which writes the page of them.

Where ``LOANOFFICE_BENCH_RESULTS`` names a file, each benchmark replaces its own figures in it.
"""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.support.processes import ROOT

VARIABLE = "LOANOFFICE_BENCH_RESULTS"


def commit() -> str:
    """Return the last commit of this checkout that changed the product itself."""
    beside = [":!benchmarks", ":!docs", ":!tests", ":!*.md", ":!Makefile"]
    asked = ["git", "log", "-1", "--format=%h", "--", ".", *beside]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def machine() -> str:
    """Return the cores, the memory and the system of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def record(topic: str, figures: dict[str, float], *, setting: str) -> None:
    """Keep the figures of a topic; ``setting`` says in a few words how they were measured."""
    named = os.environ.get(VARIABLE)
    if not named:
        return
    path = Path(named)
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept[topic] = {
        "commit": commit(),
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "machine": machine(),
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "others": f"{os.getloadavg()[2]:.1f}",  # the load of the past 15 minutes, this one included
        "python": platform.python_version(),
        "setting": setting,
    }
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
