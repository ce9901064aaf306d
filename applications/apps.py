from django.apps import AppConfig

# What becomes known of a payout after it was asked for, and how often it was.
MAY_CHANGE = ("status", "rail_reference", "funded_at", "orders")


class ApplicationsConfig(AppConfig):
    name = "applications"
    verbose_name = "Applications"

    def ready(self) -> None:
        from applications.models import ApplicationEvent, ApplicationNote, Disbursement
        from applications.search import references_by_name
        from audit.sealed_tables import SealedTable, register
        from audit.selectors import REFERENCES_BY_NAME

        register(SealedTable(ApplicationEvent))
        register(SealedTable(ApplicationNote))
        register(SealedTable(Disbursement, may_change=MAY_CHANGE))
        REFERENCES_BY_NAME.append(references_by_name)
