"""Normalize names for searching: ignore upper case, accents and repeated spaces. Pure."""

import unicodedata

LENGTH = 200  # characters stored; longer searches are not needed to find a name


def normalize(name: str) -> str:
    """``Émile  Côté`` becomes ``emile cote``, and ``STRASSE`` is ``Straße``.

    Unicode's compatibility caseless matching (The Unicode Standard, 3.13, D147: compatibility
    decomposition around the case folding), then without combining marks, so that both ``cote``
    and ``CÔTÉ`` find Côté.
    """
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return " ".join(letters.split())[:LENGTH].rstrip()


def surname_first(name: str) -> str:
    """``Émile  Côté`` becomes ``cote emile``: the normalized name, its last word before the others.

    So that an index finds how a surname begins; of a surname of several words the last one.
    """
    first, _, last = normalize(name).rpartition(" ")
    return f"{last} {first}".rstrip()
