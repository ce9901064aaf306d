"""The outside services of the model, behind one HTTP server on loopback.

The engine, the fraud service and the payout rail. While one of them is asked, something
else may happen in the office (``meanwhile``): no transaction is open then, so it must be safe.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from django.conf import LazySettings
from django.db import connections

from tests.hard_cases.loopback import Loopback, Reply
from tests.hard_cases.model.engine import Engine
from workflows import engine as lambda_client

# When something happens: as the fraud check is requested, as the rail is asked what it
# knows, as it is asked to pay, and when it has paid but nobody heard of it yet.
POINTS = ("event", "find", "pay", "paid")
MOODS = ("pays", "refuses", "fails", "loses", "busy")


@dataclass
class Rail:
    """A bank. ``fails`` pays nothing and says 500; ``loses`` pays and says 500 too."""

    mood: str = "pays"
    answers_find: bool = True
    payouts: dict[str, dict[str, Any]] = field(default_factory=dict)


class Outside:
    """State outside the product, and switches for faults."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.rail = Rail()
        self.verdict = "passed"
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self.interruptions: list[BaseException] = []

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Reply:
        """Status, headers and body of the answer to one request."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match (method, *parts):
            case ("POST", "fraud", "checks"):
                return 200, {}, {"result": self.verdict}
            case ("POST", "rail", "payouts"):
                return self._pay(headers["Idempotency-Key"], body)
            case ("GET", "rail", "payouts", key):
                return self._find(key)
        if "fraud-check" in path:
            self._interrupt("event")
        return self.engine.answer(method, path, headers, body)

    def _pay(self, key: str, order: dict[str, Any]) -> Reply:
        self._interrupt("pay")
        if self.rail.mood in {"refuses", "fails", "busy"}:
            said = {"status": "refused", "reason": "No account."}
            return {
                "refuses": (422, {}, said),
                "fails": (500, {}, {}),
                "busy": (429, {}, {}),
            }[self.rail.mood]
        paid = self.rail.payouts.setdefault(key, order)
        assert paid == order, f"{key} was paid as {paid}, now {order} is asked for"
        self._interrupt("paid")
        if self.rail.mood == "loses":
            return 500, {}, {}
        return 201, {}, {"id": f"RAIL-{key}", "status": "settled"}

    def _find(self, key: str) -> Reply:
        self._interrupt("find")
        if not self.rail.answers_find:
            return 500, {}, {}
        if key not in self.rail.payouts:
            return 404, {}, {"status": "not_found"}
        return 200, {}, {"id": f"RAIL-{key}", "status": "settled"}

    def _interrupt(self, point: str) -> None:
        happens = self.meanwhile.pop(point, None)
        if happens is None:
            return
        try:
            happens()
        except BaseException as error:  # noqa: BLE001 - the model raises it again
            self.interruptions.append(error)
        finally:
            connections.close_all()  # this thread's own


class Server:
    """Answers for ``outside``, which may be exchanged for a new one."""

    def __init__(self) -> None:
        self.outside = Outside()

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Reply:
        return self.outside.answer(method, path, headers, body)


@contextmanager
def server(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Iterator[Server]:
    """A server that the product's boto3 and its providers speak to until the block ends."""
    serving = Server()
    with Loopback(serving.answer) as listening:
        url = listening.url
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        settings.LOANOFFICE_PROVIDERS = {
            **settings.LOANOFFICE_PROVIDERS,
            "fraud": {"url": f"{url}/fraud", "token": ""},
            "payout": {"url": f"{url}/rail", "token": ""},
        }
        lambda_client.forget_client()
        try:
            yield serving
        finally:
            lambda_client.forget_client()
