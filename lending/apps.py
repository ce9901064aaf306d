from django.apps import AppConfig, apps


class LendingConfig(AppConfig):
    name = "lending"
    verbose_name = "Lending"

    def ready(self) -> None:
        from lending import checks  # noqa: F401, PLC0415

        if apps.is_installed("accounts"):
            from lending import proposals  # noqa: F401, PLC0415
