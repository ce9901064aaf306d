"""Partner keys in the admin: their columns, and the actions that rotate, expire and revoke one."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.proposing import proposal_button
from accounts.models import Proposal
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import badge
from core.admin.row_actions import Button, RowAction, RowActionsAdmin, row_url
from partners.admin.issuing import ADD, AddKey, KeySecret
from partners.choices import KeyState, scopes_in_words
from partners.models import Partner, PartnerKey
from partners.proposals import MadeKey, key_rotate, rotation_open
from partners.services import keys

CHANGE = "partners.change_partnerkey"
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
OVERLAPS = [
    ("0", "Now: the old key is refused at once"),
    ("1", "After 1 hour"),
    ("24", "After 24 hours"),
    ("72", "After 3 days"),
    ("168", "After 7 days"),
]


def state_badge(key: PartnerKey) -> SafeString:
    state = keys.key_state(key, now=timezone.now())
    return badge(state.label, TONES[state])


def key_link(key: PartnerKey) -> SafeString:
    return format_html('<a href="{}">{}</a> {}', row_url(key), key, state_badge(key))


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
    """The columns that are no field of the key."""

    @admin.display(description="State")
    def state(self, key: PartnerKey) -> SafeString:
        return state_badge(key)

    @admin.display(description="Scopes")
    def scopes_shown(self, key: PartnerKey) -> str:
        return scopes_in_words(key.scopes)


class RotateKey(KeySecret[PartnerKey]):
    """Make the key that replaces this one."""

    name = "rotate"
    label = "Rotate"
    permissions = (ADD, CHANGE)
    form_class = RotateForm

    def is_offered(self) -> bool:
        live = super().is_offered() and keys.is_live(self.row, now=timezone.now())
        return live and rotation_open(self.row) is None

    def partner(self) -> Partner:
        return self.row.partner

    def explanation(self) -> str:
        then = (
            "Another partner manager confirms it, and sees the key once."
            if keys.may_write(self.row.scopes)
            else "It is shown on the next page, once."
        )
        return f"{self.row.partner} gets a new key with the same scopes. {then}"

    def propose(self) -> MadeKey | Proposal:
        overlap = timedelta(hours=int(self.typed["overlap"]))
        return key_rotate(partner_key=self.row, user=self.user, overlap=overlap)


class ExpireKey(RowAction[PartnerKey]):
    """Let a live key end sooner or later than it would."""

    name = "expire"
    label = "Change the expiry"
    button = "Set the expiry"
    permissions = (CHANGE,)
    form_class = ExpiryForm
    refused_in_form = True

    def is_offered(self) -> bool:
        return super().is_offered() and keys.is_live(self.row, now=timezone.now())

    def initial(self) -> dict[str, Any]:
        return {"expires_at": self.row.expires_at}

    def act(self) -> str:
        keys.partner_key_expire(
            partner_key=self.row, by=self.user, expires_at=self.typed["expires_at"]
        )
        return f"The expiry of {self.row} is set."


class RevokeKey(RowAction[PartnerKey]):
    """End a key for good."""

    name = "revoke"
    label = "Revoke"
    tone = "bad"
    permissions = (CHANGE,)

    def is_offered(self) -> bool:
        return super().is_offered() and self.row.revoked_at is None

    def explanation(self) -> str:
        return f"From now on {self.row.partner} is refused when it uses this key."

    def act(self) -> HttpResponse:
        keys.partner_key_revoke(partner_key=self.row, by=self.user)
        self.model_admin.message_user(self.request, f"Key {self.row} is revoked.", messages.SUCCESS)
        return HttpResponseRedirect(row_url(self.row.partner))


class Expiring(admin.SimpleListFilter):
    """Filter the keys that expire soon, and that somebody has to rotate."""

    title = "expiry"
    parameter_name = "expiring"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("soon", "Expires soon")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PartnerKey]
    ) -> QuerySet[PartnerKey]:
        if self.value() != "soon":
            return queryset
        return queryset.filter(keys.expiring(now=timezone.now()))


class PartnerKeyAdmin(RowActionsAdmin[PartnerKey], KeyColumns, ReadOnlyAdmin[PartnerKey]):
    list_display = (
        "prefix",
        "partner",
        "label",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_filter = (Expiring,)
    list_select_related = ("partner",)
    fields = ("partner", *KEY_FIELDS, "takes_the_place_of", "replaced_by")
    empty_list_text = "Partners call the API with a key. Issue one: it is shown once."
    row_actions = (RotateKey, ExpireKey, RevokeKey)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staff(request).has_perm(ADD)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return cast("HttpResponse", AddKey.as_view(model_admin=self)(request))

    def row_buttons(self, request: HttpRequest, row: PartnerKey) -> list[Button]:
        opened = proposal_button(rotation_open(row), staff(request))
        return [*super().row_buttons(request, row), *opened]

    @admin.display(description="Takes the place of")
    def takes_the_place_of(self, key: PartnerKey) -> SafeString | str:
        return "-" if key.replaces is None else key_link(key.replaces)

    @admin.display(description="Rotated to")
    def replaced_by(self, key: PartnerKey) -> SafeString | str:
        rows = key.rotated_to.order_by("created_at")
        return format_html_join(" ", "{}", ((key_link(row),) for row in rows)) or "-"
