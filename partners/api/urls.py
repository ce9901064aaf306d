"""URLs of the OpenAPI document, its page, and the catch-all of the API."""

from django.urls import URLPattern, path, re_path

from partners.api import base, docs_page, schema_view

app_name = "partner_api"
urlpatterns: list[URLPattern] = [
    path("schema/", schema_view.SchemaView.as_view(), name="schema"),
    path("docs/", docs_page.reference_view, name="docs"),
    re_path(r"", base.NothingHereView.as_view()),
]
