"""Read the variables of the environment; one that makes no sense stops the start, by its name.

Without this it would be found by the first request, or not at all: ``environ`` takes any word that
it does not know for false, and reads 1e400 as 1400. Pure, but for the environment.
"""

import logging
import re
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

from partners.throttling import Rate

DAY = 86_400  # seconds
# The least and the most of each number, both allowed.
RANGES: dict[str, tuple[int, int]] = {
    "EMAIL_PORT": (1, 65_535),
    "ENGINE_PORT": (1, 65_535),
    "LOANOFFICE_DELIVERY_GRACE_SECONDS": (0, 7 * DAY),
    "LOANOFFICE_DOCUMENTS_MOST": (1, 1000),
    "LOANOFFICE_DOCUMENT_BYTES": (1, 100_000_000),
    "LOANOFFICE_FRAUD_VENDOR_LONGEST_MINUTES": (1, 60 * 24 * 60),
    "LOANOFFICE_HASHES_AT_ONCE": (1, 1000),
    "LOANOFFICE_RECONCILE_SECONDS": (1, DAY),
    "LOANOFFICE_SEAL_DAYS": (1, 36_500),
    "LOANOFFICE_SEAL_SECONDS": (1, DAY),
    "LOANOFFICE_SESSION_HOURS": (1, 168),
    "LOANOFFICE_SESSION_IDLE_MINUTES": (1, 24 * 60),
    "LOANOFFICE_SIMULATED_LATENCY": (0, 100),
    "LOANOFFICE_STEP_ATTEMPTS": (1, 100),
    "LOANOFFICE_STEP_UP_MINUTES": (1, 24 * 60),
    "LOANOFFICE_TRUSTED_PROXIES": (0, 10),
    "LOANOFFICE_WEBHOOK_DAYS": (1, 3650),
    "PORT": (1, 65_535),
}
ENGINES = ("django.db.backends.postgresql", "django.db.backends.sqlite3")
WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on", "y", "ok"), True),
    **dict.fromkeys(("0", "false", "no", "off", "n", ""), False),
}
MOST_SHOWN = 40  # characters of a value that is refused


class Environment:
    """The environment. Each method but ``env(name)`` and ``list`` checks the value.

    All raise ``ImproperlyConfigured``, which names the variable.
    """

    def __init__(self) -> None:
        self._env = environ.Env()
        self.ENVIRON: MutableMapping[str, str] = self._env.ENVIRON

    def __call__(self, name: str, **default: str) -> str:
        """Return a variable as it is; without ``default`` it has to be there."""
        return str(self._env(name, **default))

    def list(self, name: str, *, default: list[str]) -> list[str]:
        """Return what stands between commas."""
        found: list[str] = self._env.list(name, default=default)
        return found

    def whole(self, name: str, *, default: int) -> int:
        """Return a whole number within its range."""
        text = self._text(name, default)
        if not WHOLE.fullmatch(text) or not _is_within(name, int(text)):
            raise _refused(name, text, f"a whole number from {_range(name)}")
        return int(text)

    def span(self, name: str, *, default: int) -> timedelta:
        """Return the time of a whole number within its range; the name ends with the unit."""
        unit = name.rpartition("_")[2].lower()
        return timedelta(**{unit: self.whole(name, default=default)})

    def number(self, name: str, *, default: float) -> float:
        """Return a number within its range."""
        text = self._text(name, default)
        if not NUMBER.fullmatch(text) or not _is_within(name, float(text)):
            raise _refused(name, text, f"a number from {_range(name)}")
        return float(text)

    def truth(self, name: str, *, default: bool) -> bool:
        """Return whether a variable says yes."""
        text = self._text(name, default)
        if text.lower() not in WORDS:
            raise _refused(name, text, "true or false")
        return WORDS[text.lower()]

    def rate(self, name: str, *, default: str) -> str:
        """Return how often somebody may call, as in 600/min; empty: as often as they like."""
        text = self._text(name, default)
        try:
            Rate.read(text)
        except ValueError as error:
            raise _refused(name, text, f"a rate. {error}") from error
        return text

    def site(self, name: str, *, default: str) -> str:
        """Return the address of a site without a slash at its end; empty where there is none."""
        text = self._text(name, default).rstrip("/")
        parts = urlsplit(text)
        if text and (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or re.search(r"\s", text)
        ):
            raise _refused(name, text, "an address, as https://loans.example.com")
        return text

    def one_of(self, name: str, *words: str, default: str) -> str:
        """Return one of these words."""
        text = self._text(name, default)
        if text not in words:
            raise _refused(name, text, f"one of {', '.join(words)}")
        return text

    def log_level(self, name: str, *, default: str) -> str:
        """Return the name of a level of Python's logging."""
        return self.one_of(name, *logging.getLevelNamesMapping(), default=default)

    def zone(self, name: str, *, default: str) -> str:
        """Return the name of a time zone."""
        text = self._text(name, default)
        try:
            return ZoneInfo(text).key
        except (KeyError, OSError, ValueError) as error:
            raise _refused(name, text, "a time zone, as America/Toronto") from error

    def database(self, name: str, *, default: str) -> dict[str, Any]:
        """Return Django's settings of a database, of its URL. The URL is never shown."""
        text = self._text(name, default) or default
        scheme, found, _ = text.partition("://")
        config: dict[str, Any] = {}
        if found and self._env.DB_SCHEMES.get(scheme) in ENGINES:
            with suppress(ValueError):
                config = self._env.db_url_config(text)
        if not config.get("NAME"):
            raise ImproperlyConfigured(
                f"{name} has to be the URL of a PostgreSQL or an SQLite database."
            )
        return config

    def _text(self, name: str, default: object) -> str:
        return self(name, default=str(default)).strip()


def _is_within(name: str, value: float) -> bool:
    least, most = RANGES[name]
    return least <= value <= most


def _range(name: str) -> str:
    return "{:,} to {:,}".format(*RANGES[name])


def _refused(name: str, text: str, wanted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} has to be {wanted}; it is {text[:MOST_SHOWN]!r}.")
