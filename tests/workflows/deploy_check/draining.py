"""Runs the command, and writes pending migrations: a real module beside an app's own."""

import itertools
import shutil
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

SOURCE = """\
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Own(Operation):
    reversible = False

    def state_forwards(self, app_label, state):
        pass

    def describe(self):
        return "Something of our own"


class Migration(migrations.Migration):
    dependencies = [{dependencies}]
    operations = [{operations}]
    {more}
"""
NAME = "9999_pending"
_numbers = itertools.count()

Pending = Callable[..., str]


@pytest.fixture
def pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Pending:
    """``pending("migrations.RemoveField('loanapplication', 'phone')")``: its full name.

    ``app`` is the app's dotted name; ``more`` is written into the class.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def write(operations: str, *, app: str = "applications", more: str = "") -> str:
        package = f"pending_migrations_{next(_numbers)}"
        real = Path(str(import_module(f"{app}.migrations").__file__)).parent
        shutil.copytree(real, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        label = app.rpartition(".")[2]
        last = max(path.stem for path in real.glob("[0-9]*.py"))
        (tmp_path / package / f"{NAME}.py").write_text(
            SOURCE.format(dependencies=f'("{label}", "{last}")', operations=operations, more=more)
        )
        settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, label: package}
        return f"{label}.{NAME}"

    return write


def drain(*options: str) -> tuple[int, str]:
    """Run ``manage.py drain``: exit code and what was written."""
    out = StringIO()
    try:
        call_command("drain", *options, stdout=out, stderr=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()
