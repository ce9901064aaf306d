"""A constraint that a form can meet says in a sentence what is wrong, never its own name."""

from typing import Any

from django.contrib import admin
from django.db.models import BaseConstraint, Model, UniqueConstraint

from audit.admin.base import ReadOnlyPermissions


def typed_models() -> set[type[Model]]:
    """Models that a form of Django's changes: those of the admins that write, and their rows."""
    writing = [each for each in admin.site._registry.values() if not _is_read_only(each)]
    rows = {inline.model for each in writing for inline in each.inlines}
    return {each.model for each in writing} | rows


def _is_read_only(model_admin: Any) -> bool:
    return isinstance(model_admin, ReadOnlyPermissions)


def has_sentence(constraint: BaseConstraint) -> bool:
    """Django words a unique constraint of plain fields by itself, beside the fields' names."""
    plain = (
        isinstance(constraint, UniqueConstraint)
        and constraint.fields
        and not (constraint.condition or constraint.expressions)
    )
    default = constraint.default_violation_error_message
    return bool(plain) or constraint.violation_error_message != default


def test_every_constraint_that_a_form_meets_has_a_sentence() -> None:
    typed = typed_models()
    missing = [
        f"{model.__name__}: {constraint.name}"
        for model in sorted(typed, key=lambda model: model.__name__)
        for constraint in model._meta.constraints
        if not has_sentence(constraint)
    ]

    assert len(typed) > 5
    assert missing == []
