"""Partners in the admin."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.base import NoDeleteAdmin
from core.admin.row_actions import RowActionsAdmin
from partners.admin.issuing import IssueKey
from partners.admin.keys import KEY_FIELDS, KeyColumns
from partners.models import Partner, PartnerKey

if TYPE_CHECKING:
    KeyInlineBase = admin.TabularInline[PartnerKey, Partner]
else:
    KeyInlineBase = admin.TabularInline


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
