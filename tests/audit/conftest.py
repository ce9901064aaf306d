"""Fixtures of the seals: rows in every sealed table, and a file for the copies."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import Action
from audit.services import entry_record
from lending.choices import Outcome
from lending.models import LendingPolicy
from reviews.services import decisions
from tests import casework


@pytest.fixture
def record(officer: User, manager: User) -> None:
    """Rows in every protected table."""
    LendingPolicy.objects.create(version=0, published_at=timezone.now())  # not in force
    application = casework.funded(officer)
    casework.disbursing(officer)
    entry_record(action=Action.VIEWED, message="Looked.", target=application, actor=manager)
    for _ in range(2):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)


@pytest.fixture
def copies_file(settings: Any, tmp_path: Path) -> Path:
    """The file of the copies; it is not there yet."""
    settings.LOANOFFICE_SEAL_FILE = tmp_path / "seals.jsonl"
    return tmp_path / "seals.jsonl"
