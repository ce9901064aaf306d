from django.apps import AppConfig, apps


class PartnersConfig(AppConfig):
    name = "partners"
    verbose_name = "Partners"

    def ready(self) -> None:
        from partners import checks

        if apps.is_installed("accounts"):
            from partners import proposals
