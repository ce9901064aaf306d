from django.apps import AppConfig, apps


class LendingConfig(AppConfig):
    name = "lending"
    verbose_name = "Lending"

    def ready(self) -> None:
        from audit.sealed_tables import Parts, SealedTable, register
        from lending import checks
        from lending.models import LendingPolicy, PolicyAuthority, PolicyTier

        register(
            SealedTable(
                LendingPolicy,
                closed_by="published_at",
                parts=(Parts(PolicyTier, "policy_id"), Parts(PolicyAuthority, "policy_id")),
            )
        )

        if apps.is_installed("accounts"):
            from lending import proposals
