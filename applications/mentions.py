"""Find the mentions in a text: ``@`` and a user name. Pure.

A user name may hold points, signs and another ``@``, so where it ends is known only from the names
that there are: ``@kim.`` at the end of a sentence is ``kim``, unless somebody is called ``kim.``.
"""

import re
from collections.abc import Collection, Iterator

# Not within an e-mail address, also a masked one.
MENTION = re.compile(r"(?<![\w.@+•-])@(\w[\w.@+-]*)")
MAY_END = ".@+-"  # characters that end a name, or a sentence behind it


def mentions_in(text: str) -> list[str]:
    """Return what stands behind each ``@`` that begins a mention; the end may not be the name's."""
    return MENTION.findall(text)


def name_of(mention: str, *, names: Collection[str]) -> str | None:
    """Return the longest of the ``names`` that a mention begins with; ``None`` without one.

    As it is written if there is such a name, else the only one that differs by case alone.
    """
    shortest = len(mention.rstrip(MAY_END))
    for end in range(len(mention), shortest - 1, -1):
        written = mention[:end]
        if written in names:
            return written
        alike = [name for name in names if name.casefold() == written.casefold()]
        if len(alike) == 1:
            return alike[0]
    return None


def marked_parts(text: str, *, names: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield the text in parts, each with whether it is a mention of one of the ``names``."""
    done = 0
    for found in MENTION.finditer(text):
        name = name_of(found[1], names=names)
        if name is not None:
            end = found.start(1) + len(name)
            yield text[done : found.start()], False
            yield text[found.start() : end], True
            done = end
    yield text[done:], False
