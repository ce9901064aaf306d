"""``docs/payout-rail.md`` tells the truth: each answer of its tables goes through the adapter."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from tests.workflows.providers.test_providers import Outside
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.providers.http import REFUSALS, HttpPayoutRail
from workflows.providers.interfaces import PaymentState

PAGE = (settings.BASE_DIR / "docs" / "payout-rail.md").read_text()
ORDER, KNOWN = PAGE.partition("## What the rail knows")[::2]
ROW = re.compile(r"^\| (\d{3}) \| `(.+?)` \| ([a-z ]+) \|", re.M)


@pytest.fixture
def outside() -> Iterator[Outside]:
    serving = Outside()
    yield serving
    serving.server.stop()


def ordered(rail: HttpPayoutRail) -> str:
    order: dict[str, Any] = {
        "idempotency_key": "payout-LOAN-1",
        "amount": Decimal("25000.00"),
        "currency": "CAD",
        "reference": "LOAN-1",
    }
    try:
        rail.pay(**order)
    except PayoutRefused:
        return "refused"
    except PayoutUnknown:
        return "unknown"
    return "paid"


def known(rail: HttpPayoutRail) -> str:
    try:
        found = rail.find(idempotency_key="payout-LOAN-1")
    except ProviderError:
        return "no answer"
    if found is None:
        return "none"
    return {
        PaymentState.SETTLED: "paid",
        PaymentState.FAILED: "failed",
        PaymentState.OPEN: "under way",
    }[found.state]


@pytest.mark.parametrize(
    ("ask", "status", "body", "means"),
    [
        *[(ordered, *row) for row in ROW.findall(ORDER)],
        *[(known, *row) for row in ROW.findall(KNOWN)],
    ],
)
def test_answer_means_what_the_page_says(
    outside: Outside, ask: Any, status: str, body: str, means: str
) -> None:
    outside.status, outside.body = int(status), body.encode()
    assert ask(HttpPayoutRail(url=outside.url, token="t")) == means


def test_page_has_every_status_of_a_refusal_and_every_meaning() -> None:
    rows = ROW.findall(ORDER)
    assert {int(status) for status, _, means in rows if means == "refused"} == REFUSALS
    assert {means for _, _, means in rows} == {"paid", "refused", "unknown"}
    assert {means for _, _, means in ROW.findall(KNOWN)} == {
        "paid",
        "failed",
        "under way",
        "none",
        "no answer",
    }
