"""Badges of review decisions."""

from django.utils.safestring import SafeString

from core.admin.display import badge


def late_badge() -> SafeString:
    """Return the badge of a decision that came too late to count."""
    return badge("Late, not applied", "wait")


def voided_badge() -> SafeString:
    """Return the badge of an approval that counts no more."""
    return badge("Voided, counts no more", "wait")
