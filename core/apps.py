from django.apps import AppConfig
from django.conf import settings


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        if settings.LOANOFFICE_TRACES:
            from core.traces import provider

            provider.start(settings.LOANOFFICE_TRACES, file=settings.LOANOFFICE_TRACES_FILE)
