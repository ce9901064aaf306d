"""A payout rail over HTTP: a bank that books a key once, and misbehaves when it is told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from tests.hard_cases.loopback import Loopback, Reply


class Rail:
    """``books``: what was paid, by key; ``payments``: each request to pay; ``pays``: its answer.

    ``blocks_at``: where a request stands still until ``go_on``: as it is ``asked`` what it
    knows, as it is ``paying``, or when it has ``paid`` and not said so.
    """

    def __init__(self) -> None:
        self.url = ""
        self.books: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}  # of payments that are not settled
        self.payments: list[str] = []
        self.lookups: list[str] = []
        self.pays: Callable[[str], Reply] = self.booked
        self.knows = True  # whether it answers what it knows
        self.blocks_at = ""
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.went_on = threading.Event()

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Reply:
        """The wire of ``workflows.providers.http``."""
        if method == "GET":
            key = path.rpartition("/")[2]
            self.lookups.append(key)
            self._block("asked")
            if not self.knows:
                return HTTPStatus.SERVICE_UNAVAILABLE, {}, {}
            return self._receipt(key) if key in self.books else self._unheard_of
        key = headers["Idempotency-Key"]
        self.payments.append(key)
        self._block("paying")
        if self.pays in {self.booked, self.lost, self.gone}:
            assert self.books.setdefault(key, body) == body
            self._block("paid")
        return self.pays(key)

    def booked(self, key: str) -> Reply:
        """It pays and says so."""
        return self._receipt(key)

    def lost(self, key: str) -> Reply:  # noqa: ARG002 - one shape for all
        """It pays, and the answer is lost."""
        return None

    def gone(self, key: str) -> Reply:  # noqa: ARG002
        """It pays, and is out of reach from then on."""
        self.knows = False
        return None

    def failed(self, key: str) -> Reply:  # noqa: ARG002
        """It pays nothing, and nobody can know that."""
        return HTTPStatus.INTERNAL_SERVER_ERROR, {}, {}

    def silent(self, key: str) -> Reply:  # noqa: ARG002
        """As ``failed``, without a word."""
        return None

    def refused(self, key: str) -> Reply:  # noqa: ARG002
        """It says no."""
        return HTTPStatus.UNPROCESSABLE_ENTITY, {}, {"status": "refused", "reason": "No account."}

    _unheard_of: Reply = (HTTPStatus.NOT_FOUND, {}, {"status": "not_found"})

    def _receipt(self, key: str) -> Reply:
        return HTTPStatus.OK, {}, {"id": f"RAIL-{key}", "status": self.states.get(key, "settled")}

    def _block(self, at: str) -> None:
        if at == self.blocks_at:
            self.reached.set()
            assert self.go_on.wait(60)
            self.went_on.set()


@contextmanager
def http_rail() -> Iterator[Rail]:
    """A rail that answers until the block ends."""
    rail = Rail()
    with Loopback(rail.answer) as server:
        rail.url = server.url
        yield rail
        rail.go_on.set()
