"""Form fields of the admin for numbers, as people write them and as the pages show them.

The API has a field of its own, which takes one form only.
"""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

# Blanks that group thousands: the common one, no-break, thin and narrow no-break.
_BLANKS = "[ \u00a0\u2009\u202f]"
# Digits in one of the forms that have one meaning only. "20.000" has two, and is one of three
# decimals here, which no field takes; "20,000" is one, as no field has three decimals.
FORMS = (
    r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+",
    r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?",
    rf"[0-9]{{1,3}}(?:{_BLANKS}[0-9]{{3}})+(?:[.,][0-9]{{1,2}})?",
    r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,2}",
    r"[0-9]+,[0-9]{1,2}",
)
NUMBER = re.compile(rf"[+-]?(?:{'|'.join(FORMS)})")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
NOT_A_NUMBER = "Enter a number such as 20000.00, 20,000.00 or 20 000,00."


def read_number(text: str) -> Decimal:
    """Read an amount or a rate. Raises ``ValidationError`` for what is none, or is ambiguous."""
    typed = text.strip()
    if NUMBER.fullmatch(typed) is None:
        raise ValidationError(NOT_A_NUMBER, code="invalid")
    typed = re.sub(_BLANKS, "", typed)
    if re.search(r",[0-9]{1,2}\Z", typed):
        return Decimal(typed.replace(".", "").replace(",", "."))
    return Decimal(typed.replace(",", ""))


class NumberField(forms.DecimalField):
    """A number with decimals: "20,000.00" and "20 000,00" as well as "20000.00"."""

    widget = forms.TextInput

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "decimal"}

    def to_python(self, value: Any) -> Any:
        """Return a ``Decimal``, or ``None`` for an empty text."""
        if value in self.empty_values:
            return None
        return value if isinstance(value, Decimal) else read_number(str(value))


class WholeNumberField(forms.IntegerField):
    """A whole number in digits; Python's "1_000" is none."""

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and value.strip() and not WHOLE_NUMBER.fullmatch(value.strip()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


# ``formfield_overrides`` of every admin class; a test looks for one that forgets them.
NUMBER_FIELDS: dict[Any, dict[str, Any]] = {
    models.DecimalField: {"form_class": NumberField},
    models.IntegerField: {"form_class": WholeNumberField},
    models.BigIntegerField: {"form_class": WholeNumberField},
}
