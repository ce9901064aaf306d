"""URLs of webhook events in the partner API. Public: added to, never changed.

Included before ``applications.api.urls``, which answers every other path.
"""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from webhooks.api import views


class EventIdConverter(StringConverter):
    """Match ids of webhook events only; any other text is not an address of the API."""

    regex = r"[A-Za-z0-9_]{1,40}"


register_converter(EventIdConverter, "webhook_event")

app_name = "webhook_api"
urlpatterns: list[URLPattern] = [
    path("webhook-events/", views.WebhookEventsView.as_view(), name="events"),
    path(
        "webhook-events/<webhook_event:id>/resend/",
        views.ResendView.as_view(),
        name="resend",
    ),
]
