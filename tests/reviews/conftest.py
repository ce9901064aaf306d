"""A review task, a second manager, and applications for bulk decisions."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import LoanApplication
from reviews.models import ReviewTask
from tests.casework import many_waiting_for_manager


@pytest.fixture
def task(waiting: LoanApplication) -> ReviewTask:
    return waiting.review_tasks.get()


@pytest.fixture
def other(make_user: Callable[..., User]) -> User:
    return make_user("manager2", Role.MANAGER)


@pytest.fixture
def cases(officer: User) -> list[LoanApplication]:
    """Four applications that wait for a manager's decision."""
    return many_waiting_for_manager(officer, 4)
