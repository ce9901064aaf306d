import logging

from django.apps import AppConfig
from django.conf import settings

logger = logging.getLogger(__name__)


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        if settings.LOANOFFICE_TRACES:
            try:
                from core.traces import provider
            except ImportError:  # the office works without traces
                logger.exception("No traces: OpenTelemetry is not there")
                return
            provider.start(settings.LOANOFFICE_TRACES, file=settings.LOANOFFICE_TRACES_FILE)
