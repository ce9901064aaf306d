"""URLs for answers of outside services: one address a pending callback, and nothing else."""

from django.urls import URLPattern, path, re_path

from workflows.callbacks.views import CallbackView

app_name = "callbacks"
urlpatterns: list[URLPattern] = [
    path("<str:token>/", CallbackView.as_view(), name="answer"),
    # Whatever else is no address either, and is told so in the same words.
    re_path(r"", CallbackView.as_view(), {"token": ""}),
]
