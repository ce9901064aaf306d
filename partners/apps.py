from django.apps import AppConfig, apps


class PartnersConfig(AppConfig):
    name = "partners"
    verbose_name = "Partners"

    def ready(self) -> None:
        from partners import checks  # noqa: F401, PLC0415 - they register themselves

        if apps.is_installed("accounts"):
            from partners import proposals  # noqa: F401, PLC0415
