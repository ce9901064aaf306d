from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class LoanOfficeConfig(AppConfig):
    name = "loanoffice"
    verbose_name = "Loan Office"


class LoanOfficeAdminConfig(AdminConfig):
    default_site = "loanoffice.admin.LoanOfficeAdminSite"

    def ready(self) -> None:
        """Every app has registered its own; logins and roles are shown our way."""
        super().ready()
        from django.contrib import admin  # noqa: PLC0415
        from django.contrib.auth.models import Group, User  # noqa: PLC0415

        from loanoffice.people import RoleAdmin, StaffAdmin  # noqa: PLC0415

        for model, model_admin in ((User, StaffAdmin), (Group, RoleAdmin)):
            admin.site.unregister(model)
            admin.site.register(model, model_admin)
