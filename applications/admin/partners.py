"""Partners and their keys. A key is shown once, on the page that answers its making."""

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from applications.admin.base import KeptAdmin, ReadOnlyAdmin, staff
from applications.admin.display import badge
from applications.admin.views import confirmation
from applications.models import Partner, PartnerKey
from applications.services import partners

if TYPE_CHECKING:
    KeyInlineBase = admin.TabularInline[PartnerKey, Partner]
else:
    KeyInlineBase = admin.TabularInline

KEY_FIELDS = ("prefix", "label", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")


class IssueForm(forms.Form):
    label = forms.CharField(
        max_length=100, required=False, help_text="For people: where the key is used."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in partners.SCOPES],
        initial=partners.SCOPES,
        widget=forms.CheckboxSelectMultiple,
    )
    expires_on = forms.DateField(
        required=False,
        help_text="The first day on which it is refused. Empty: it does not expire.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        if day is not None and day <= timezone.localdate():
            raise forms.ValidationError("Enter a day in the future.")
        return day


class PartnerKeyInline(KeyInlineBase):
    model = PartnerKey
    fields = readonly_fields = KEY_FIELDS
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class PartnerAdmin(KeptAdmin[Partner]):
    list_display = ("name", "is_active", "created_at", "cases")
    list_filter = ("is_active",)
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    nothing_said = (
        "Partners send applications through the API. Add one, then issue a key on its page: the "
        "key is shown once."
    )
    change_form_template = "applications/admin/partner_change_form.html"

    @admin.display(description="Applications")
    def cases(self, partner: Partner) -> SafeString:
        """The list of applications has not all partners as choices; this leads to each."""
        address = reverse(
            "admin:applications_loanapplication_changelist",
            query={"partner__id__exact": partner.pk},
        )
        return format_html('<a href="{}">Show</a>', address)

    def get_inlines(self, request: HttpRequest, obj: Partner | None) -> Any:  # noqa: ARG002
        """Its keys; a partner that is being added has none."""
        return () if obj is None else (PartnerKeyInline,)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = staff(request).has_perm("applications.add_partnerkey")
        context = {**(extra_context or {}), "can_issue": may}
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/issue-key/",
                self.admin_site.admin_view(issue_view),
                {"model_admin": self},
                name="applications_partner_issue_key",
            ),
            *super().get_urls(),
        ]


class PartnerKeyAdmin(ReadOnlyAdmin[PartnerKey]):
    list_display = ("prefix", "partner", "label", "state", "created_at", "last_used_at")
    list_select_related = ("partner",)
    fields = ("partner", *KEY_FIELDS)
    nothing_said = "A key is issued on its partner's page."
    change_form_template = "applications/admin/key_change_form.html"

    @admin.display(description="State")
    def state(self, key: PartnerKey) -> SafeString:
        if key.revoked_at is not None:
            return badge("Revoked", "quiet")
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return badge("Expired", "quiet")
        return badge("Live", "good")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        may = staff(request).has_perm("applications.change_partnerkey")
        context = {
            **(extra_context or {}),
            "can_revoke": may and obj is not None and obj.revoked_at is None,
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/revoke/",
                self.admin_site.admin_view(revoke_view),
                {"model_admin": self},
                name="applications_partnerkey_revoke",
            ),
            *super().get_urls(),
        ]


@require_http_methods(["GET", "HEAD", "POST"])
def issue_view(request: HttpRequest, *, pk: int, model_admin: PartnerAdmin) -> HttpResponse:
    """Make a key and show it, this once: the answer is not kept anywhere."""
    if not staff(request).has_perm("applications.add_partnerkey"):
        raise PermissionDenied
    partner = get_object_or_404(Partner, pk=pk)
    form = IssueForm(request.POST if request.method == "POST" else None)
    issued = None
    if form.is_valid():
        day = form.cleaned_data["expires_on"]
        midnight = timezone.make_aware(datetime.combine(day, time.min)) if day else None
        _, issued = partners.partner_key_issue(
            partner=partner,
            by=staff(request),
            label=form.cleaned_data["label"],
            scopes=tuple(form.cleaned_data["scopes"]),
            expires_at=midnight,
        )
    return confirmation(
        model_admin,
        request,
        "applications/admin/issue_key.html",
        title=f"Issue a key: {partner}",
        original=partner,
        form=form,
        issued=issued,
        button="Issue key",
        tone="good",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_view(request: HttpRequest, *, pk: int, model_admin: PartnerKeyAdmin) -> HttpResponse:
    if not staff(request).has_perm("applications.change_partnerkey"):
        raise PermissionDenied
    key = get_object_or_404(PartnerKey.objects.select_related("partner"), pk=pk)
    if request.method == "POST":
        partners.partner_key_revoke(partner_key=key, by=staff(request))
        model_admin.message_user(request, f"Key {key} is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(
            reverse("admin:applications_partner_change", args=[key.partner_id])
        )
    return confirmation(
        model_admin,
        request,
        "applications/admin/confirm.html",
        title=f"Revoke: {key}",
        original=key,
        form=None,
        button="Revoke",
        tone="bad",
        sentence=f"From now on {key.partner} is refused when it uses this key.",
    )
