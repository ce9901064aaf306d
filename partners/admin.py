"""Partners and their keys. A key is shown once, on the page that answers its making.

That page is never stored, as no page of the admin is (``admin_view`` says ``no-store``), and the
key is in no message, session or log.
"""

import uuid
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from core.admin.base import NoDeleteAdmin, ReadOnlyAdmin, staff
from core.admin.display import badge
from core.admin.view_helpers import confirmation
from core.errors import DomainError
from partners.choices import KeyState
from partners.models import Partner, PartnerKey
from partners.services import keys

if TYPE_CHECKING:
    KeyInlineBase = admin.TabularInline[PartnerKey, Partner]
else:
    KeyInlineBase = admin.TabularInline

KEY_FIELDS = (
    "prefix",
    "state",
    "label",
    "scopes_shown",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
)
TONES = {
    KeyState.LIVE: "good",
    KeyState.EXPIRES_SOON: "wait",
    KeyState.EXPIRED: "quiet",
    KeyState.REVOKED: "quiet",
}
NOW = "0"
OVERLAPS = [
    (NOW, "Now: the old key is refused at once"),
    ("1", "After 1 hour"),
    ("24", "After 24 hours"),
    ("72", "After 3 days"),
    ("168", "After 7 days"),
]


def state_badge(key: PartnerKey) -> SafeString:
    state = keys.key_state(key, now=timezone.now())
    return badge(state.label, TONES[state])


def key_link(key: PartnerKey) -> SafeString:
    address = reverse("admin:partners_partnerkey_change", args=[key.pk])
    return format_html('<a href="{}">{}</a> {}', address, key, state_badge(key))


class IssueForm(forms.Form):
    # One form issues one key: a page that is loaded again sends it again.
    form_id = forms.UUIDField(required=False, initial=uuid.uuid4, widget=forms.HiddenInput)
    label = forms.CharField(
        max_length=100, required=False, help_text="For people: where the key is used."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in keys.SCOPES],
        initial=keys.SCOPES,
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


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        label="When does the old key end?",
        choices=OVERLAPS,
        initial=str(keys.OVERLAP // timedelta(hours=1)),
        help_text="Both keys are good until then. A key that expires sooner still does.",
    )


class ExpiryForm(forms.Form):
    expires_at = forms.DateTimeField(
        required=False,
        help_text="From then on it is refused. Empty: it does not expire.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


class KeyColumns:
    """What both show of a key that is no field of it as it stands."""

    @admin.display(description="State")
    def state(self, key: PartnerKey) -> SafeString:
        return state_badge(key)

    @admin.display(description="Scopes")
    def scopes_shown(self, key: PartnerKey) -> str:
        return ", ".join(key.scopes)


class PartnerKeyInline(KeyColumns, KeyInlineBase):
    model = PartnerKey
    fields = readonly_fields = KEY_FIELDS
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Partner)
class PartnerAdmin(NoDeleteAdmin[Partner]):
    list_display = ("name", "is_active", "created_at", "cases")
    list_filter = ("is_active",)
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    nothing_said = (
        "Partners send applications through the API. Add one, then issue a key on its page: the "
        "key is shown once."
    )
    change_form_template = "partners/admin/partner_change_form.html"

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
        may = staff(request).has_perm("partners.add_partnerkey")
        context = {**(extra_context or {}), "can_issue": may}
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/issue-key/",
                self.admin_site.admin_view(issue_view),
                {"model_admin": self},
                name="partners_partner_issue_key",
            ),
            *super().get_urls(),
        ]


