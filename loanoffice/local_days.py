"""Days of the office's time zone."""

from datetime import date, datetime, time

from django.utils import timezone


def day_begins(day: date) -> datetime:
    """Return the first moment of a local day."""
    return timezone.make_aware(datetime.combine(day, time.min))
