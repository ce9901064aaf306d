"""Pages about one's own account; the admin's site is around them."""

from django.contrib import admin
from django.urls import path

from accounts import views

app_name = "account"
urlpatterns = [
    path("", admin.site.admin_view(views.home), name="home"),
    path("code/", admin.site.admin_view(views.code), name="code"),
    path("again/", admin.site.admin_view(views.again), name="again"),
    path("sessions/end/", admin.site.admin_view(views.end_sessions), name="end_sessions"),
    path("second-factor/", admin.site.admin_view(views.enrol), name="enrol"),
    path("second-factor/qr.svg", admin.site.admin_view(views.qr), name="qr"),
    path("second-factor/codes/", admin.site.admin_view(views.renew), name="renew"),
    path("second-factor/remove/", admin.site.admin_view(views.remove), name="remove"),
    # For who cannot sign in yet.
    path("invitation/", views.invitation, name="invitation"),
    path("invitation/<int:pk>/<str:token>/", views.invitation_link, name="invitation_link"),
]
