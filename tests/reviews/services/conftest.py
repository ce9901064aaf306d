"""Somebody to whom tasks are handed over."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role


@pytest.fixture
def stand_in(make_user: Callable[..., User]) -> User:
    """Somebody who decides less in their own right."""
    return make_user("standin", Role.MANAGER)
