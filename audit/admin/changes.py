"""Compute what a saved form changed: every field before and after, as an entry stores it."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms import BaseForm, ModelChoiceField

from audit.masking import HIDDEN
from audit.services import plain

type Found = dict[str, tuple[object, object]]
SECRET = "password"  # noqa: S105 - in the name of a field that holds one


def changes_of(form: BaseForm, formsets: Iterable[Any]) -> Found:
    """Return ``{"field": (before, after)}`` of a form and of the inlines below it.

    A field of an inline is named after its row. Passwords are never in here.
    """
    found = _of_form(form)
    for formset in formsets:
        deleted = {row.pk: row for row in formset.deleted_objects}
        for inline in formset.forms:
            row = inline.instance
            name = f"{row._meta.verbose_name} “{row}”"
            if row.pk in deleted or (row.pk is None and row in formset.deleted_objects):
                continue
            if inline.has_changed():
                found |= {f"{name}: {field}": pair for field, pair in _of_form(inline).items()}
        for row in deleted.values():
            found[f"{row._meta.verbose_name} “{row}”"] = (str(row), None)
    return found


def _of_form(form: BaseForm) -> Found:
    found: Found = {}
    for name in form.changed_data:
        if SECRET in name:
            found[SECRET] = (HIDDEN, HIDDEN)
            continue
        field = form.fields[name]
        before = form.get_initial_for_field(field, name)
        found[name] = (_shown(field, before), _shown(field, form.cleaned_data.get(name)))
    found.pop("DELETE", None)
    return found


def _shown(field: Any, value: object) -> object:
    """A value as people read it: rows by their names, several of them in order."""
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, list | tuple | set | QuerySet):
        return sorted(str(_shown(field, part)) for part in value)
    if isinstance(field, ModelChoiceField) and value not in field.empty_values:
        with suppress(ValidationError):  # a row that is not a choice any more
            return str(field.clean(value))
    return plain(value)
