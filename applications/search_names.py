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
