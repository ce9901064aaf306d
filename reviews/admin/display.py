"""Badges of review decisions."""

from django.utils.safestring import SafeString

from core.admin.display import badge


def late_badge() -> SafeString:
    """Of a decision that is kept and counts for nothing."""
    return badge("Late, not applied", "wait")
