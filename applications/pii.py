"""The personal fields of an application, their masks, and what is said in place of them. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import pairwise

from audit.masking import HIDDEN, mask, mask_email, mask_name, mask_words

# Percent. Each is twice the one before, so that a band gives the income to a factor of two.
BAND_ENDS = (10, 20, 40, 80, 160)
# The digits of a phone number that are looked for in a text; what stands before may be left out.
LOCAL_DIGITS = 7


def mask_figure(value: object) -> str:
    """Mask an amount as ``••••``: its first digit and its length would tell it to a tenth."""
    return HIDDEN if str(value or "") else ""


# Masked on an application's page until revealed, and always in the audit log.
CONTACT: dict[str, Callable[[object], str]] = {
    "address": mask_words,
    "phone": mask,
    "email": mask_email,
    "sin_last4": partial(mask, first=0, last=2),
    "annual_income": mask_figure,
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


def debt_to_income_band(ratio: Decimal | None, *, times: Decimal = Decimal(1)) -> str:
    """Return the band of a share of the income, for who may not see the income.

    The exact share, with the amount beside it, is the income. ``times`` gives the band of another
    payment, which is so many times the one of ``ratio``: with a band of its own, the two together
    would tell the income better than either.
    """
    if ratio is None:
        return "not known"
    for below, end in pairwise((None, *BAND_ENDS)):
        if ratio <= (end or 0):
            upper = f"{(end or 0) * times:.0f} %"
            return f"up to {upper}" if below is None else f"{below * times:.0f} to {upper}"
    return f"over {BAND_ENDS[-1] * times:.0f} %"


def without_contact(text: str, *, phone: str, email: str, address: str) -> str:
    """Return a text with the contact details that somebody typed into it masked.

    Everybody who sees the application reads such a text, the contact details not.
    """
    # Most texts have none of them: patterns are made only for what may be there.
    shown = text.casefold()
    local = re.sub(r"\D", "", phone)[-LOCAL_DIGITS:]
    if len(local) == LOCAL_DIGITS and local in re.sub(r"\D", "", text):
        apart = r"[\s().-]{0,3}"
        before = rf"(?:\+?\d{{1,3}}{apart})?(?:\(?\d{{3}}\)?{apart})?"
        number = rf"(?<!\d){before}{apart.join(local)}(?!\d)"
        text = re.sub(number, lambda _: mask(phone), text)
    if "@" in email and email.casefold() in shown:
        text = re.sub(re.escape(email), lambda _: mask_email(email), text, flags=re.IGNORECASE)
    # The street alone is typed as well as the whole address; the town alone tells little.
    for part in (address, address.partition(",")[0]):
        words = re.findall(r"\w+", part)
        if len(words) > 1 and all(word.casefold() in shown for word in words):
            together = rf"\b{r'\W{1,3}'.join(words)}\b"
            text = re.sub(together, lambda _: mask_words(address), text, flags=re.IGNORECASE)
    return text
