"""URLs of decisions and offers in the partner API. Public: add to them, never change them.

Include them after ``applications.api.urls``, which registers the converter of a reference.
"""

from django.urls import URLPattern, path

from reviews.api import views

app_name = "review_api"
urlpatterns: list[URLPattern] = [
    path(
        "applications/<reference:reference>/decision/",
        views.DecisionView.as_view(),
        name="decision",
    ),
    path(
        "applications/<reference:reference>/offer/accept/",
        views.OfferAcceptView.as_view(),
        name="offer-accept",
    ),
    path(
        "applications/<reference:reference>/offer/decline/",
        views.OfferDeclineView.as_view(),
        name="offer-decline",
    ),
]
