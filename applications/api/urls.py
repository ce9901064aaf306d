"""The paths of the partner API, version 1. Public: added to, never changed."""

from django.urls import URLPattern, path, re_path, register_converter
from django.urls.converters import StringConverter

from applications.api import documents, views
from partners.api import base, docs_page, schema_view
from reviews.api import views as review_views


class ReferenceConverter(StringConverter):
    """What a reference may look like; any other text is simply no address."""

    regex = r"[A-Za-z0-9-]{1,20}"


class TokenConverter(StringConverter):
    """What the signed part of a link to a document may look like."""

    regex = r"[A-Za-z0-9._~-]{1,200}"


register_converter(ReferenceConverter, "reference")
register_converter(TokenConverter, "token")

app_name = "api"
urlpatterns: list[URLPattern] = [
    path("schema/", schema_view.SchemaView.as_view(), name="schema"),
    path("docs/", docs_page.reference_view, name="docs"),
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
        "applications/<reference:reference>/decision/",
        review_views.DecisionView.as_view(),
        name="decision",
    ),
    path(
        "applications/<reference:reference>/documents/",
        documents.DocumentsView.as_view(),
        name="documents",
    ),
    path("documents/<token:token>/", documents.DocumentFileView.as_view(), name="document"),
    path(
        "applications/<reference:reference>/offer/accept/",
        review_views.OfferAcceptView.as_view(),
        name="offer-accept",
    ),
    path(
        "applications/<reference:reference>/offer/decline/",
        review_views.OfferDeclineView.as_view(),
        name="offer-decline",
    ),
    re_path(r"", base.NothingHereView.as_view()),
]
