"""URLs of applications in the partner API. Public: add to them, never change them."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from applications.api import documents, views
from applications.models import LoanApplication
from partners.api.problems import register_not_found


class ReferenceConverter(StringConverter):
    """Path converter of an application's reference; any other text is not found."""

    regex = r"[A-Za-z0-9-]{1,20}"


class TokenConverter(StringConverter):
    """Path converter of the signed token of a document link."""

    regex = r"[A-Za-z0-9._~-]{1,200}"


register_converter(ReferenceConverter, "reference")
register_converter(TokenConverter, "token")
register_not_found(LoanApplication.DoesNotExist, "There is no application with this reference.")

app_name = "api"
urlpatterns: list[URLPattern] = [
    path("applications/", views.ApplicationsView.as_view(), name="applications"),
    path(
        "applications/<reference:reference>/", views.ApplicationView.as_view(), name="application"
    ),
    path("applications/<reference:reference>/events/", views.EventsView.as_view(), name="events"),
    path(
        "applications/<reference:reference>/withdraw/",
        views.WithdrawView.as_view(),
        name="withdraw",
    ),
    path(
        "applications/<reference:reference>/documents/",
        documents.DocumentsView.as_view(),
        name="documents",
    ),
    path("documents/<token:token>/", documents.DocumentFileView.as_view(), name="document"),
]
