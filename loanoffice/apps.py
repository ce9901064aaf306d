from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class LoanOfficeConfig(AppConfig):
    name = "loanoffice"
    verbose_name = "Loan Office"


class LoanOfficeAdminConfig(AdminConfig):
    default_site = "loanoffice.admin.LoanOfficeAdminSite"

    def ready(self) -> None:
        super().ready()
        from core.admin import checks
