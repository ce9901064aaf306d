"""The modules that a function of the package has loaded when it is ready, and the time."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import cold_start

pytestmark = pytest.mark.deploy

# Half a second and more, of no use to a function without a web server.
HEAVY = {
    "django.contrib.admin",
    "django.contrib.sessions",
    "drf_spectacular",
    "rest_framework",
    "fpdf",
    "PIL",
    "storages",
    "zappa",
    "applications.admin",
    "applications.api",
    "workflows.admin",
}


@pytest.mark.parametrize("handler", ["functions.loan_approval", "functions.fraud_check"])
def test_a_function_loads_no_door(unpacked: Path, handler: str) -> None:
    loaded = json.loads(
        cold_start.run(
            unpacked, f"import {handler}, sys, json; print(json.dumps(list(sys.modules)))"
        )
    )
    assert handler in loaded
    assert not HEAVY & set(loaded)


def test_everything_comes_from_the_package_and_its_bytecode(unpacked: Path) -> None:
    found = json.loads(
        cold_start.run(
            unpacked,
            "import functions.loan_approval, sys, json; print(json.dumps([[m.__name__, m.__file__,"
            " m.__cached__] for m in sys.modules.values() if getattr(m, '__file__', None)"
            " and getattr(m, '__cached__', None)]))",
        )
    )
    ours = [each for each in found if Path(each[1]).is_relative_to(unpacked)]
    assert {"django", "boto3", "psycopg", "workflows.engine"} <= {name for name, *_ in ours}
    assert all(Path(cached).exists() for _, _, cached in ours)
    assert not [each for each in found if "site-packages" in each[1]]


def test_import_figures_of_this_machine(unpacked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = cold_start.measure(unpacked, rounds=3)
    with capsys.disabled():
        sys.stdout.write(f"\n{cold_start.report_lines(figures)}\n")
    assert figures.keys() == cold_start.IMPORTS.keys()
