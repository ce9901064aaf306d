"""Which fields of an application are personal, and how each looks where it is hidden. Pure."""

from collections.abc import Callable, Mapping
from functools import partial

from audit.masking import mask, mask_email, mask_name, mask_words

# Hidden on a case's page until somebody asks for them, and in the audit log for good.
CONTACT: dict[str, Callable[[object], str]] = {
    "address": mask_words,
    "phone": mask,
    "email": mask_email,
    "sin_last4": partial(mask, first=0, last=2),
    "annual_income": partial(mask, first=1, last=0),
}
MASKS = {**CONTACT, "applicant_name": mask_name}


def masked(name: str, value: object) -> object:
    """The value of a field as the audit log keeps it: masked if it is personal, else in full."""
    hide = MASKS.get(name)
    return value if hide is None or value is None else hide(value)


def masked_changes(
    changed: Mapping[str, tuple[object, object]],
) -> dict[str, tuple[object, object]]:
    """``{"field": (before, after)}`` as the audit log keeps it.

    Two values may look the same when they are masked. That the field is here says it changed.
    """
    return {name: (masked(name, old), masked(name, new)) for name, (old, new) in changed.items()}
