"""Names the idempotency key of the tests, and tells a replayed response from a first one."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User

from partners.models import IdempotencyKey
from tests.partners.api.calls import Caller

Rows = Callable[[], tuple[int, ...]]
AsStaff = Callable[[User], Caller]
KEY = {"Idempotency-Key": "7d2f9c1e-crm-42"}
APPROVED = {"approved": True}


def kept() -> int:
    return IdempotencyKey.objects.count()


def assert_replay(response: Any, first: Any) -> None:
    """``response`` is ``first`` once more, to the byte, and says so."""
    assert response["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert (response.status_code, response.content) == (first.status_code, first.content)
    mine = {"X-Request-Id", "Idempotent-Replayed"}
    assert {name: value for name, value in response.items() if name not in mine} == {
        name: value for name, value in first.items() if name not in mine
    }
