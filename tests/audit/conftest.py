"""Fixtures of the seals: rows in every sealed table, and a file for the copies."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.audit.protected import make_record


@pytest.fixture
def record(officer: User, manager: User) -> None:
    """Rows in every protected table."""
    make_record(officer, manager)


@pytest.fixture
def copies_file(settings: Any, tmp_path: Path) -> Path:
    """The file of the copies; it is not there yet."""
    settings.LOANOFFICE_SEAL_FILE = tmp_path / "seals.jsonl"
    return tmp_path / "seals.jsonl"
