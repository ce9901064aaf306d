"""Second factors and lockouts: superusers view, reset and lift them; each action is audited."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from accounts.admin.people import SuperusersLook
from accounts.lockouts import HERE
from accounts.models import FailedSignIn, SecondFactor
from accounts.services.second_factor import second_factor_reset
from accounts.services.sign_in import LOCKED_EVERY, lockout_lift
from accounts.views import person
from audit.admin.base import TypedAdmin


class SecondFactorAdmin(SuperusersLook, TypedAdmin[SecondFactor]):
    """The users with a second factor. The secret is on no page."""

    list_display = ("user", "confirmed", "created_at", "last_used_at", "codes_left")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = (
        "user",
        "confirmed",
        "created_at",
        "last_used_at",
        "throttling_failure_count",
        "codes_left",
    )
    sortable_by = ()
    actions = None
    change_form_template = "accounts/admin/second_factor_change_form.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"title": "Second factors", **(extra_context or {})}
        )

    @admin.display(description="Recovery codes left")
    def codes_left(self, device: SecondFactor) -> int:
        return int(device.user.recovery_codes.filter(used_at__isnull=True).count())

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/reset/",
                self.admin_site.admin_view(reset_view),
                {"model_admin": self},
                name="accounts_secondfactor_reset",
            ),
            *super().get_urls(),
        ]


class FailedSignInAdmin(SuperusersLook, TypedAdmin[FailedSignIn]):
    """Failed sign-ins that still count, and the lockouts they cause."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "state")
    search_fields = ("username",)
    fields = (
        "username",
        "ip_address",
        "user_agent",
        "failures_since_start",
        "attempt_time",
        "state",
    )
    sortable_by = ()
    actions = None
    show_full_result_count = False
    change_form_template = "accounts/admin/failed_sign_in_change_form.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = "Failed sign-ins and lockouts"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    @admin.display(description="State")
    def state(self, failed: FailedSignIn) -> SafeString:
        until = failed.attempt_time + LOCKED_EVERY
        if timezone.now() >= until:
            return format_html('<span class="badge tone-quiet">Over</span>')
        if failed.failures_since_start < HERE:
            return format_html('<span class="badge tone-info">Counted</span>')
        local = timezone.localtime(until)
        return format_html(
            '<span class="badge tone-alert">Locked out</span> until {}', f"{local:%H:%M}"
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailedSignIn]:
        return super().get_queryset(request).order_by("-attempt_time", "-pk")

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/lift/",
                self.admin_site.admin_view(lift_view),
                {"model_admin": self},
                name="accounts_failedsignin_lift",
            ),
            *super().get_urls(),
        ]


@require_http_methods(["GET", "HEAD", "POST"])
def reset_view(request: HttpRequest, *, pk: int, model_admin: SecondFactorAdmin) -> HttpResponse:
    """Ask for confirmation, then remove a user's second factor."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    device = get_object_or_404(SecondFactor.objects.select_related("user"), pk=pk)
    if request.method == "POST":
        user: User = device.user
        second_factor_reset(user=user, by=person(request))
        messages.success(request, f"The second factor of {user} is reset.")
        return HttpResponseRedirect(reverse("admin:accounts_secondfactor_changelist"))
    return _asked(
        request,
        model_admin,
        title=f"Reset: {device}",
        sentence=f"{device.user} signs in with the password alone from now on, and is led to set "
        "up another one where a role needs it. Be sure that it is they who asked.",
        button="Reset",
        original=device,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def lift_view(request: HttpRequest, *, pk: int, model_admin: FailedSignInAdmin) -> HttpResponse:
    """Ask for confirmation, then delete the failures under a name."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    failed = get_object_or_404(FailedSignIn, pk=pk)
    if request.method == "POST":
        lockout_lift(username=failed.username, by=person(request))
        messages.success(request, f"{failed.username} may try again.")
        return HttpResponseRedirect(reverse("admin:accounts_failedsignin_changelist"))
    return _asked(
        request,
        model_admin,
        title=f"Lift the lockout: {failed.username}",
        sentence=f"Every failed sign-in under the name {failed.username} is forgotten, from "
        "wherever it came.",
        button="Lift",
        original=failed,
    )


def _asked(request: HttpRequest, model_admin: Any, **shown: Any) -> TemplateResponse:
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "tone": "bad",
        **shown,
    }
    return TemplateResponse(request, "accounts/confirm.html", context)
