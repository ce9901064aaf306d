"""Enumerations of partners and their keys. Pure."""

from django.db.models import TextChoices


class KeyState(TextChoices):
    LIVE = "live", "Live"
    EXPIRES_SOON = "expires_soon", "Expires soon"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
