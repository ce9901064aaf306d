from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts and sign-in"

    def ready(self) -> None:
        from accounts import checks, permissions, receivers
        from accounts.proposal_kinds import register
        from accounts.services import access_grants

        permissions.roles_decide()
        register(access_grants.KIND)
        post_migrate.connect(receivers.on_migrated, sender=self)
