"""The careless rail pays a key once, whatever it answers, and its book is what counts."""

from decimal import Decimal

import pytest

from devtools.chaos.rail import ANSWERS, CarelessRail
from devtools.chaos.run import rail_line
from devtools.chaos.settling import Settling
from workflows.errors import PayoutRefused, PayoutUnknown, ProviderError
from workflows.providers.http import HttpPayoutRail
from workflows.providers.interfaces import PaymentState

ORDERS = 150


def pay(rail: HttpPayoutRail, number: int, amount: str = "25000.00") -> str:
    reference = f"LOAN-{number}"
    try:
        return rail.pay(
            idempotency_key=f"payout-{reference}",
            amount=Decimal(amount),
            currency="CAD",
            reference=reference,
        )
    except PayoutUnknown:
        return ""


@pytest.fixture
def rail(monkeypatch: pytest.MonkeyPatch) -> CarelessRail:
    monkeypatch.setattr("devtools.chaos.rail.LONGEST_DELAY", 0.01)
    return CarelessRail(seed=1)


def test_rail_pays_each_key_once_and_rarely_says_so(rail: CarelessRail) -> None:
    rail.start()
    client = HttpPayoutRail(url=rail.url, token="")
    said = [pay(client, number) for number in range(ORDERS)]
    again = [pay(client, number) for number in range(ORDERS)]
    with pytest.raises(PayoutRefused, match="Another amount"):
        pay(client, 0, "25000.01")
    assert pay(client, ORDERS) in {"", f"PAY-LOAN-{ORDERS}"}
    known = []
    for number in range(ORDERS):
        try:
            known.append(client.find(idempotency_key=f"payout-LOAN-{number}"))
        except ProviderError:
            continue
    rail.stop()

    assert {each for each in (*said, *again) if each} <= {
        payout.order.replace("LOAN", "PAY-LOAN") for payout in rail.book.values()
    }
    assert "" in said
    assert {number for number in rail.answered if number} >= {
        answer[0] for answer in ANSWERS if answer is not None
    }
    assert rail.answered[0] > 0, "it never hung up"
    assert len(rail.book) == ORDERS + 1
    assert {payout.amount for payout in rail.book.values()} == {Decimal("25000.00")}
    assert len(known) > ORDERS / 2
    assert {payment.state for payment in known if payment is not None} <= {
        PaymentState.SETTLED,
        PaymentState.OPEN,
    }
    assert rail_line(rail, Settling()).startswith(f"The rail paid {ORDERS + 1}, and answered ")


def test_order_that_is_paid_late_is_in_the_book_when_the_rail_has_stopped(
    rail: CarelessRail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devtools.chaos.rail.LONGEST_DELAY", 3600.0)
    monkeypatch.setattr("devtools.chaos.rail.SETTLES", 0)
    order = {"reference": "LOAN-1", "amount": "1.00", "currency": "CAD"}
    for number in range(20):
        rail.ordered(f"key-{number}", order)
    assert len(rail.book) < 20
    rail.stop()
    assert len(rail.book) == 20


def test_rail_says_of_an_unheard_key_that_it_is_not_there(rail: CarelessRail) -> None:
    answers = {rail.asked("unheard") for _ in range(40)}
    assert (404, b'{"status": "not_found"}') in answers
    assert all(answer is None or answer[0] in {404, 429, 503} for answer in answers)
    rail.stop()
