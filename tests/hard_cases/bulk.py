"""Numbers of rows, a manager, and counts of stored rows for the tests of bulk decisions."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import ApplicationEvent
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import bulk_decisions
from tests.applications.admin.conftest import LIST
from tests.sizes import size
from workflows.models import OutboxMessage, PendingCallback

APPROVE = f"{LIST}decide/approve/"
DECLINE = f"{LIST}decide/decline/"
MANY = size(short=60, long=500)


@pytest.fixture(autouse=True)
def _all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that run tests are slow; ``test_bulk`` has what happens when time runs out."""
    monkeypatch.setattr(bulk_decisions, "PATIENCE", timedelta(minutes=10))


@pytest.fixture
def both(make_user: Callable[..., User]) -> User:
    """A manager who has applications of their own."""
    return make_user("both", Role.LOAN_OFFICER, Role.MANAGER)


def rows_stored() -> tuple[int, ...]:
    return (
        ReviewDecision.objects.count(),
        ApplicationEvent.objects.count(),
        OutboxMessage.objects.count(),
        ReviewTask.objects.filter(status="decided").count(),
        PendingCallback.objects.filter(status="answered").count(),
    )
