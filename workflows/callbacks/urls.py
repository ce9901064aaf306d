"""URLs for answers of outside services: one for each pending callback."""

from django.urls import URLPattern, path, re_path

from workflows.callbacks.views import CallbackView

app_name = "callbacks"
urlpatterns: list[URLPattern] = [
    path("<str:token>/", CallbackView.as_view(), name="answer"),
    # Any other path is unknown as well, and gets the same answer as an unknown token.
    re_path(r"", CallbackView.as_view(), {"token": ""}),
]
