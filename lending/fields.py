"""Model fields for amounts of money and annual rates."""

from decimal import Decimal

from django.db import models


def money_field(**options: object) -> "models.DecimalField[Decimal, Decimal]":
    """An amount with two decimals, at most 9,999,999,999.99, in its row's currency."""
    return models.DecimalField(max_digits=12, decimal_places=2, **options)  # type: ignore[arg-type]


def rate_field(**options: object) -> "models.DecimalField[Decimal, Decimal]":
    """An annual rate in percent with two decimals: 7.50 is 7.5 % a year."""
    return models.DecimalField(max_digits=5, decimal_places=2, **options)  # type: ignore[arg-type]
