"""Model fields for amounts of money, annual rates and shares: what is typed and what is computed.

A column is as wide as the largest number that its formula gives; ``tests/core`` computes it. None
has more than 15 digits, because SQLite keeps no more.
"""

from decimal import Context, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.db import models

if TYPE_CHECKING:
    DecimalColumn = models.DecimalField[Decimal, Decimal]
else:
    DecimalColumn = models.DecimalField

# More than the digits of any number that SQLite can store.
ALL_DIGITS = 400


class StoredDecimalField(DecimalColumn):
    """A decimal whose every stored value can be read, also one that is wider than the column.

    SQLite gives columns no width, and Django refuses to read a number that is wider than its
    field: one such row would take down each list that it is in. Validators still check the width.
    """

    @cached_property
    def context(self) -> Context:
        return Context(prec=ALL_DIGITS)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, float):  # its digits beyond the width are noise
            value = Context(prec=self.max_digits or ALL_DIGITS).create_decimal_from_float(value)
        return super().to_python(value)

    def deconstruct(self) -> Any:
        """Return what the migrations say: for the schema it is Django's own field."""
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.DecimalField", args, options


def money_field(**options: Any) -> "models.DecimalField[Decimal, Decimal]":
    """An amount with two decimals, at most 9,999,999,999.99, in its row's currency."""
    return StoredDecimalField(max_digits=12, decimal_places=2, **options)


def computed_money_field(**options: Any) -> "models.DecimalField[Decimal, Decimal]":
    """An amount that is computed from a loan's amount, rate and term, and may be larger than it."""
    return StoredDecimalField(max_digits=15, decimal_places=2, **options)


def share_field(**options: Any) -> "models.DecimalField[Decimal | None, Decimal | None]":
    """A computed share in percent, if any: of an amount over the smallest income, a long number."""
    options = {"null": True, **options}
    return cast(
        "models.DecimalField[Decimal | None, Decimal | None]",
        StoredDecimalField(max_digits=15, decimal_places=2, **options),
    )


def rate_field(**options: Any) -> "models.DecimalField[Decimal, Decimal]":
    """An annual rate in percent with two decimals: 7.50 is 7.5 % a year."""
    return StoredDecimalField(max_digits=5, decimal_places=2, **options)
