from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflow"

    def ready(self) -> None:
        from workflows import checks, receivers  # noqa: F401, PLC0415
        from workflows.outbox import handlers  # noqa: F401, PLC0415