@admin.register(PartnerKey)
class PartnerKeyAdmin(KeyColumns, ReadOnlyAdmin[PartnerKey]):
    list_display = (
        "prefix",
        "partner",
        "label",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_select_related = ("partner",)
    fields = ("partner", *KEY_FIELDS, "takes_the_place_of", "replaced_by")
    nothing_said = "A key is issued on its partner's page."
    change_form_template = "partners/admin/key_change_form.html"

    @admin.display(description="Takes the place of")
    def takes_the_place_of(self, key: PartnerKey) -> SafeString | str:
        return "-" if key.replaces is None else key_link(key.replaces)

    @admin.display(description="Rotated to")
    def replaced_by(self, key: PartnerKey) -> SafeString | str:
        rows = key.rotated_to.order_by("created_at")
        return format_html_join(" ", "{}", ((key_link(row),) for row in rows)) or "-"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        may_change = staff(request).has_perm("partners.change_partnerkey")
        live = obj is not None and keys.is_live(obj, now=timezone.now())
        context = {
            **(extra_context or {}),
            "can_revoke": may_change and obj is not None and obj.revoked_at is None,
            "can_expire": may_change and live,
            "can_rotate": may_rotate(request) and live,
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        views = {"revoke": revoke_view, "rotate": rotate_view, "expire": expire_view}
        return [
            *(
                path(
                    f"<int:pk>/{name}/",
                    self.admin_site.admin_view(view),
                    {"model_admin": self},
                    name=f"partners_partnerkey_{name}",
                )
                for name, view in views.items()
            ),
            *super().get_urls(),
        ]


def may_rotate(request: HttpRequest) -> bool:
    """It makes a key, and it ends one."""
    return staff(request).has_perms(["partners.add_partnerkey", "partners.change_partnerkey"])


@require_http_methods(["GET", "HEAD", "POST"])
def issue_view(request: HttpRequest, *, pk: int, model_admin: PartnerAdmin) -> HttpResponse:
    """Make a key and show it, this once: the answer is not kept anywhere."""
    if not staff(request).has_perm("partners.add_partnerkey"):
        raise PermissionDenied
    partner = get_object_or_404(Partner, pk=pk)
    form = IssueForm(request.POST if request.method == "POST" else None)
    issued, status = None, 200
    if form.is_valid():
        day = form.cleaned_data["expires_on"]
        midnight = timezone.make_aware(datetime.combine(day, time.min)) if day else None
        try:
            _, issued = keys.partner_key_issue(
                partner=partner,
                by=staff(request),
                label=form.cleaned_data["label"],
                scopes=tuple(form.cleaned_data["scopes"]),
                expires_at=midnight,
                form_id=form.cleaned_data["form_id"],
            )
        except DomainError as refused:
            form.add_error(None, str(refused))
            status = refused.http_status
    return confirmation(
        model_admin,
        request,
        "partners/admin/issue_key.html",
        title=f"Issue a key: {partner}",
        status=status,
        original=partner,
        partner=partner,
        form=form,
        issued=issued,
        button="Issue key",
        tone="good",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def rotate_view(request: HttpRequest, *, pk: int, model_admin: PartnerKeyAdmin) -> HttpResponse:
    """Make the key that takes this one's place and show it, this once."""
    if not may_rotate(request):
        raise PermissionDenied
    key = get_object_or_404(PartnerKey.objects.select_related("partner"), pk=pk)
    form = RotateForm(request.POST if request.method == "POST" else None)
    issued, status = None, 200
    if form.is_valid():
        overlap = timedelta(hours=int(form.cleaned_data["overlap"]))
        try:
            _, issued = keys.partner_key_rotate(partner_key=key, by=staff(request), overlap=overlap)
        except DomainError as refused:
            form.add_error(None, str(refused))
            status = refused.http_status
    return confirmation(
        model_admin,
        request,
        "partners/admin/issue_key.html",
        title=f"Rotate: {key}",
        status=status,
        original=key,
        partner=key.partner,
        form=form,
        issued=issued,
        button="Rotate",
        tone="good",
        sentence=f"{key.partner} gets a new key with the same scopes. It is shown on the next "
        "page, once.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def expire_view(request: HttpRequest, *, pk: int, model_admin: PartnerKeyAdmin) -> HttpResponse:
    """Let a live key end sooner or later than it would."""
    if not staff(request).has_perm("partners.change_partnerkey"):
        raise PermissionDenied
    key = get_object_or_404(PartnerKey.objects.select_related("partner"), pk=pk)
    form = ExpiryForm(
        request.POST if request.method == "POST" else None, initial={"expires_at": key.expires_at}
    )
    status = 200
    if form.is_valid():
        try:
            keys.partner_key_expire(
                partner_key=key, by=staff(request), expires_at=form.cleaned_data["expires_at"]
            )
        except DomainError as refused:
            form.add_error(None, str(refused))
            status = refused.http_status
        else:
            model_admin.message_user(request, f"The expiry of {key} is set.", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:partners_partnerkey_change", args=[key.pk]))
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Change the expiry: {key}",
        status=status,
        original=key,
        form=form,
        button="Set the expiry",
        tone="good",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_view(request: HttpRequest, *, pk: int, model_admin: PartnerKeyAdmin) -> HttpResponse:
    if not staff(request).has_perm("partners.change_partnerkey"):
        raise PermissionDenied
    key = get_object_or_404(PartnerKey.objects.select_related("partner"), pk=pk)
    if request.method == "POST":
        keys.partner_key_revoke(partner_key=key, by=staff(request))
        model_admin.message_user(request, f"Key {key} is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:partners_partner_change", args=[key.partner_id]))
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Revoke: {key}",
        original=key,
        form=None,
        button="Revoke",
        tone="bad",
        sentence=f"From now on {key.partner} is refused when it uses this key.",
    )
