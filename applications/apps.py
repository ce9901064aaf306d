from django.apps import AppConfig


class ApplicationsConfig(AppConfig):
    name = "applications"
    verbose_name = "Applications"

    def ready(self) -> None:
        from applications.models import ApplicationEvent, Disbursement
        from audit.sealed_tables import SealedTable, register

        register(SealedTable(ApplicationEvent))
        register(SealedTable(Disbursement, may_change=("status", "rail_reference", "funded_at")))
