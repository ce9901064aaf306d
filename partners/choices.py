"""Enumerations of partners and their keys. Pure."""

from collections.abc import Iterable

from django.db.models import TextChoices


class Scope(TextChoices):
    """Rights of a key. The values are public, the labels are for people."""

    READ = "applications:read", "Read applications, events and documents"
    WRITE = "applications:write", "Submit and withdraw applications"
    OFFERS = "offers:write", "Accept and decline offers"
    DOCUMENTS = "documents:write", "Upload documents"


def scopes_in_words(scopes: Iterable[str]) -> str:
    """Return the labels of these scopes, in the order of ``Scope``."""
    given = set(scopes)
    return "; ".join(scope.label for scope in Scope if scope in given)


class KeyState(TextChoices):
    LIVE = "live", "Live"
    EXPIRES_SOON = "expires_soon", "Expires soon"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
