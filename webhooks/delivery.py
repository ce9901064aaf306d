"""Deliver webhooks: signed as Standard Webhooks says, to a pinned address, in bounded time.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import urllib3
from django.db.models import F
from django.utils import timezone
from standardwebhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from core import metrics
from core.traces import spans
from webhooks.endpoints import endpoint_disable
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from webhooks.url_safety import AddressRefusedError, Target, target_of
from workflows.errors import DeliveryResult, EndpointGone, WebhookError
from workflows.models import OutboxMessage
from workflows.outbox.queue import Handler, Send

CONNECT = 5.0  # seconds
ANSWER = 10.0  # seconds from the first byte that we send to the last that we read
MOST_READ = 64 * 1024  # bytes of an answer that are read; an acknowledgement needs no more
MOST_KEPT = 2000  # characters
USER_AGENT = "LoanOffice-Webhooks/1"
# The specification's own schedule: about three days.
SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
# While a receiver is down, the messages behind it are tried less often, but not given up at once.
LONGEST = timedelta(days=4)
GONE = 410


@dataclass(frozen=True)
class Outgoing:
    """The request as plain values, for a thread that may not touch the database."""

    url: str
    public_id: str
    body: str
    secrets: tuple[str, ...]


def delay(attempts: int) -> timedelta:
    """Return the seconds until the next attempt, with up to a tenth added as jitter."""
    planned = SCHEDULE[min(attempts, len(SCHEDULE)) - 1]
    return planned * random.uniform(1, 1.1)


def prepare(message: OutboxMessage) -> Send:
    """Prepare the request; nothing when the endpoint was disabled or deleted meanwhile."""
    return prepare_all([message])[0]


def prepare_all(messages: Sequence[OutboxMessage]) -> list[Send]:
    """Prepare the requests of many, as ``prepare`` does, in one query."""
    keys = [message.payload["delivery"] for message in messages]
    rows = WebhookDelivery.objects.select_related("event", "endpoint").in_bulk(keys)
    return [_prepared(message, rows.get(message.payload["delivery"])) for message in messages]


def _prepared(message: OutboxMessage, delivery: WebhookDelivery | None) -> Send:
    if delivery is None or delivery.endpoint.status != WebhookEndpoint.Status.ACTIVE:
        return partial(refuse, "the endpoint is disabled")
    endpoint = delivery.endpoint
    if message.attempts > 1 and message.created_at < timezone.now() - LONGEST:
        return partial(refuse, f"nobody took it for {LONGEST.days} days")
    secrets = [endpoint.secret]
    if endpoint.previous_until is not None and endpoint.previous_until > timezone.now():
        secrets.append(endpoint.previous_secret)
    return partial(
        send,
        Outgoing(
            url=endpoint.url,
            public_id=delivery.event.public_id,
            body=delivery.event.payload,
            secrets=tuple(secrets),
        ),
    )


def refuse(why: str) -> DeliveryResult:
    raise EndpointGone(DeliveryResult(error=why))


def send(outgoing: Outgoing) -> DeliveryResult:
    """POST once. Raises ``WebhookError`` unless the answer is 2xx, ``EndpointGone`` for 410."""
    headers = headers_of(outgoing, at=datetime.now(UTC))
    began = time.monotonic()
    address = ""
    try:
        target = target_of(outgoing.url)
        address = target.address
        status, text = _post(target, outgoing.body.encode(), headers)
    except (AddressRefusedError, HTTPError, OSError) as error:
        took = round((time.monotonic() - began) * 1000)
        failure = f"{type(error).__name__}: {error}"[:500]
        result = DeliveryResult(error=failure, address=address, took_ms=took, headers=headers)
        raise WebhookError(result) from error
    result = DeliveryResult(
        status_code=status,
        response=text,
        address=address,
        took_ms=round((time.monotonic() - began) * 1000),
        headers=headers,
    )
    spans.note(status=status)
    if status == GONE:
        raise EndpointGone(result)
    if not 200 <= status < 300:
        raise WebhookError(result)
    return result


def headers_of(outgoing: Outgoing, *, at: datetime) -> dict[str, str]:
    """Return the headers of one attempt: its time, and a signature for each live secret."""
    signatures = (
        Webhook(secret).sign(outgoing.public_id, at, outgoing.body) for secret in outgoing.secrets
    )
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": outgoing.public_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _post(target: Target, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """The status and the beginning of the answer. Redirects are answers like any other."""
    connection: HTTPConnection
    if target.is_secure:
        connection = HTTPSConnection(
            target.address,
            target.port,
            timeout=CONNECT,
            server_hostname=target.host,
            cert_reqs="CERT_REQUIRED",
        )
    else:
        connection = HTTPConnection(target.address, target.port, timeout=CONNECT)
    with _ended_after(ANSWER, connection):
        try:
            connection.request(
                "POST",
                target.path,
                body=body,
                headers={**headers, "host": target.host_header},
                preload_content=False,
                decode_content=False,
            )
            answer = connection.getresponse()
            data = answer.read(MOST_READ, decode_content=False)
        finally:
            connection.close()
    text = data[:MOST_READ].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return answer.status, text[:MOST_KEPT]


class _ended_after:  # noqa: N801 - reads as what it does
    """Close the connection after so many seconds, however slowly the other side sends.

    A socket's timeout counts each read anew; this one counts all of them together.
    """

    def __init__(self, seconds: float, connection: HTTPConnection) -> None:
        self.connection = connection
        self.timer = threading.Timer(seconds, self._cut)
        self.timer.daemon = True
        self.was_cut = False

    def _cut(self) -> None:
        self.was_cut = True
        line = self.connection.sock
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed by the other side a moment before

    def __enter__(self) -> None:
        self.connection.connect()
        if self.connection.sock is not None:
            self.connection.sock.settimeout(ANSWER)
        self.timer.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.timer.cancel()
        if self.was_cut:
            raise urllib3.exceptions.TimeoutError(f"no whole answer within {ANSWER:g} s")


# --- Records of attempts --------------------------------------------------------------------


def accepted(message: OutboxMessage, future: "Future[Any]") -> None:
    """Record a 2xx answer; raise what the attempt raised otherwise."""
    accepted_all([(message, future.result())])


def accepted_all(answered: Sequence[tuple[OutboxMessage, DeliveryResult]]) -> None:
    """Record 2xx answers in as few statements as there are different ones."""
    now = timezone.now()
    _note_all(answered, at=now, accepted=True)
    rounds: dict[int, list[int]] = defaultdict(list)
    for message, _ in answered:
        rounds[message.payload["round"]].append(message.payload["delivery"])
    for number, keys in sorted(rounds.items()):
        WebhookDelivery.objects.filter(pk__in=keys, round=number).update(
            status=WebhookDelivery.Status.DELIVERED, delivered_at=now
        )


def failed(message: OutboxMessage, error: Exception, /, *, final: bool) -> None:
    """Record an attempt that was not accepted; the last one fails the delivery."""
    result = (
        error.result if isinstance(error, WebhookError) else DeliveryResult(error=repr(error)[:500])
    )
    _note_all([(message, result)], at=timezone.now(), accepted=False)
    rows = WebhookDelivery.objects.filter(
        pk=message.payload["delivery"], round=message.payload["round"]
    )
    if final:
        rows.update(status=WebhookDelivery.Status.FAILED)
    if isinstance(error, EndpointGone) and error.result.status_code == GONE:
        delivery = WebhookDelivery.objects.get(pk=message.payload["delivery"])
        endpoint_disable(endpoint=delivery.endpoint, why="It answered 410 (gone).")


def _note_all(
    answered: Sequence[tuple[OutboxMessage, DeliveryResult]], *, at: datetime, accepted: bool
) -> None:
    # A delivery that was sent again by hand may be among them twice, once for each round.
    codes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for message, result in answered:
        codes[result.status_code, message.payload["round"]].append(message.payload["delivery"])
    for (code, _), keys in sorted(codes.items()):
        WebhookDelivery.objects.filter(pk__in=keys).update(
            attempts=F("attempts") + 1, last_attempt_at=at, last_status_code=code
        )
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery_id=message.payload["delivery"],
            at=at,
            address=result.address,
            request_headers=result.headers,
            status_code=result.status_code,
            response=result.response,
            error=result.error,
            took_ms=result.took_ms,
        )
        for message, result in answered
    )
    for _, result in answered:
        counted: dict[metrics.Metric, float] = {} if accepted else {metrics.WEBHOOK_FAILURES: 1}
        if result.headers:  # it was sent
            counted[metrics.WEBHOOK_LATENCY] = result.took_ms
        metrics.record(counted)


HANDLER = Handler(
    prepare,
    accepted,
    prepare_all=prepare_all,
    settle_all=accepted_all,
    failed=failed,
    tries=len(SCHEDULE) + 1,
    delay=delay,
)
