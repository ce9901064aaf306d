"""Model fields for the lists, derived from another field whenever a row is saved."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from applications.choices import AmountBand
from applications.search_contacts import email_key, phone_key
from applications.search_names import normalize, surname_first
from core.database import byte_order

if TYPE_CHECKING:
    TextColumn = models.CharField[str, str]
    NumberColumn = models.SmallIntegerField[int | None, int | None]
else:
    TextColumn, NumberColumn = models.CharField, models.SmallIntegerField


class SearchKeyField(TextColumn):
    """The key by which the field ``source`` is found, derived on every save.

    It sorts by bytes on every database, so that an index finds the beginning of a key. ``key_of``
    is the function that makes it.
    """

    key_of: Callable[[str], str]

    def __init__(self, *, source: str, **options: Any) -> None:
        self.source = source
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"source": self.source}

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        return super().db_parameters(connection) | {"collation": byte_order(connection)}

    def derived(self, value: Any) -> str:
        return self.key_of(str(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002, FBT001
        value = self.derived(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, value)
        return value


class FoldedNameField(SearchKeyField):
    """The normalized name."""

    key_of = staticmethod(normalize)


class SurnameFirstField(SearchKeyField):
    """The normalized name, its surname first."""

    key_of = staticmethod(surname_first)


class PhoneKeyField(SearchKeyField):
    """The digits of a phone number from the last to the first."""

    key_of = staticmethod(phone_key)


class EmailKeyField(SearchKeyField):
    """An e-mail address without capitals."""

    key_of = staticmethod(email_key)


class AmountBandField(NumberColumn):
    """The ``AmountBand`` of the amount in the field ``source``; derived on every save."""

    def __init__(self, *, source: str, **options: Any) -> None:
        self.source = source
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"source": self.source}

    def derived(self, value: Any) -> int:
        return AmountBand.of(Decimal(value)).value

    def pre_save(self, model_instance: models.Model, add: bool) -> int:  # noqa: ARG002, FBT001
        value = self.derived(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, value)
        return value
