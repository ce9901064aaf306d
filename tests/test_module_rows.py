"""The rows that a module makes once are made with nothing that the modules before left behind."""

import time
from typing import Any

import pytest
from django.core.cache import cache

from lending.services import policy_published
from workflows import engine


@pytest.fixture(scope="module")
def left_behind() -> None:
    """Keep something as a module before this one does."""
    cache.set("left-behind", "yes")
    engine._circuit.failed_at = time.monotonic()


@pytest.fixture(scope="module")
def found(left_behind: None, module_rows: None) -> dict[str, Any]:
    """Read the caches as a fixture of this scope does that makes rows."""
    return {
        "key": cache.get("left-behind"),
        "policies": policy_published.cache_info().currsize,
        "circuit is open": engine.is_circuit_open(),
    }


def test_nothing_is_left_behind_when_the_rows_of_a_module_are_made(found: dict[str, Any]) -> None:
    assert found == {"key": None, "policies": 0, "circuit is open": False}
