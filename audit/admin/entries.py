"""The page "Audit log": who did what, when and from where, over millions of entries."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.admin.base import ReadOnlyPermissions
from audit.admin.declared_filters import DeclaredFiltersAdmin
from audit.admin.export import export_view
from audit.admin.filters import Lately, ObjectKind, Person
from audit.admin.paging import NearPaginator
from audit.models import Action, AuditEntry
from audit.selectors import entries_found
from audit.times import instant
from audit.words import grouped, in_words

TONES = {
    Action.VIEWED: "quiet",
    Action.SIGNED_IN: "quiet",
    Action.SIGNED_OUT: "quiet",
    Action.REVEALED: "wait",
    Action.DOWNLOADED: "wait",
    Action.EXPORTED: "wait",
    Action.CREATED: "fresh",
    Action.CHANGED: "info",
    Action.SUBMITTED: "info",
    Action.DECIDED: "good",
    Action.PUBLISHED: "good",
    Action.ISSUED: "fresh",
    Action.INVITED: "fresh",
    Action.DELETED: "bad",
    Action.WITHDRAWN: "bad",
    Action.REVOKED: "bad",
    Action.SIGN_IN_FAILED: "bad",
    Action.LOCKED_OUT: "alert",
}


# Models whose pages an auditor may open.
LINKED = {"partners", "lending", "applications", "reviews", "workflows", "webhooks"}


class AuditEntryAdmin(ReadOnlyPermissions, DeclaredFiltersAdmin[AuditEntry]):
    list_display = ("when", "by", "action_shown", "message", "about", "address")
    list_display_links = ("when",)
    list_filter = (Person, "action", ObjectKind, Lately)
    search_fields = ("reference",)  # enables the search; ``entries_found`` does it
    search_help_text = (
        "A whole reference, request id, username or partner's name; or how the name or surname of "
        "an applicant begins (of at most twenty applications)."
    )
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = NearPaginator
    actions = None
    change_list_template = "audit/admin/change_list.html"
    change_form_template = "audit/admin/change_form.html"
    fields = (
        "when",
        "by",
        "action_shown",
        "message",
        "about",
        "reference",
        "before_and_after",
        "more",
        "address",
        "user_agent",
        "request",
    )

    @admin.display(description="When")
    def when(self, entry: AuditEntry) -> SafeString:
        local = timezone.localtime(entry.at)
        return format_html('<time datetime="{}">{}</time>', local.isoformat(), instant(entry.at))

    @admin.display(description="Who", empty_value="")
    def by(self, entry: AuditEntry) -> SafeString | str:
        if entry.is_partner:
            return format_html('{} <span class="quiet">partner</span>', entry.who)
        if entry.actor_id is None and "webhook_id" in entry.details:
            return format_html('{} <span class="quiet">signed request</span>', entry.who)
        if entry.actor_id is None and entry.who:
            return format_html('{} <span class="quiet">not signed in</span>', entry.who)
        return entry.who

    @admin.display(description="Action")
    def action_shown(self, entry: AuditEntry) -> SafeString:
        tone = TONES.get(Action(entry.action), "info")
        return format_html(
            '<span class="badge tone-{}">{}</span>', tone, entry.get_action_display()
        )

    @admin.display(description="About", empty_value="")
    def about(self, entry: AuditEntry) -> SafeString | str:
        """Link to the object of the entry, where there is a page for it."""
        name = entry.object_name or entry.reference
        if entry.object_kind.partition(".")[0] not in LINKED:
            return name
        try:
            view = f"admin:{entry.object_kind.replace('.', '_')}_change"
            return format_html('<a href="{}">{}</a>', reverse(view, args=[entry.object_id]), name)
        except NoReverseMatch:
            return name

    @admin.display(description="Before and after", empty_value="-")
    def before_and_after(self, entry: AuditEntry) -> SafeString | str:
        if not entry.changes:
            return ""
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>",
            (
                (name.replace("_", " "), _value_text(name, before), _value_text(name, after))
                for name, (before, after) in entry.changes.items()
            ),
        )
        return format_html(
            '<table class="before-after"><thead><tr><th scope="col">Field</th>'
            '<th scope="col">Before</th><th scope="col">After</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            rows,
        )

    @admin.display(description="Details", empty_value="-")
    def more(self, entry: AuditEntry) -> SafeString | str:
        return format_html_join(
            "",
            '<p class="audit-detail"><span class="quiet">{}:</span> {}</p>',
            (
                (name.replace("_", " "), _value_text(name, value))
                for name, value in entry.details.items()
            ),
        )

    @admin.display(description="Request", empty_value="-")
    def request(self, entry: AuditEntry) -> SafeString | str:
        """Link to the other entries of the same request."""
        if not entry.request_id:
            return ""
        address = reverse("admin:audit_auditentry_changelist", query={"q": entry.request_id})
        return format_html('<a href="{}">{}</a>', address, entry.request_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        return (queryset & entries_found(search_term) if search_term.strip() else queryset), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = request.user.has_perm("audit.export_auditentry")
        context = {"title": "Audit log", "can_export": may, **(extra_context or {})}
        return super().changelist_view(request, context)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Answer 404: an entry has no history, as it is never changed."""
        return self.change_view(request, object_id, extra_context=extra_context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "export/",
                self.admin_site.admin_view(export_view),
                {"model_admin": self},
                name="audit_auditentry_export",
            ),
            *super().get_urls(),
        ]


def _value_text(name: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list):
        return ", ".join(in_words(name, part) for part in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_value_text(key, part)}" for key, part in value.items()) or "-"
    return grouped(in_words(name, value))
