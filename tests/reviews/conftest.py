"""A review task, a second manager, and applications for bulk decisions."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import LoanApplication
from reviews.models import InformationRequest, ReviewTask
from reviews.services.information import information_ask
from tests.casework import many_waiting_for_manager
from tests.reviews.services.questions import QUESTION


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


@pytest.fixture
def asked(task: ReviewTask, manager: User) -> InformationRequest:
    """The task, sent back with a question by the manager."""
    return information_ask(task=task, user=manager, message=QUESTION)
