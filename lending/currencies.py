"""The currencies that loans can be made in. Pure."""

from django.core.exceptions import ValidationError

# ISO 4217, list one of 2024-06-25: what has two decimals, as every amount here. Without funds,
# metals and codes for testing.
CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
    RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
    TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
    """
CURRENCIES = frozenset(CODES.split())


def known_currency(code: str) -> None:
    """Raise ``ValidationError`` unless ``code`` is a currency that loans can be made in."""
    if code not in CURRENCIES:
        raise ValidationError(
            "Enter the three capital letters of a currency with two decimals, as in CAD.",
            code="unknown_currency",
        )
