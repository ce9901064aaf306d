"""Compute the schedule of equal monthly instalments. Pure, ``Decimal`` only.

The annuity formula ``P * i / (1 - (1 + i) ** -n)`` with ``i = annual percent / 1200``
(see for example L. Kellison, *The Theory of Interest*, ch. 6); cents are rounded half
up, and the last instalment contains the rounding difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

CENT = Decimal("0.01")
PRECISION = Context(prec=40, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Line:
    """One instalment: ``payment = interest + principal``; ``balance`` is owed afterwards."""

    number: int
    payment: Decimal
    interest: Decimal
    principal: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Schedule:
    monthly_payment: Decimal
    last_payment: Decimal
    total_interest: Decimal
    lines: tuple[Line, ...]


def cents(amount: Decimal) -> Decimal:
    """Round an amount half up to two decimals."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def monthly_payment(*, principal: Decimal, annual_rate: Decimal, term_months: int) -> Decimal:
    """Compute the regular instalment, in the principal's currency, rounded to cents.

    ``annual_rate`` is in percent (7.5 is 7.5 % a year). Raises ``ValueError`` when the
    principal or the term is not positive, or the rate is negative.
    """
    if principal <= 0 or term_months <= 0 or annual_rate < 0:
        raise ValueError("principal and term must be positive, the rate not negative")
    with localcontext(PRECISION):
        if annual_rate == 0:
            return cents(principal / term_months)
        i = annual_rate / 1200
        return cents(principal * i / (1 - (1 + i) ** -term_months))


def schedule(*, principal: Decimal, annual_rate: Decimal, term_months: int) -> Schedule:
    """Compute every instalment of a loan; the principals add up to ``principal`` exactly."""
    payment = monthly_payment(principal=principal, annual_rate=annual_rate, term_months=term_months)
    with localcontext(PRECISION):
        lines = tuple(_lines(principal, annual_rate / 1200, term_months, payment))
    return Schedule(
        monthly_payment=payment,
        last_payment=lines[-1].payment,
        total_interest=sum((line.interest for line in lines), Decimal("0.00")),
        lines=lines,
    )


def _lines(principal: Decimal, rate: Decimal, term_months: int, payment: Decimal) -> Iterator[Line]:
    balance = cents(principal)
    for number in range(1, term_months + 1):
        interest = cents(balance * rate)
        # Rounding up can pay a tiny loan off early; no instalment repays more than is owed.
        repaid = balance if number == term_months else min(payment - interest, balance)
        balance -= repaid
        yield Line(
            number=number,
            payment=interest + repaid,
            interest=interest,
            principal=repaid,
            balance=balance,
        )
