"""Second factors and lockouts in the admin: superusers see them, reset one, lift a lockout."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.people import SuperusersLook
from accounts.lockouts import HERE
from accounts.models import FailedSignIn, SecondFactor
from accounts.services.second_factor import second_factor_reset
from accounts.services.sign_in import LOCKED_EVERY, lockout_lift
from audit import times
from core.admin.display import moment
from core.admin.row_actions import RowAction, RowActionsAdmin


class ResetSecondFactor(RowAction[SecondFactor]):
    """Remove a person's second factor."""

    name = "reset"
    label = "Reset"
    tone = "bad"

    def explanation(self) -> str:
        return (
            f"{self.row.user} signs in with the password alone from now on, and is led to set up "
            "another one where a role needs it. Be sure that it is they who asked."
        )

    def act(self) -> HttpResponse:
        user: User = self.row.user
        second_factor_reset(user=user, by=self.user)
        messages.success(self.request, f"The second factor of {user} is reset.")
        return HttpResponseRedirect(reverse("admin:accounts_secondfactor_changelist"))


class LiftLockout(RowAction[FailedSignIn]):
    """Forget the failed sign-ins under a name."""

    name = "lift"
    label = "Lift the lockout"
    button = "Lift"
    tone = "bad"

    def title(self) -> str:
        return f"{self.label}: {self.row.username}"

    def explanation(self) -> str:
        return (
            f"Every failed sign-in under the name {self.row.username} is forgotten, from "
            "wherever it came."
        )

    def act(self) -> HttpResponse:
        lockout_lift(username=self.row.username, by=self.user)
        messages.success(self.request, f"{self.row.username} may try again.")
        return HttpResponseRedirect(reverse("admin:accounts_failedsignin_changelist"))


class SecondFactorAdmin(SuperusersLook, RowActionsAdmin[SecondFactor]):
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
    row_actions = (ResetSecondFactor,)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        says = "Whoever sets up a second factor, under “Your account”, is listed here."
        context = {"title": "Second factors", "empty_list_text": says, **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.display(description="Recovery codes left")
    def codes_left(self, device: SecondFactor) -> int:
        return int(device.user.recovery_codes.filter(used_at__isnull=True).count())


class FailedSignInAdmin(SuperusersLook, RowActionsAdmin[FailedSignIn]):
    """Failed sign-ins that still count, and the lockouts they cause."""

    list_display = ("username", "address", "failures", "last_try", "state")
    search_fields = ("username",)
    fields = (
        "username",
        "address",
        "program",
        "failures",
        "last_try",
        "state",
    )
    sortable_by = ()
    actions = None
    show_full_result_count = False
    row_actions = (LiftLockout,)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": "Failed sign-ins and lockouts",
            "empty_list_text": "A failed sign-in is listed here while it still counts.",
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.display(description="From address")
    def address(self, attempt: FailedSignIn) -> Any:
        return attempt.ip_address

    @admin.display(description="Program")
    def program(self, attempt: FailedSignIn) -> Any:
        return attempt.user_agent

    @admin.display(description="Failed tries")
    def failures(self, attempt: FailedSignIn) -> Any:
        return attempt.failures_since_start

    @admin.display(description="Last try")
    def last_try(self, attempt: FailedSignIn) -> SafeString:
        return moment(attempt.attempt_time)

    @admin.display(description="State")
    def state(self, failed: FailedSignIn) -> SafeString:
        until = failed.attempt_time + LOCKED_EVERY
        if timezone.now() >= until:
            return _badge("quiet", "Over")
        if failed.failures_since_start < HERE:
            return _badge("info", "Counted")
        return format_html("{} until {}", _badge("alert", "Locked out"), times.hour(until))

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailedSignIn]:
        return super().get_queryset(request).order_by("-attempt_time", "-pk")


def _badge(tone: str, text: str) -> SafeString:
    return format_html('<span class="badge tone-{}">{}</span>', tone, text)
