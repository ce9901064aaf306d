"""Write days and times for people: in the time zone of the office and in one format.

Pages, e-mails, letters and sentences of errors use this module, and so do Django's own columns and
fields (``loanoffice.formats``). The zone is the setting ``TIME_ZONE``; each page and each e-mail
names it once. What programs read (the API, webhooks, exports, logs) is in ISO 8601 instead.
"""

from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

# The format in the notation of Django, for its own columns and fields (``loanoffice.formats``).
DAY = "j F Y"  # 5 December 2026
DAY_OF_YEAR = "j F"
TIME = "H:i"  # 17:08
MINUTE = 60
# Seconds and their name. From two days on in days: 30 hours are said better than a day.
SPANS = ((172_800, 86_400, "day"), (3600, 3600, "hour"), (MINUTE, MINUTE, "minute"))


def zone_name() -> str:
    """Return the name of the office's time zone, such as ``America/Toronto``."""
    return timezone.get_current_timezone_name()


def zone_sentence() -> str:
    """Return the sentence that names the zone on each page and in each e-mail."""
    return f"Dates and times are in the time zone {zone_name()}."


def day_begins(day: date) -> datetime:
    """Return the first moment of a day of the office."""
    return hour_of_day(day, 0)


def hour_of_day(day: date, hour: int) -> datetime:
    """Return when the office's clocks show a full hour of a day; it has to exist every day."""
    return timezone.make_aware(datetime.combine(day, time(hour)))


def end_of_day(at: datetime) -> datetime:
    """Return the last microsecond of the office's day of ``at``.

    It is a time within that day, so that a partner who shows it in the same zone names the same
    date. Where clocks that go back repeat the last hour of a day, it is in the second one.
    """
    day = timezone.localtime(at).date()
    last = datetime.combine(day, time.max, tzinfo=timezone.get_current_timezone())
    return last.replace(fold=1).astimezone(UTC)


def promised_until(at: datetime, lasting: timedelta) -> datetime:
    """Return the end of the last day of a promise that is made at ``at``.

    Days are counted on the calendar of the office: when clocks change within them, the date is
    still so many days later.
    """
    return end_of_day(timezone.localtime(at) + lasting)


def day(at: date) -> str:
    """Format ``5 December 2026``; a time is its day in the office."""
    local = _local(at)
    return f"{local.day} {local:%B %Y}"


def moment(at: datetime) -> str:
    """Format ``5 December 2026 17:08``."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%B %Y %H:%M}"


def instant(at: datetime) -> str:
    """Format ``5 December 2026 17:08:09``, for events in quick succession."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%B %Y %H:%M:%S}"


def hour(at: datetime) -> str:
    """Format ``17:08``, where the day is known."""
    return f"{timezone.localtime(at):%H:%M}"


def seconds(at: datetime) -> str:
    """Format ``17:08:09``, where the day is known."""
    return f"{timezone.localtime(at):%H:%M:%S}"


def clock(at: datetime) -> str:
    """Format ``17:08:09`` for today, with the date for any other day."""
    is_today = timezone.localdate(at) == timezone.localdate()
    return seconds(at) if is_today else instant(at)


def near_day(at: date, now: datetime) -> str:
    """Format a day as people say it: ``tomorrow``, ``5 December``, with another year's number."""
    local, today = _local(at), timezone.localdate(now)
    day_of_at = local.date() if isinstance(local, datetime) else local
    words = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    if word := words.get((day_of_at - today).days):
        return word
    return f"{local.day} {local:%B}" if local.year == today.year else day(at)


def near_moment(at: datetime, now: datetime) -> str:
    """Format a time as people say it: ``tomorrow 17:08``, ``5 December 17:08``."""
    return f"{near_day(at, now)} {hour(at)}"


def due_in_words(due_at: datetime, now: datetime) -> str:
    """Tell how far a deadline is, as people say it: ``in 3 hours``, ``2 days late``.

    In whole minutes, hours or days that are over, so that nothing is due later than it says.
    """
    seconds = int((due_at - now).total_seconds())
    if abs(seconds) < MINUTE:
        return "now"
    size, unit = next(found[1:] for found in SPANS if abs(seconds) >= found[0])
    number = abs(seconds) // size
    span = f"{number} {unit}{'' if number == 1 else 's'}"
    return f"in {span}" if seconds > 0 else f"{span} late"


def for_programs(at: datetime) -> str:
    """Format a time as the API does: ISO 8601 in UTC, to the second, with a ``Z``."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def readable(value: object) -> str:
    """Return a stored value as text; one that is a time is formatted as a moment."""
    text = str(value)
    try:
        at = parse_datetime(text)
    except ValueError:  # it looks like a time, and no calendar has it
        return text
    return text if at is None or at.tzinfo is None else moment(at)


def _local(at: date) -> date:
    return timezone.localtime(at) if isinstance(at, datetime) else at
