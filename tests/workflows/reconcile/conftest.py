"""An office in which every review can be decided."""

import pytest
from django.contrib.auth.models import User


@pytest.fixture(autouse=True)
def _office_that_decides(request: pytest.FixtureRequest) -> None:
    """Have somebody who can decide, so that no task is an incident of its own."""
    if {"db", "transactional_db"} & set(request.fixturenames):
        assert isinstance(request.getfixturevalue("decider"), User)
