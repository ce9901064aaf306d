"""Check that the policy fields and permissions named in the table of review kinds exist."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, DecimalField, DurationField, Field

from accounts.roles import Role
from lending.models import LendingPolicy
from reviews.kinds import ROWS, ReviewKind


@register()
def review_kinds_fit(**_: Any) -> list[CheckMessage]:
    """Check that each row names policy fields of the right type and roles with its permission."""
    return [message for row in ROWS for message in check_row(row)]


def check_row(row: ReviewKind) -> list[CheckMessage]:
    return [*_policy_fields(row), *_permission(row)]


def _policy_fields(row: ReviewKind) -> Iterable[CheckMessage]:
    named: tuple[tuple[str, str, type[Field[Any, Any]]], ...] = (
        ("wait", row.wait, DurationField),
        ("due", row.due, DurationField),
        ("two_approvals_from", row.two_approvals_from, DecimalField),
        ("required_by", row.required_by, BooleanField),
    )
    for attribute, name, wanted in named:
        if not name and attribute in {"two_approvals_from", "required_by"}:
            continue
        try:
            fits = isinstance(LendingPolicy._meta.get_field(name), wanted)
        except FieldDoesNotExist:
            fits = False
        if not fits:
            yield Error(
                f"The {attribute} of review kind {row.kind.value} is {name!r}, "
                f"which is no {wanted.__name__} of LendingPolicy.",
                hint="Add the field to lending/models.py, or name another in reviews/kinds.py.",
                id="reviews.E001",
            )


def _permission(row: ReviewKind) -> Iterable[CheckMessage]:
    """Check that every recipient may decide, and that some role has the permission."""
    able = {role for role in Role if row.permission in role.grants}
    asked = {role for assignee in row.assignees for role in assignee.recipients}
    for role in sorted(asked - able):
        yield Error(
            f"{role} is asked to decide {row.named} and has no {row.permission}.",
            hint="Grant it in accounts/roles.py.",
            id="reviews.E002",
        )
    if not able:
        yield Error(
            f"No role has {row.permission}, so nobody decides {row.named}.",
            hint="Grant it in accounts/roles.py.",
            id="reviews.E003",
        )
