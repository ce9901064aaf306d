"""Compute the schedule of equal monthly instalments. Pure, exact to the cent.

The formula of the instalment is that of the level payment annuity, ``P * i / (1 - (1 + i) ** -n)``
with ``i = annual percent / 1200``: S. G. Kellison, *The Theory of Interest*, ch. 3 (elementary
annuities) and ch. 6 (amortization schedules). It is computed as one fraction of integers, and the
interest of a month as ``balance * annual percent / 1200``: everything is multiplied before it is
divided, so that half a cent is half a cent. Each figure is rounded half up to the cent once, and
the last instalment contains what the rounding left over.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import NamedTuple

CENT = Decimal("0.01")
# Products of amounts and rates are exact in it, and a quotient of them that is not half a cent
# is never rounded to half a cent.
PRECISION = Context(prec=40, rounding=ROUND_HALF_UP)
MONTHS_TIMES_PERCENT = 1200
# The last instalment may differ from the others by one part in so many: 5 %.
EVEN = 20


class TermsTooSmall(ValueError):
    """The amount is too small for its term: an instalment would be nothing."""


class Line(NamedTuple):
    """One instalment: ``payment = interest + principal``; ``balance`` is owed afterwards."""

    number: int
    payment: Decimal
    interest: Decimal
    principal: Decimal
    balance: Decimal


class Schedule(NamedTuple):
    monthly_payment: Decimal
    last_payment: Decimal
    total_interest: Decimal
    lines: tuple[Line, ...]

    @property
    def is_even(self) -> bool:
        """Tell whether the last instalment differs from the others by 5 % at most."""
        return abs(self.last_payment - self.monthly_payment) * EVEN <= self.monthly_payment


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
    amount, parts = principal.as_integer_ratio()
    share, whole, growth, base = _growth(annual_rate, term_months)
    if not share:
        return _rounded(amount, parts * term_months)
    return _rounded(amount * share * growth, parts * whole * (growth - base))


def worst_residue(*, annual_rate: Decimal, term_months: int) -> Decimal:
    """Compute the most by which rounding can make the last instalment differ from the others.

    Half a cent of the instalment and half a cent of interest each month, with their interest: one
    cent times ``((1 + i) ** n - 1) / i``, the accumulated value of an annuity (Kellison, ch. 3).
    """
    share, whole, growth, base = _growth(annual_rate, term_months)
    if not share:
        return CENT * term_months
    with localcontext(PRECISION):
        return CENT * Decimal((growth - base) * whole) / Decimal(base * share)


def schedule(*, principal: Decimal, annual_rate: Decimal, term_months: int) -> Schedule:
    """Compute every instalment of a loan; the principals add up to ``principal`` exactly.

    Raises ``TermsTooSmall`` when an instalment would be 0.00, and as ``monthly_payment``.
    """
    payment = monthly_payment(principal=principal, annual_rate=annual_rate, term_months=term_months)
    with localcontext(PRECISION):
        lines = tuple(_lines(principal, annual_rate, term_months, payment))
    # Rounding up can pay a tiny loan off early, which leaves nothing for the last instalments.
    if not payment or not lines[-1].payment:
        raise TermsTooSmall(
            f"{principal} is too little for {term_months} monthly instalments: one would be 0.00"
        )
    return Schedule(
        monthly_payment=payment,
        last_payment=lines[-1].payment,
        total_interest=sum((line.interest for line in lines), Decimal("0.00")),
        lines=lines,
    )


def _growth(annual_rate: Decimal, term_months: int) -> tuple[int, int, int, int]:
    """Return ``i`` and ``(1 + i) ** term_months`` as two fractions of integers."""
    percent, parts = annual_rate.as_integer_ratio()
    whole = parts * MONTHS_TIMES_PERCENT
    return percent, whole, (whole + percent) ** term_months, whole**term_months


def _rounded(numerator: int, denominator: int) -> Decimal:
    """Round a fraction of positive integers half up to cents."""
    return Decimal((200 * numerator + denominator) // (2 * denominator)).scaleb(-2)


def _lines(principal: Decimal, rate: Decimal, term_months: int, payment: Decimal) -> Iterator[Line]:
    balance = cents(principal)
    for number in range(1, term_months + 1):
        interest = cents(balance * rate / MONTHS_TIMES_PERCENT)
        # No instalment repays more than is owed.
        repaid = balance if number == term_months else min(payment - interest, balance)
        balance -= repaid
        yield Line(
            number=number,
            payment=interest + repaid,
            interest=interest,
            principal=repaid,
            balance=balance,
        )
