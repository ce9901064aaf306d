from django.apps import AppConfig, apps


class LendingConfig(AppConfig):
    name = "lending"
    verbose_name = "Lending"

    def ready(self) -> None:
        from audit.sealed_tables import Parts, SealedTable, register  # noqa: PLC0415
        from lending import checks  # noqa: F401, PLC0415
        from lending.models import LendingPolicy, PolicyAuthority, PolicyTier  # noqa: PLC0415

        register(
            SealedTable(
                LendingPolicy,
                closed_by="published_at",
                parts=(Parts(PolicyTier, "policy_id"), Parts(PolicyAuthority, "policy_id")),
            )
        )

        if apps.is_installed("accounts"):
            from lending import proposals  # noqa: F401, PLC0415
