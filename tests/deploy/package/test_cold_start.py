"""The modules that a function of the package has loaded when it is ready, and the time."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import cold_start
from tests.functions.not_loaded import LOADED, NOT_LOADED_BY

pytestmark = pytest.mark.deploy


@pytest.mark.parametrize("handler", NOT_LOADED_BY)
def test_a_function_loads_its_receivers_and_no_door(unpacked: Path, handler: str) -> None:
    loaded = json.loads(
        cold_start.run(
            unpacked, f"import {handler}, sys, json; print(json.dumps(list(sys.modules)))"
        )
    )
    assert set(loaded) >= {handler, *LOADED}
    assert sorted(NOT_LOADED_BY[handler] & set(loaded)) == []


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
