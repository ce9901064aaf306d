"""What the audit log keeps of personal data: enough to see that it changed, too little to use.

Pure, and used by the pages too, so that a value looks the same wherever it is hidden.
"""

import re

DOT = "•"
HIDDEN = DOT * 4
SIGN = re.compile(r"\w")


def mask(value: object, *, first: int = 1, last: int = 2) -> str:
    """``6••-•••-••01`` of ``613-555-0101``: the first sign and the last two stay.

    Punctuation stays, so that the kind of value can be told. A value that is too short to
    hide anything in is hidden whole; an empty one stays empty.
    """
    text = "" if value is None else str(value)
    signs = len(SIGN.findall(text))
    if not signs:
        return text
    if signs < first + last + 2:
        first, last = 0, min(last, max(signs - 2, 0))
    seen = 0

    def hide(found: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return found[0] if seen <= first or seen > signs - last else DOT

    return SIGN.sub(hide, text)


def mask_email(value: object) -> str:
    """``a••••@e••••.com``: neither the name nor the house, only that it is this kind of address."""
    text = "" if value is None else str(value)
    name, at, house = text.rpartition("@")
    if not at:
        return mask(text, first=1, last=0)
    head, dot, tail = house.rpartition(".")
    return f"{name[:1]}{HIDDEN}@{head[:1]}{HIDDEN}{dot}{tail}"


def mask_words(value: object) -> str:
    """``1•••• …``: how it begins and nothing else, not even how long it is."""
    text = "" if value is None else str(value)
    return f"{text[:1]}{HIDDEN}" if text else ""


def mask_name(value: object) -> str:
    """``A. J.``: the initials."""
    text = "" if value is None else str(value)
    return " ".join(f"{word[0]}." for word in text.split())
