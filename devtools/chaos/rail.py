"""Serve a payout rail that says 409, 408 or garbage at random, or says nothing, and pays late.

It runs in the process of the run, which is not killed, and has a book of its own. It pays a key
once, and everything that it is asked for, whatever it answers.
"""

import json
import threading
from collections import Counter
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import unquote

from devtools.chaos.snapshot import Payout

# Status and body of an answer to an order that does not say what it did; ``None`` hangs up.
ANSWERS: tuple[tuple[int, bytes] | None, ...] = (
    (409, b'{"status": "in_progress"}'),
    (408, b"{}"),
    (425, b"{}"),
    (429, b'{"status": "try_later"}'),
    (503, b"<html>Bad gateway</html>"),
    (200, b"{"),
    (202, b'{"status": "pending"}'),
    (404, b'{"detail": "Not found"}'),
    None,
)
SETTLES = 10  # of so many answers more that are the truth
LONGEST_DELAY = 3.0  # seconds before it pays, or answers


class CarelessRail:
    """``book``: what it paid, by key. ``answered``: how often it gave each status."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed
        self.book: dict[str, Payout] = {}
        self.answered: Counter[int] = Counter()
        self._ordered: dict[str, Payout] = {}
        self._asked: Counter[str] = Counter()
        self._timers: list[threading.Timer] = []
        self._lock = threading.Lock()
        rail = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                order = json.loads(self.rfile.read(size))
                self._say(rail.ordered(self.headers["Idempotency-Key"], order))

            def do_GET(self) -> None:
                self._say(rail.asked(unquote(self.path.rpartition("/")[2])))

            def _say(self, answer: tuple[int, bytes] | None) -> None:
                if answer is None:
                    self.close_connection = True
                    return
                status, body = answer
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # whoever asked was killed meanwhile
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop answering. What it was asked for before is paid all the same."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        with self._lock:
            for timer in self._timers:
                timer.cancel()
            for booking in self._ordered.values():
                self.book.setdefault(booking.key, booking)

    def ordered(self, key: str, order: dict[str, Any]) -> tuple[int, bytes] | None:
        """Take an order: pay it at once or late, and answer whatever comes to mind."""
        booking = Payout(key, order["reference"], Decimal(order["amount"]), order["currency"])
        with self._lock:
            self._asked[key] += 1
            mood = Random(f"{self.seed}/{key}/{self._asked[key]}")
            known = self._ordered.setdefault(key, booking)
        if known != booking:
            return self._count((422, b'{"status": "refused", "reason": "Another amount."}'))
        number = mood.randrange(len(ANSWERS) + SETTLES)
        late = mood.choice((0.0, mood.uniform(0, LONGEST_DELAY)))
        if number >= len(ANSWERS):
            threading.Event().wait(late)  # the answer is late
            self._pay(booking)
            return self._count((200, _receipt(booking, "settled")))
        if late:
            timer = threading.Timer(late, self._pay, [booking])
            timer.daemon = True
            timer.start()
            with self._lock:
                self._timers.append(timer)
        else:
            self._pay(booking)
        return self._count(ANSWERS[number])

    def asked(self, key: str) -> tuple[int, bytes] | None:
        """Say what became of an order, or now and then nothing that one could read."""
        with self._lock:
            self._asked[f"find {key}"] += 1
            mood = Random(f"{self.seed}/find {key}/{self._asked[f'find {key}']}")
            known, paid = self._ordered.get(key), key in self.book
        if mood.random() < 0.1:
            return self._count(mood.choice(((503, b"<html>"), (429, b"{}"), (404, b""), None)))
        if known is None:
            return self._count((404, b'{"status": "not_found"}'))
        return self._count((200, _receipt(known, "settled" if paid else "pending")))

    def _pay(self, booking: Payout) -> None:
        with self._lock:
            self.book.setdefault(booking.key, booking)

    def _count(self, answer: tuple[int, bytes] | None) -> tuple[int, bytes] | None:
        with self._lock:
            self.answered[0 if answer is None else answer[0]] += 1
        return answer


def _receipt(booking: Payout, status: str) -> bytes:
    return json.dumps({"id": f"PAY-{booking.order}", "status": status}).encode()
