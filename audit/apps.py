from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from audit import checks, database_login  # noqa: F401, PLC0415
        from audit.models import AuditEntry  # noqa: PLC0415
        from audit.sealed_tables import SealedTable, register  # noqa: PLC0415

        register(SealedTable(AuditEntry))
        connection_created.connect(database_login.refuse_owner)
