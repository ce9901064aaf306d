"""Send webhooks beside everything else, so that a slow receiver keeps nobody else waiting."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from core.once import once
from workflows.errors import EndpointGone, WebhookError
from workflows.models import OutboxMessage
from workflows.outbox.claims import claim, due

BESIDE = 16  # webhooks of one process under way at once
FOR_ONE = 4  # of them to one recipient
# Seconds in which others that end are noted with the first: one transaction is for all of them.
TOGETHER = 0.005
# Seconds in which one pass begins webhooks. The longest that one takes is 15 s more: ``sweep`` has
# the sum.
LONGEST_PASS = 8.0

type Prepare = Callable[[Sequence[OutboxMessage]], list[tuple[OutboxMessage, Callable[[], Any]]]]
type Settle = Callable[[Sequence[tuple[OutboxMessage, Future[Any]]]], int]


class WebhookPass:
    """Webhooks of one pass, under way beside everything else.

    Their receivers are strangers, so nobody waits for a slow one but those who wait for the
    same: each has a few places at most, and one that did not answer in time gets nothing more
    in this pass.
    """

    def __init__(self, prepare: Prepare, settle: Settle) -> None:
        self.prepare, self.settle_all = prepare, settle
        self.under_way: dict[Future[Any], OutboxMessage] = {}
        self.resting: set[str] = set()
        self.ends_at = time.monotonic() + LONGEST_PASS

    def begin(self, *, most: int) -> int:
        """Send what is due as far as there is room; returns how many were looked at."""
        looked_at = 0
        while time.monotonic() < self.ends_at:
            room = min(most - looked_at, BESIDE - len(self.under_way))
            chosen = self._choose(room) if room > 0 else []
            rows = OutboxMessage.objects.filter(pk__in=chosen)
            claimed = claim(rows, limit=room) if chosen else []
            if not claimed:
                break
            looked_at += len(claimed)
            for message, send in self.prepare(claimed):
                self.under_way[_pool().submit(send)] = message
        return looked_at

    def settle(self, *, wait_for: float) -> int:
        """Note what ended, the first of it within so many seconds; returns how many left."""
        if wait(self.under_way, wait_for, FIRST_COMPLETED).done:
            wait(self.under_way, TOGETHER)
        done = [future for future in self.under_way if future.done()]
        ended = [(self.under_way.pop(future), future) for future in done]
        for message, future in ended:
            if message.recipient and _is_unanswered(future.exception()):
                self.resting.add(message.recipient)
        return self.settle_all(ended)

    def _choose(self, room: int) -> list[int]:
        """The messages that are due longest, of each recipient as many as it has places for."""
        taken = Counter(message.recipient for message in self.under_way.values())
        full = {who for who, number in taken.items() if number >= FOR_ONE} - {""}
        waiting = due(OutboxMessage.objects.filter(kind=OutboxMessage.Kind.WEBHOOK))
        chosen = []
        for pk, who in (
            waiting.exclude(recipient__in=full | self.resting)
            .order_by("due_at", "id")
            .values_list("pk", "recipient")[:room]
        ):
            if not who or taken[who] < FOR_ONE:
                chosen.append(pk)
                taken[who] += 1
        return chosen


def _is_unanswered(error: BaseException | None) -> bool:
    """Return whether the attempt ended without an answer in its time."""
    return (
        isinstance(error, WebhookError)
        and not isinstance(error, EndpointGone)
        and not error.result.status_code
    )


@once
def _pool() -> ThreadPoolExecutor:
    """Separate pool, so that a slow webhook receiver takes no thread that applications need."""
    return ThreadPoolExecutor(BESIDE, "webhooks")
