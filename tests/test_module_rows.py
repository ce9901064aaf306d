"""The rows that a module makes once are made with nothing of the modules before in the caches."""

from typing import Any

import pytest
from django.core.cache import cache

from lending.services import policy_published


@pytest.fixture(scope="module")
def left_behind() -> None:
    """Keep something as a module before this one does."""
    cache.set("left-behind", "yes")


@pytest.fixture(scope="module")
def found(left_behind: None, module_rows: None) -> dict[str, Any]:
    """Read the caches as a fixture of this scope does that makes rows."""
    return {"key": cache.get("left-behind"), "policies": policy_published.cache_info().currsize}


def test_caches_are_empty_when_the_rows_of_a_module_are_made(found: dict[str, Any]) -> None:
    assert found == {"key": None, "policies": 0}
