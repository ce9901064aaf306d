from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig


class LoanOfficeConfig(AppConfig):
    name = "loanoffice"
    verbose_name = "Loan Office"

    def ready(self) -> None:
        apps.get_app_config("auth").verbose_name = "People and roles"


class LoanOfficeAdminConfig(AdminConfig):
    default_site = "loanoffice.admin.LoanOfficeAdminSite"

    def ready(self) -> None:
        super().ready()
        from core.admin import checks
