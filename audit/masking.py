"""Mask personal data: enough to see that it changed, too little to use.

Pure, and used by the pages too, so that a masked value looks the same everywhere.
"""

import re

DOT = "•"
HIDDEN = DOT * 4
SIGN = re.compile(r"\w")
MAILBOX = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")


def mask(value: object, *, first: int = 1, last: int = 2) -> str:
    """Mask ``613-555-0101`` as ``6••-•••-••01``: the first character and the last two stay.

    Punctuation stays, so that the kind of value is recognisable. A value that is too short to
    mask in part is masked completely; an empty one stays empty.
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
    """Mask an e-mail address as ``a••••@e••••.com``."""
    text = "" if value is None else str(value)
    name, at, house = text.rpartition("@")
    if not at:
        return mask(text, first=1, last=0)
    head, dot, tail = house.rpartition(".")
    return f"{name[:1]}{HIDDEN}@{head[:1]}{HIDDEN}{dot}{tail}"


def mask_mailboxes(text: str) -> str:
    """Mask every e-mail address in a text, such as the error of a mail server that names one."""
    return MAILBOX.sub(lambda found: mask_email(found[0]), text)


def mask_words(value: object) -> str:
    """Mask a text as ``1•••• …``: its first character, and not even its length."""
    text = "" if value is None else str(value)
    return f"{text[:1]}{HIDDEN}" if text else ""


def mask_name(value: object) -> str:
    """Mask a name as its initials: ``A. J.``."""
    text = "" if value is None else str(value)
    return " ".join(f"{word[0]}." for word in text.split())
