"""Recognise a device on which a person signed in before, by a signed cookie; and name devices.

The cookie lets nobody in. It keeps a stranger's failed sign-ins apart from those of the person's
own devices, so that nobody can lock a person out of them.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

COOKIE = "known_device"
SALT = "accounts.known_device"
REMEMBERED = timedelta(days=180)
MOST_PEOPLE = 10  # that one device remembers: the latest

BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(request: HttpRequest, *, person: int | None) -> str:
    """Return the id of a device on which this person signed in before; otherwise empty."""
    cookie = _read(request)
    return str(cookie["device"]) if person in cookie["people"] else ""


def remember_device(request: HttpRequest, response: HttpResponse, *, person: int) -> None:
    """Set the cookie that says that this person signed in here."""
    cookie = _read(request)
    others = [key for key in cookie["people"] if key != person]
    content = {"device": cookie["device"], "people": [*others, person][-MOST_PEOPLE:]}
    response.set_cookie(
        COOKIE,
        signing.dumps(content, salt=SALT),
        max_age=REMEMBERED,
        path=reverse("admin:index"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def device_name(user_agent: str) -> str:
    """Return browser and system in words, as far as a client's own description tells."""
    browser, system = (
        next((name for sign, name in table if sign in user_agent), "")
        for table in (BROWSERS, SYSTEMS)
    )
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Another program"


def _read(request: HttpRequest) -> dict[str, Any]:
    """Return what the cookie says; of a new device when there is none, or it is not ours."""
    try:
        found: dict[str, Any] = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=REMEMBERED
        )
    except signing.BadSignature:
        return {"device": secrets.token_hex(8), "people": []}
    return found
