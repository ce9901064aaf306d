"""Add the headers that Django's own middleware does not: for every response of the web function."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control

from core.kept_for_back import KEPT_FOR_BACK, is_kept_for_back

# No page uses a sensor, a payment or another device: what is not named here has no such switch.
DENIED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-create",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in DENIED_FEATURES)


class SecurityHeadersMiddleware:
    """Set Permissions-Policy, Cross-Origin-Resource-Policy and Cache-Control.

    Nothing may be stored by a browser or a proxy, because almost every response has personal data.
    The exception are empty forms, which the Back button has to show as they were.
    Static files do not pass here: WhiteNoise or their bucket serves them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if is_kept_for_back(response):
            response.headers["Cache-Control"] = KEPT_FOR_BACK
        else:
            patch_cache_control(response, no_store=True)
        return response
