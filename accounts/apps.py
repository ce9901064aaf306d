from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts and sign-in"

    def ready(self) -> None:
        from accounts import checks, permissions, receivers  # noqa: F401, PLC0415
        from accounts.proposal_kinds import register  # noqa: PLC0415
        from accounts.services import access_grants  # noqa: PLC0415

        permissions.roles_decide()
        register(access_grants.KIND)
        post_migrate.connect(receivers.on_migrated, sender=self)
