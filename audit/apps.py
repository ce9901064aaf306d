from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from audit import checks, database_login
        from audit.models import AuditEntry
        from audit.sealed_tables import SealedTable, register

        register(SealedTable(AuditEntry))
        connection_created.connect(database_login.refuse_owner)
