"""The codes that an authenticator app shows."""

import time

from django_otp.oath import TOTP

from accounts.models import SecondFactor


def code_of(device: SecondFactor) -> str:
    """Return the code that the person's app shows now."""
    totp = TOTP(device.bin_key)
    totp.time = time.time()
    return f"{totp.token():06}"
