"""Lists that say when their rows are no longer those of the database.

The page of a list holds a tag of the rows that it shows. ``core/polling.js`` sends it back to the
same address, which reads the same rows, draws nothing, and answers whether they have another tag.
"""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.crypto import salted_hmac

from core.admin.base import NoDeleteAdmin

SHOWN, CHANGED = "List-Shown", "List-Changed"


class LiveListAdmin[M: Model](NoDeleteAdmin[M]):
    """An admin whose list says when another person or the workflow changed what it shows."""

    def row_state(self, row: M) -> tuple[object, ...]:
        """Return what makes a row look different: by default each stored value."""
        deferred = row.get_deferred_fields()
        return tuple(
            getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if field.attname not in deferred
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Draw the list with the tag of its rows, or compare the tag that the page has."""
        if request.method == "GET" and SHOWN in request.headers:
            return self._compared(request)
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        # A search is not repeated: looking for a person is on record.
        if isinstance(response, TemplateResponse) and "cl" in context and not context["cl"].query:
            context["list_shown"] = self._tag(context["cl"])
        return response

    def _compared(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            tag = self._tag(self.get_changelist_instance(request))
        except IncorrectLookupParameters as refused:
            raise Http404 from refused
        changed = {} if tag == request.headers[SHOWN] else {CHANGED: "yes"}
        return HttpResponse(status=204, headers={"Cache-Control": "no-store", **changed})

    def _tag(self, changelist: Any) -> str:
        rows = [self.row_state(row) for row in changelist.result_list]
        # With the key of the installation: a row has values that not everybody may guess.
        digest = salted_hmac("core.admin.live_lists", repr(rows), algorithm="sha256")
        return digest.hexdigest()[:32]
