"""Numbers on the forms of the admin: what people write, and nothing that has two meanings."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.test import RequestFactory

from audit.admin.base import ReadOnlyPermissions
from core.admin.number_fields import NumberField, WholeNumberField

FIELD = NumberField(max_digits=12, decimal_places=2)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("20000", "20000"),
        ("20000.00", "20000.00"),
        (" 20000.5 ", "20000.5"),
        (".5", ".5"),
        ("20,000", "20000"),
        ("20,000.00", "20000.00"),
        ("1,234,567.89", "1234567.89"),
        ("20 000", "20000"),
        ("20 000,00", "20000.00"),
        ("20 000.00", "20000.00"),
        ("20\u00a0000,00", "20000.00"),
        ("20\u202f000,5", "20000.5"),
        ("1.234.567,89", "1234567.89"),
        ("20.000,00", "20000.00"),
        ("20000,00", "20000.00"),
        ("7,5", "7.5"),
        ("-5", "-5"),
        ("-20,000.00", "-20000.00"),
    ],
)
def test_number_is_read_as_people_write_it(typed: str, value: str) -> None:
    assert FIELD.clean(typed) == Decimal(value)


@pytest.mark.parametrize(
    "typed",
    [
        "1_000",
        "1_000.00",
        "20.000",  # twenty, or twenty thousand
        "20,0000",
        "2,00,000",
        "20,00,0",
        "20 00",
        "20  000",
        "20,000,00",
        "20 000,000",
        "20,000 000",
        "20'000",
        "1e5",
        "1E5",
        "NaN",
        "Infinity",
        "0x10",
        "٣",
        "\uff11\uff12",
        "five",
        "20,000.00 CAD",
        "--5",
        ".",
        ",",
        "20000.001",
        "1,234,567,890,123.00",
    ],
)
def test_number_of_another_form_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        FIELD.clean(typed)


def test_sentence_says_what_is_taken() -> None:
    with pytest.raises(ValidationError, match=r"such as 20000\.00, 20,000\.00 or 20 000,00\."):
        FIELD.clean("1_000")


def test_field_lets_the_browser_send_what_is_typed() -> None:
    html = str(FIELD.widget.render("amount", Decimal("20000.00"), FIELD.widget.attrs))
    assert 'type="text"' in html
    assert 'inputmode="decimal"' in html
    assert 'value="20000.00"' in html


@pytest.mark.parametrize("typed", ["6_0", "٣", "1e1", "6,0", "five"])
def test_whole_number_of_another_form_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        WholeNumberField().clean(typed)


def test_whole_number_in_digits_is_read() -> None:
    assert WholeNumberField().clean(" 60 ") == 60


def test_every_number_of_every_admin_class_is_read_so() -> None:
    request = RequestFactory().get("/")
    seen = set()
    for found in admin.site._registry.values():
        if isinstance(found, ReadOnlyPermissions):  # nobody types there
            continue
        for each in (found, *(inline(found.model, admin.site) for inline in found.inlines)):
            for column in each.model._meta.get_fields():
                if not isinstance(column, models.DecimalField | models.IntegerField):
                    continue
                field = each.formfield_for_dbfield(column, request)
                if field is None or column.choices or isinstance(column, models.AutoField):
                    continue
                fitting = (
                    NumberField if isinstance(column, models.DecimalField) else WholeNumberField
                )
                assert isinstance(field, fitting), (each, column)
                seen.add(str(column))

    assert {
        "applications.LoanApplication.loan_amount",
        "applications.LoanApplication.annual_income",
        "lending.LendingPolicy.approval_threshold",
        "lending.PolicyTier.annual_rate",
        "lending.PolicyTier.minimum_score",
        "lending.PolicyAuthority.ceiling",
    } <= seen
