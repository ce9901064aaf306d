from datetime import timedelta

from django.apps import AppConfig, apps


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from webhooks import receivers

        # The functions only queue webhooks; whoever sweeps sends them.
        if apps.is_installed("accounts"):
            from webhooks import delivery, retention
            from workflows import sweep
            from workflows.models import OutboxMessage
            from workflows.outbox import queue

            queue.HANDLERS[OutboxMessage.Kind.WEBHOOK] = delivery.HANDLER
            sweep.register("forget_webhooks", timedelta(minutes=1), retention.forget)
