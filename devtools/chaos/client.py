"""HTTP client that repeats a request until it has a conclusive answer.

Only the standard of the API is relied on: a lost answer, 5xx, 429 and "try again" are
repeated, with a growing pause; everything else is an answer.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds
LONGEST_WAIT_ASKED = 30.0  # the longest Retry-After that is obeyed, in seconds
PROBLEMS = "/problems/"
TRY_AGAIN = frozenset({f"{PROBLEMS}try-again", f"{PROBLEMS}idempotency-key-in-flight"})
# A form's hidden field: what a browser sends back with a login.
FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class GaveUp(Exception):
    """No answer came before the run ended. ``summary`` describes the last failure."""

    def __init__(self, summary: str) -> None:
        self.summary = summary
        super().__init__(summary)


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    lost: int = 0  # answers that were lost before this one

    @property
    def problem(self) -> str:
        return str(self.body.get("type", ""))

    @property
    def summary(self) -> str:
        code, detail = self.problem.removeprefix(PROBLEMS), self.body.get("detail", "")
        return " ".join(str(part) for part in (self.status, code, detail) if part)


def is_inconclusive(answer: Answer) -> bool:
    """Return true when the request may or may not have been done, or is to be repeated."""
    return answer.status >= 500 or answer.status == 429 or answer.problem in TRY_AGAIN


class Client:
    """One caller with one connection and its cookies; used by one thread."""

    def __init__(self, base: str, *, over: threading.Event, lost: Callable[[], None]) -> None:
        """``over``: the run has ended, give up. ``lost`` is called for each lost answer."""
        self.pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=3, read=20), retries=False, maxsize=1
        )
        self.base = base
        self.over = over
        self.lost = lost
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Repeat a request until its answer is conclusive. Raises ``GaveUp``."""
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self._ask_until_answered(method, path, content, {**kind, **(headers or {})})

    def log_in(self, username: str, password: str) -> None:
        """Sign in through the login form. Raises ``GaveUp``, and ``PermissionError`` if refused."""
        page = self._ask_until_answered("GET", "/admin/login/", None, {})
        found = FORM_TOKEN.search(page.text)
        form = {
            "csrfmiddlewaretoken": found[1] if found else "",
            "username": username,
            "password": password,
        }
        answer = self._ask_until_answered(
            "POST",
            "/admin/login/",
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        if answer.status != 302 or "sessionid" not in self.cookies:
            raise PermissionError(f"{username} could not log in: {answer.summary}")

    def close(self) -> None:
        self.pool.clear()

    def _ask_until_answered(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Answer:
        pause, lost = FIRST_PAUSE, 0
        while True:
            try:
                answer = self._request(method, path, content, headers)
            except HTTPError as error:
                summary, wait = f"{type(error).__name__}: {error}", pause
                lost += 1
                self.lost()
            else:
                if not is_inconclusive(answer):
                    return Answer(answer.status, answer.body, answer.headers, answer.text, lost)
                summary, wait = answer.summary, max(pause, _retry_after(answer))
                lost += answer.status >= 500
            if self.over.wait(wait):
                raise GaveUp(summary)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _request(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Answer:
        address = urlsplit(path)
        target = self.base + (f"{address.path}?{address.query}" if address.query else address.path)
        sent = dict(headers)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            sent["X-CSRFToken"] = self.cookies.get("csrftoken", "")
        response = self.pool.request(method, target, body=content, headers=sent, redirect=False)
        for line in response.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        text = response.data.decode(errors="replace")
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        body = found if isinstance(found, dict) else {}
        return Answer(response.status, body, dict(response.headers), text)


def _retry_after(answer: Answer) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT_ASKED) if asked.isdigit() else 0.0


def elapsed(since: float) -> float:
    """Return the seconds since a moment of the monotonic clock."""
    return time.monotonic() - since
