"""Write stored codes in words, for pages that show stored values as they are.

The words of a value are those of the field that offers it as a choice. Codes of open sets, such as
kinds of events and decline reasons, have no such field; they are written without underscores and
without what stands before a dot.
"""

import re
from decimal import Decimal
from functools import lru_cache

from django.apps import apps

from audit.times import readable

CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.][A-Za-z0-9]+)+")
AMOUNT = re.compile(r"-?\d{4,}\.\d\d")
# Facts whose value is a code of an open set. Other values with underscores may be names.
OPEN_SETS = frozenset({"kind", "event", "event_type", "reason_code", "code", "operation"})


@lru_cache(maxsize=1000)
def _label(code: str) -> str:
    """Return the label of the choice that is stored as this code; empty where no field has it."""
    fields = (field for model in apps.get_models() for field in model._meta.fields)
    offered = (dict(field.flatchoices) for field in fields if field.choices)
    return next((str(labels[code]) for labels in offered if code in labels), "")


def in_words(name: str, value: object) -> str:
    """Return a stored value of the fact ``name`` as people read it."""
    text = str(value)
    if not CODE.fullmatch(text):
        return readable(value)
    if label := _label(text):
        return label
    is_code = name in OPEN_SETS
    return text.rpartition(".")[2].replace("_", " ").capitalize() if is_code else text


def grouped(text: str) -> str:
    """Return an amount as pages show amounts, ``25,000.00``; any other text as it is."""
    return f"{Decimal(text):,.2f}" if AMOUNT.fullmatch(text) else text
