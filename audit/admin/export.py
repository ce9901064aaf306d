"""Export the audit log for a spreadsheet: the rows of the list, streamed as they are read."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from audit.admin.csv_lines import BYTE_ORDER_MARK, csv_line
from audit.models import Action, AuditEntry
from audit.services import entry_record

COLUMNS = (
    "time",
    "who",
    "partner",
    "action",
    "message",
    "object kind",
    "object key",
    "object",
    "reference",
    "before and after",
    "details",
    "client address",
    "user agent",
    "request id",
)
CHUNK = 1000


@require_POST
def export_view(request: HttpRequest, *, model_admin: Any) -> StreamingHttpResponse:
    """Export every entry that the address's filters and search select, newest first."""
    if not request.user.has_perm("audit.export_auditentry"):
        raise PermissionDenied
    found = model_admin.get_changelist_instance(request).get_queryset(request)
    narrowed = {name: value for name, value in request.GET.items() if value}
    entry_record(
        action=Action.EXPORTED,
        message="Exported the audit log.",
        actor=request.user,
        details={"narrowed": narrowed},
    )
    name = f"audit-log-{timezone.localtime():%Y-%m-%d-%H%M%S}.csv"
    return StreamingHttpResponse(
        _lines(found.select_related(None).order_by("-at", "-id")),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(entries: Any) -> Iterator[str]:
    yield BYTE_ORDER_MARK + csv_line(COLUMNS)
    for entry in entries.iterator(chunk_size=CHUNK):
        yield csv_line(_cells(entry))


def _cells(entry: AuditEntry) -> tuple[object, ...]:
    return (
        timezone.localtime(entry.at).isoformat(),
        entry.who,
        "yes" if entry.is_partner else "",
        entry.get_action_display(),
        entry.message,
        entry.object_kind,
        entry.object_id,
        entry.object_name,
        entry.reference,
        json.dumps(entry.changes, ensure_ascii=False) if entry.changes else "",
        json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
        entry.address,
        entry.user_agent,
        entry.request_id,
    )
