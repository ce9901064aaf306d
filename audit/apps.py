from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from audit import checks  # noqa: F401, PLC0415
        from audit.models import AuditEntry  # noqa: PLC0415
        from audit.sealed_tables import SealedTable, register  # noqa: PLC0415

        register(SealedTable(AuditEntry))
