"""How a name is kept for searching: without case, accents and double spaces. Pure."""

import unicodedata

LENGTH = 200  # characters that are kept; who types more than that has found it already


def normalize(name: str) -> str:
    """``Émile  Côté`` becomes ``emile cote``, and ``STRASSE`` is ``Straße``.

    Unicode's caseless matching for people (The Unicode Standard, 3.13, D147: compatibility
    decomposition around the case folding), and then without the marks that combine: who
    types ``cote`` finds Côté, and so does who types ``CÔTÉ``.
    """
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return " ".join(letters.split())[:LENGTH].rstrip()
