"""The webhooks in an application's story: each event, each endpoint, each try and its answer.

Of an endpoint's URL only the host is shown, because the rest may hold a secret, and of an answer
only its status and length, because a receiver may repeat what it likes.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.db.models import Prefetch

from applications.models import LoanApplication
from audit.story import Kind, Line
from webhooks.models import WebhookAttempt, WebhookDelivery


def webhook_lines(application: LoanApplication) -> Iterator[Line]:
    """Yield the deliveries to the application's partner and their tries; two queries."""
    deliveries = (
        WebhookDelivery.objects.filter(event__application=application)
        .select_related("endpoint", "event")
        .prefetch_related(Prefetch("tries", WebhookAttempt.objects.order_by("pk")))
    )
    for delivery in deliveries.order_by("pk"):
        what = f"Webhook {delivery.event.type}"
        to = (
            ("event", delivery.event.public_id),
            ("endpoint", f"{delivery.endpoint_id} ({urlsplit(delivery.endpoint.url).hostname})"),
        )
        status = ("status now", delivery.get_status_display().lower())
        yield Line(delivery.created_at, Kind.WEBHOOK, f"{what}: queued", facts=(*to, status))
        for number, attempt in enumerate(delivery.tries.all(), start=1):
            yield Line(
                at=attempt.at,
                kind=Kind.WEBHOOK,
                what=f"{what}: {_answer(attempt)}",
                facts=(
                    *to,
                    ("try", str(number)),
                    ("took", f"{attempt.took_ms} ms"),
                    *((("error", attempt.error),) if attempt.error else ()),
                ),
            )


def _answer(attempt: WebhookAttempt) -> str:
    if not attempt.status_code:
        return "no answer"
    length = f" ({len(attempt.response)} characters)" if attempt.response else ""
    return f"answered {attempt.status_code}{length}"
