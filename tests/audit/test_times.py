"""Days and times for people: one zone, one format, and the end of a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.template import Context, Template
from django.utils import formats, timezone
from hypothesis import given
from hypothesis import strategies as st

from audit import times
from lending.services import LONGEST_DAY

ZONES = sorted(available_timezones())
# Offices have days that are longer, shorter, and that begin or end in the middle of an hour.
CHANGES = [
    ("America/Toronto", "2026-10-31T12:00Z", "2026-11-01T03:59:59.999999Z"),
    ("America/Toronto", "2026-11-01T12:00Z", "2026-11-02T04:59:59.999999Z"),
    ("America/Toronto", "2026-03-08T05:30Z", "2026-03-09T03:59:59.999999Z"),
    ("UTC", "2026-12-15T00:00Z", "2026-12-15T23:59:59.999999Z"),
    ("Asia/Kathmandu", "2026-12-15T18:15Z", "2026-12-16T18:14:59.999999Z"),
    ("America/St_Johns", "2006-10-28T12:00Z", "2006-10-29T03:29:59.999999Z"),  # 00:01 -> 23:01
    ("America/Havana", "2025-11-01T12:00Z", "2025-11-02T03:59:59.999999Z"),  # 01:00 -> 00:00
    ("Africa/Cairo", "2026-04-23T12:00Z", "2026-04-23T21:59:59.999999Z"),  # 00:00 -> 01:00
    ("Pacific/Apia", "2011-12-29T12:00-10:00", "2011-12-30T09:59:59.999999Z"),  # no 30 December
    ("Asia/Pyongyang", "2018-05-04T12:00Z", "2018-05-04T14:59:59.999999Z"),  # 23:30 -> 00:00
]


@pytest.mark.parametrize(("zone", "at", "end"), CHANGES)
def test_day_ends_at_its_last_microsecond_also_when_clocks_change(
    zone: str, at: str, end: str
) -> None:
    with timezone.override(zone):
        found = times.end_of_day(datetime.fromisoformat(at))
    assert found == datetime.fromisoformat(end)
    assert found.tzinfo is UTC


instants = st.datetimes(
    datetime(1975, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(at=instants, name=st.sampled_from(ZONES))
def test_end_of_a_day_is_its_last_instant_in_every_zone(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)

    def local_day(instant: datetime) -> date:
        return instant.astimezone(zone).date()

    with timezone.override(zone):
        end = times.end_of_day(at)
        assert times.end_of_day(end) == end
    assert at <= end
    assert local_day(end) == local_day(at)
    later = (end + timedelta(microseconds=1) + timedelta(minutes=15) * n for n in range(120))
    assert all(local_day(instant) > local_day(at) for instant in later)


@given(at=instants, name=st.sampled_from(ZONES), days=st.integers(1, 90))
def test_promise_of_days_ends_so_many_dates_later(at: datetime, name: str, days: int) -> None:
    zone = ZoneInfo(name)
    wanted = at.astimezone(zone).date() + timedelta(days=days)
    noon = datetime.combine(wanted, time(12), tzinfo=zone)
    with timezone.override(zone):
        end = times.promised_until(at, timedelta(days=days))
    # Where an island left a date out, it is the date of the same instant.
    assert end.astimezone(zone).date() == noon.astimezone(UTC).astimezone(zone).date()
    assert end - at < timedelta(days=days) + LONGEST_DAY


AT = datetime(2026, 12, 5, 22, 8, 9, tzinfo=UTC)


def test_one_format_in_the_zone_of_the_office() -> None:
    assert times.zone_sentence() == "Dates and times are in the time zone America/Toronto."
    assert times.moment(AT) == "5 December 2026 17:08"
    assert times.instant(AT) == "5 December 2026 17:08:09"
    assert times.day(AT) == times.day(date(2026, 12, 5)) == "5 December 2026"
    assert times.hour(AT) == "17:08"
    with timezone.override("Pacific/Auckland"):
        assert times.moment(AT) == "6 December 2026 11:08"
        assert times.zone_name() == "Pacific/Auckland"


def test_django_writes_the_columns_and_fields_of_the_admin_in_the_same_format() -> None:
    assert formats.localize(timezone.localtime(AT)) == times.moment(AT)
    assert formats.localize(date(2026, 12, 5)) == "5 December 2026"
    shown = Template("{{ at }} | {{ at|date }} | {{ at|time }}").render(Context({"at": AT}))
    assert shown == "5 December 2026 17:08 | 5 December 2026 | 17:08"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2026-12-04T12:00-05:00", "tomorrow 17:08"),
        ("2026-12-05T00:30-05:00", "today 17:08"),
        ("2026-12-05T23:30-05:00", "today 17:08"),
        ("2026-12-06T00:30-05:00", "yesterday 17:08"),
        ("2026-11-28T12:00-05:00", "5 December 17:08"),
        ("2027-01-01T00:30-05:00", "5 December 2026 17:08"),
    ],
)
def test_near_days_have_words(now: str, said: str) -> None:
    assert times.near_moment(AT, datetime.fromisoformat(now)) == said


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=-59), "now"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(minutes=59, seconds=59), "in 59 minutes"),
        (timedelta(hours=3, minutes=59), "in 3 hours"),
        (timedelta(hours=47, minutes=59), "in 47 hours"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(hours=-1), "1 hour late"),
        (timedelta(days=-2, hours=-23), "2 days late"),
    ],
)
def test_deadline_is_said_as_the_time_that_is_left_or_over(span: timedelta, words: str) -> None:
    assert times.due_in_words(AT + span, AT) == words
