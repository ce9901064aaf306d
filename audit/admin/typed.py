"""The base class of every admin for the type checker.

Django's admin classes are generic for a type checker only, so the base is named here.
"""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model

if TYPE_CHECKING:

    class TypedAdmin[M: Model](admin.ModelAdmin[M]):
        """``admin.ModelAdmin`` for a type checker."""

else:

    class TypedAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, _: type[Model]) -> type:
            return cls
