from datetime import timedelta

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from webhooks import delivery, receivers, retention  # noqa: F401, PLC0415
        from workflows import sweep  # noqa: PLC0415
        from workflows.models import OutboxMessage  # noqa: PLC0415
        from workflows.outbox import queue  # noqa: PLC0415

        queue.HANDLERS[OutboxMessage.Kind.WEBHOOK] = delivery.HANDLER
        sweep.register("forget_webhooks", timedelta(minutes=1), retention.forget)
