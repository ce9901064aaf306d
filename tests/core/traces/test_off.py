"""Traces that nobody asked for cost nothing: no process imports anything of OpenTelemetry."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.sizes import some

PROGRAM = """
import functions.setup, json, sys
import functions.loan_approval, functions.fraud_check, loanoffice.wsgi, workflows.sweep
import functions.management.commands.durable_engine, workflows.management.commands.sweep
from functions.management.commands.durable_engine import configured_functions
configured_functions()
print(json.dumps([name for name in sys.modules
                  if "opentelemetry" in name or name.endswith("_otel")]))
"""


def imported(data: Path, **environment: str) -> list[str]:
    """Import the code of all processes, and return the modules of OpenTelemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **kept,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": str(data),
            "PYTHONPATH": str(settings.BASE_DIR),
            **environment,
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(ended.stdout))


def test_nothing_of_opentelemetry_is_imported_while_nothing_is_configured(tmp_path: Path) -> None:
    assert imported(tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "environment",
    some([{"TRACES": "1"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}], of=2),
)
def test_traces_are_on_when_something_says_where_they_go(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert "opentelemetry.sdk.trace" in imported(tmp_path, **environment)
