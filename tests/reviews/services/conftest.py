"""Somebody to whom tasks are handed over, and another loan officer."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role


@pytest.fixture
def stand_in(make_user: Callable[..., User]) -> User:
    """Somebody who decides less in their own right."""
    return make_user("standin", Role.MANAGER)


@pytest.fixture
def officer2(make_user: Callable[..., User]) -> User:
    return make_user("officer2", Role.LOAN_OFFICER)
