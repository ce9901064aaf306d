"""The catalogue of decline reasons, edited by policy owners; retired, never deleted."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.admin.base import NoDeleteAdmin
from core.admin.display import badge
from reviews.admin.forms import DeclineReasonForm
from reviews.choices import TaskKind
from reviews.models import DeclineReason


class DeclineReasonAdmin(NoDeleteAdmin[DeclineReason]):
    """A changed wording applies to later decisions; earlier ones keep theirs."""

    form = DeclineReasonForm
    list_display = ("code", "text", "used_for", "asks_for_text", "position", "state")
    list_filter = ("active",)
    sortable_by = ()
    empty_list_text = "Without reasons in use, whoever declines says why in their own words."
    fields = (
        "code",
        "text",
        "kinds",
        "asks_for_text",
        "position",
        "active",
    )

    @admin.display(description="For")
    def used_for(self, reason: DeclineReason) -> str:
        return ", ".join(str(kind.label).lower() for kind in TaskKind if reason.fits(kind))

    @admin.display(description="State")
    def state(self, reason: DeclineReason) -> SafeString:
        return badge("In use", "good") if reason.active else badge("Retired", "quiet")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("code",)
