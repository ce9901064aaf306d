"""Hard case 9, at full size: one POST sent fifty times at once to a server, under one key.

A process of its own serves it as the demo does, the partner's rate is counted, and fifty
clients with a connection each are let go together.
"""

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.hard_cases.serving import KEY, WebProcess
from tests.hard_cases.test_case_09_partner_retries_a_post import assert_one_application, serve
from tests.partners.api.calls import ALICE, BASE

__all__ = ["serve"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]

AT_ONCE = 50
LIMIT = 600
RATE = f"{LIMIT}/day"  # so slow that none comes back meanwhile
# What is said of one request, and not of what it asked for.
OF_THE_REQUEST = {
    "x-request-id",
    "date",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
}
REPLAYED = "idempotent-replayed"


@dataclass(frozen=True)
class Heard:
    """One answer, as it came over the wire; headers by small letters."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def is_replay(self) -> bool:
        return self.headers.get(REPLAYED) == "true"

    @property
    def lasting(self) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        """Return the parts of a response that must be equal in all of them."""
        kept = {k: v for k, v in self.headers.items() if k not in {*OF_THE_REQUEST, REPLAYED}}
        return self.status, self.body, tuple(sorted(kept.items()))


def send(process: WebProcess, partner_key: str, ready: threading.Barrier) -> Heard:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
    headers = {
        "Authorization": f"Bearer {partner_key}",
        "Content-Type": "application/json",
        **KEY,
    }
    try:
        connection.connect()
        ready.wait(60)
        connection.request("POST", BASE, json.dumps(ALICE).encode(), headers)
        answer = connection.getresponse()
        body = answer.read()
        return Heard(answer.status, body, {k.lower(): v for k, v in answer.getheaders()})
    finally:
        connection.close()


def test_fifty_at_once_make_one_application_and_get_one_answer(
    serve: Callable[..., WebProcess],
    partner_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOANOFFICE_PARTNER_RATE", RATE)
    process = serve()
    ready = threading.Barrier(AT_ONCE)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(send, process, partner_key, ready) for _ in range(AT_ONCE)]
        answers = [answer.result(timeout=120) for answer in waiting]

    application = assert_one_application()
    assert {answer.status for answer in answers} == {201}
    assert len({answer.lasting for answer in answers}) == 1
    assert json.loads(answers[0].body)["reference"] == application.reference
    assert answers[0].headers["location"].endswith(f"{BASE}{application.reference}/")
    assert [answer.is_replay for answer in answers].count(False) == 1
    assert len({answer.headers["x-request-id"] for answer in answers}) == AT_ONCE
    # Each of them was a call, and none was counted twice or lost.
    left = sorted(int(answer.headers["ratelimit-remaining"]) for answer in answers)
    assert left == list(range(LIMIT - AT_ONCE, LIMIT))
