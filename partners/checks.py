"""System checks of settings that otherwise only a request would find wrong."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from partners.throttling import Rate

RATES = ("LOANOFFICE_PARTNER_RATE", "LOANOFFICE_BAD_KEY_RATE")


@register
def rates_can_be_read(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in RATES:
        try:
            Rate.read(getattr(settings, name))
        except ValueError as error:
            found.append(Error(f"{name} is no rate.", hint=str(error), id="applications.E001"))
    return found
