"""The personal fields of an application and their masks. Pure."""

from collections.abc import Callable, Mapping
from functools import partial

from audit.masking import mask, mask_email, mask_name, mask_words

# Masked on an application's page until revealed, and always in the audit log.
CONTACT: dict[str, Callable[[object], str]] = {
    "address": mask_words,
    "phone": mask,
    "email": mask_email,
    "sin_last4": partial(mask, first=0, last=2),
    "annual_income": partial(mask, first=1, last=0),
}
MASKS = {**CONTACT, "applicant_name": mask_name}


def masked(name: str, value: object) -> object:
    """Return a field's value as the audit log stores it: masked if personal, else in full."""
    hide = MASKS.get(name)
    return value if hide is None or value is None else hide(value)


def masked_changes(
    changed: Mapping[str, tuple[object, object]],
) -> dict[str, tuple[object, object]]:
    """Return ``{"field": (before, after)}`` as the audit log stores it.

    Different values may have the same mask. A field that is included has changed.
    """
    return {name: (masked(name, old), masked(name, new)) for name, (old, new) in changed.items()}
