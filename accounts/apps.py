from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts and sign-in"

    def ready(self) -> None:
        from accounts import checks, receivers  # noqa: F401, PLC0415

        post_migrate.connect(receivers.on_migrated, sender=self)
