"""Measure how long the functions of a package take to import, and their minimum.

    python -m benchmarks.cold_start [PACKAGE] [--rounds 9]

Unpacks the package, or one that is built for it where none is named, and imports each handler in
fresh processes that see nothing else, taking turns; prints the median of each, by the clock and in
processor time, and how it compares with the bare import of Django's ORM, the durable SDK and boto3
from the same package. On a machine that is busy otherwise, look at the processor time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.results import record

ROOT = Path(__file__).resolve().parent.parent
BUILDER = ROOT / ".venv-deploy" / "ready"
BARE = "Django's ORM, the SDK and boto3"
ROUNDS = 9
IMPORTS = {
    BARE: (
        "from django.conf import settings; settings.configure(INSTALLED_APPS=["
        "'django.contrib.auth', 'django.contrib.contenttypes'], DATABASES={'default': {"
        "'ENGINE': 'django.db.backends.postgresql'}}); import django; django.setup(); "
        "from django.db import connection; import django.contrib.auth.models, "
        "aws_durable_execution_sdk_python, boto3"
    ),
    "the loan approval": "import functions.loan_approval",
    "the fraud check": "import functions.fraud_check",
}
CLOCKS = "time.perf_counter(), time.process_time()"
TIMED = f"import time; began = {CLOCKS}; {{}}; print(*(b - a for a, b in zip(began, ({CLOCKS}))))"
# Variables that the functions require at start; nothing is contacted.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "loanoffice.settings.functions",
    "LOANOFFICE_FUNCTION": "loan-approval",
    "AWS_DEFAULT_REGION": "ca-central-1",
    "DATABASE_URL": "postgresql://user:secret@database.example.com/loanoffice",
    "FRAUD_CHECK_FUNCTION": "loanoffice-production-fraud-check:live",
    "LOAN_APPROVAL_FUNCTION": "loanoffice-production-loan-approval:live",
    "MEDIA_BUCKET": "loanoffice-media",
    "MEDIA_KMS_KEY": "arn:aws:kms:ca-central-1:123456789012:key/documents",
    "SITE_URL": "https://loans.example.com",
    "LOANOFFICE_SIMULATED_PROVIDERS": "true",
}


def built(folder: Path) -> Path:
    """Build the package of this checkout in a folder, as the tests of it do."""
    from tests.deploy.package.build import build

    folder.mkdir()
    return build(folder)


def run(package: Path, code: str) -> str:
    """Return the output of a fresh interpreter that sees the unpacked package only."""
    python = getattr(sys, "_base_executable", sys.executable)
    code = f"import sys; sys.path.insert(0, {str(package)!r}); {code}"
    return subprocess.run(
        [python, "-I", "-S", "-c", code],
        cwd=package,
        env={"PATH": os.environ["PATH"], **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@dataclass(frozen=True)
class Figure:
    """Seconds."""

    clock: float
    processor: float


def measure(package: Path, *, rounds: int) -> dict[str, Figure]:
    """Measure each import: the median of so many processes, after one that warms the disk."""
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in IMPORTS}
    for number in range(rounds + 1):
        for name, code in IMPORTS.items():
            seconds = tuple(map(float, run(package, TIMED.format(code)).split()))
            if number:
                taken[name].append(seconds)
    return {
        name: Figure(*map(statistics.median, zip(*seconds, strict=True)))
        for name, seconds in taken.items()
    }


def report_lines(figures: dict[str, Figure]) -> str:
    """Format a line for each."""
    bare = figures[BARE]
    return "\n".join(
        f"{name:34} {each.clock:.3f} s ({each.clock / bare.clock:.2f}), "
        f"processor {each.processor:.3f} s ({each.processor / bare.processor:.2f})"
        for name, each in figures.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, nargs="?", help="else one is built")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    if asked.package is None and not BUILDER.exists():
        print("Nothing to build a package with: `make .venv-deploy/ready` makes that environment.")
        return
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "unpacked"
        with zipfile.ZipFile(asked.package or built(Path(folder) / "checkout")) as packed:
            packed.extractall(unpacked)
        figures = measure(unpacked, rounds=max(1, min(asked.rounds, 50)))
    print(report_lines(figures))
    record(
        "cold_start",
        {f"{name}: CPU, s": figure.processor for name, figure in figures.items()},
        setting=f"medians of {asked.rounds} rounds",
    )


if __name__ == "__main__":
    main()
