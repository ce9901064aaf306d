"""URLs of the admin, the partner API, callbacks of outside services, and health."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from loanoffice import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/account/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("applications.api.urls")),
    path("api/v1/", include("reviews.api.urls")),
    path("api/v1/", include("webhooks.api.urls")),
    # The last: it answers every other path.
    path("api/v1/", include("partners.api.urls")),
    path("callbacks/", include("workflows.callbacks.urls")),
    path("health/live/", health.live),
    path("health/ready/", health.ready),
]

# Errors before or around a view: a problem under the API, a page elsewhere.
handler400 = "partners.api.problems.bad_request"
handler500 = "partners.api.problems.server_error"
