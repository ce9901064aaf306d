"""Partners in the admin, and the action that issues a key."""

import uuid
from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Proposal
from audit.times import day_begins
from core.admin.base import NoDeleteAdmin
from core.admin.row_actions import RowActionsAdmin
from partners.admin.keys import KEY_FIELDS, KeyColumns, KeySecret
from partners.choices import Scope
from partners.models import Partner, PartnerKey
from partners.proposals import MadeKey, key_issue
from partners.services import keys

if TYPE_CHECKING:
    KeyInlineBase = admin.TabularInline[PartnerKey, Partner]
else:
    KeyInlineBase = admin.TabularInline


class IssueForm(forms.Form):
    # One form issues one key: reloading the page sends the form again.
    form_id = forms.UUIDField(required=False, initial=uuid.uuid4, widget=forms.HiddenInput)
    label = forms.CharField(
        max_length=100, required=False, help_text="For people: where the key is used."
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.label} ({scope.value})") for scope in Scope],
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


class IssueKey(KeySecret[Partner]):
    """Make a key of the partner."""

    name = "issue-key"
    label = "Issue a key"
    button = "Issue key"
    permissions = ("partners.add_partnerkey",)
    form_class = IssueForm
    sentence = (
        "A key that only reads is shown on the next page, once. One that may write is proposed: "
        "another partner manager confirms it, and sees the key once."
    )

    def partner(self) -> Partner:
        return self.row

    def propose(self) -> MadeKey | Proposal:
        day = self.typed["expires_on"]
        midnight = day_begins(day) if day else None
        return key_issue(
            partner=self.row,
            user=self.user,
            label=self.typed["label"],
            scopes=tuple(self.typed["scopes"]),
            expires_at=midnight,
            form_id=self.typed["form_id"],
        )


class PartnerKeyInline(KeyColumns, KeyInlineBase):
    model = PartnerKey
    fields = readonly_fields = KEY_FIELDS
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PartnerAdmin(RowActionsAdmin[Partner], NoDeleteAdmin[Partner]):
    list_display = ("name", "is_active", "created_at", "applications")
    list_filter = ("is_active",)
    search_fields = ("name",)
    keeps_search = True
    readonly_fields = ("created_at",)
    empty_list_text = (
        "Partners send applications through the API. Add one, then issue a key on its page: the "
        "key is shown once."
    )
    row_actions = (IssueKey,)

    @admin.display(description="Applications")
    def applications(self, partner: Partner) -> SafeString:
        """Link to the partner's applications: the list's filter has not all partners."""
        address = reverse(
            "admin:applications_loanapplication_changelist",
            query={"partner__id__exact": partner.pk},
        )
        return format_html('<a href="{}">Show</a>', address)

    def get_inlines(self, request: HttpRequest, obj: Partner | None) -> Any:
        """Its keys; a partner that is being added has none."""
        return () if obj is None else (PartnerKeyInline,)
