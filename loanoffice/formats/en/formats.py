"""Formats of the columns and fields that Django renders itself: the same as ``audit.times``."""

from audit.times import DAY, DAY_OF_YEAR, TIME

DATE_FORMAT = SHORT_DATE_FORMAT = DAY
TIME_FORMAT = TIME
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = f"{DAY} {TIME}"
MONTH_DAY_FORMAT = DAY_OF_YEAR
