"""Bulk decisions in the admin: the list, and the page of one with the result of each row.

Visible to whoever made it and to auditors. The page polls its progress (``core/polling.js``);
``workflows.admin`` adds how many of the answers are delivered.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from applications.admin.display import outcome_badge
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import moment, person_name
from core.admin.polling import polled_response
from core.admin.view_helpers import admin_page
from lending.choices import Outcome
from reviews.admin import bulk_groups, bulk_preview
from reviews.admin.bulk_result import OUTCOME_WORDS, TAG, State
from reviews.kinds import REVIEW_KINDS, STAFF_KINDS
from reviews.models import BulkDecision, BulkDecisionRow
from reviews.services import decisions
from reviews.services.bulk_decisions import is_left_alone
from reviews.services.decline_reasons import reason_chosen

SEES_ALL = "reviews.view_bulkdecision"


@dataclass(frozen=True)
class Counted:
    """One line of the progress. ``moves``: these rows change without anybody acting."""

    key: str
    label: str
    number: int
    tone: str
    moves: bool = False
    link: str = ""


@dataclass(frozen=True)
class Failed:
    """A row that was not decided: why, and its state now for this person."""

    stored: BulkDecisionRow
    row: bulk_groups.Row | None

    @property
    def now(self) -> str:
        """Return why it cannot be decided now, if that is another reason."""
        found = self.row.why_not if self.row is not None else ""
        return found if found != self.stored.why else ""


class BulkDecisionAdmin(ReadOnlyAdmin[BulkDecision]):
    list_display = ("started", "by", "answer", "decided", "not_decided", "left")
    list_display_links = ("started",)
    list_filter = ("outcome",)
    list_select_related = ("decided_by",)
    sortable_by = ()
    empty_list_text = (
        "Choose rows in the list of applications or among your approvals and decide them "
        "at once: what became of each of them is kept here."
    )

    @admin.display(description="Started")
    def started(self, run: BulkDecision) -> SafeString:
        return moment(run.started_at)

    @admin.display(description="By")
    def by(self, run: BulkDecision) -> str:
        return person_name(run.decided_by)

    @admin.display(description="Answer")
    def answer(self, run: BulkDecision) -> SafeString:
        return outcome_badge(run.outcome)

    @admin.display(description="Decided")
    def decided(self, run: BulkDecision) -> int:
        return counted(run)[State.DECIDED] + counted(run)[State.REPEATED]

    @admin.display(description="Not decided")
    def not_decided(self, run: BulkDecision) -> int:
        return counted(run)[State.REFUSED]

    @admin.display(description="Not reached")
    def left(self, run: BulkDecision) -> int:
        return counted(run)[State.WAITING]

    # --- Who sees what --------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Without delegated rights, which are a query: every page asks this."""
        names = (SEES_ALL, *(REVIEW_KINDS[kind].permission for kind in STAFF_KINDS))
        return any(request.user.has_perm(name) for name in names)

    def has_view_permission(self, request: HttpRequest, obj: BulkDecision | None = None) -> bool:
        """Auditors see all of them, everybody else their own (``get_queryset``)."""
        if not isinstance(request.user, User) or not request.user.is_staff:
            return False
        mine = obj is None or obj.decided_by_id == request.user.pk
        return mine or request.user.has_perm(SEES_ALL)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkDecision]:
        runs = super().get_queryset(request).annotate(**_COUNTS)
        if staff(request).has_perm(SEES_ALL):
            return runs
        return runs.filter(decided_by=staff(request))

    # --- The page of one run --------------------------------------------------------------

    def counts(self, run: BulkDecision) -> list[Counted]:
        """Return the progress; ``workflows`` adds the deliveries."""
        rows, outcome_word = counted(run), OUTCOME_WORDS[Outcome(run.outcome)]
        found = [
            Counted(
                "decided", f"{outcome_word.capitalize()} and recorded", rows[State.DECIDED], "good"
            ),
            Counted("repeated", f"Already {outcome_word} before", rows[State.REPEATED], "quiet"),
            Counted("refused", f"Not {outcome_word}", rows[State.REFUSED], "bad"),
            Counted("waiting", "Not reached yet", rows[State.WAITING], "wait", moves=True),
        ]
        return [row for row in found if row.number or row.key == "decided"]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        if not object_id.isdecimal() or len(object_id) > 18:
            raise Http404
        run = self.run_or_refuse(request, int(object_id))
        context = {
            "bulk_result_tag": TAG,
            **self.progress_context(request, run),
            **self.rows_context(request, run),
            **(extra_context or {}),
        }
        template = "reviews/admin/bulk_decision.html"
        return admin_page(self, request, template, title=str(run), **context)

    def run_or_refuse(self, request: HttpRequest, pk: int) -> BulkDecision:
        """Return the bulk decision, for someone who may see it. Raises 404 or 403."""
        run = get_object_or_404(self.get_queryset(request).select_related("decided_by"), pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return run

    def progress_context(self, request: HttpRequest, run: BulkDecision) -> dict[str, Any]:
        """Return the context of the progress, which every poll renders again."""
        counts = self.counts(run)
        rows = counted(run)
        may_go_on = is_left_alone(run) and self._may_decide(request, run)
        return {
            "run": run,
            "reason_text": lambda: reason_chosen(run.reason_code),  # read where it is shown
            "outcome_word": OUTCOME_WORDS[Outcome(run.outcome)],
            "counts": counts,
            "total": sum(rows.values()),
            "reached": sum(rows.values()) - rows[State.WAITING],
            "may_go_on": may_go_on,
            "is_live": any(row.moves for row in counts) and not is_left_alone(run),
        }

    def rows_context(self, request: HttpRequest, run: BulkDecision) -> dict[str, Any]:
        """Return the rows; those that were not decided with their state now, to try them again."""
        rows = list(run.rows.select_related("application"))
        refused = [row for row in rows if row.state == State.REFUSED]
        now: dict[int, bulk_groups.Row] = {}
        if self._may_decide(request, run):
            keys = [row.application_id for row in refused]
            now = {row.application.pk: row for row in bulk_preview.rows_of(keys, staff(request))}
        return {
            "rows_too": True,
            "decided": [row for row in rows if row.state in {State.DECIDED, State.REPEATED}],
            "failed": [Failed(row, now.get(row.application_id)) for row in refused],
            "waiting": [row for row in rows if row.state == State.WAITING],
            "may_again": bool(now),
        }

    def _may_decide(self, request: HttpRequest, run: BulkDecision) -> bool:
        user = staff(request)
        return run.decided_by_id == user.pk and decisions.may_decide_some(
            user=user, kinds=STAFF_KINDS
        )

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/live/",
                self.admin_site.admin_view(live_view),
                {"model_admin": self},
                name="reviews_bulkdecision_live",
            ),
            *super().get_urls(),
        ]


@require_safe
def live_view(request: HttpRequest, *, pk: int, model_admin: BulkDecisionAdmin) -> HttpResponse:
    """Answer with the progress of a bulk decision, or 304.

    ``?rows`` adds the rows, for a page that was rendered before all of them were decided.
    """
    run = model_admin.run_or_refuse(request, pk)
    context = model_admin.progress_context(request, run)
    return polled_response(
        request,
        [staff(request).pk, context["counts"], context["may_go_on"], run.finished_at],
        "reviews/admin/bulk_decision_live.html",
        lambda: {
            **context,
            **(model_admin.rows_context(request, run) if "rows" in request.GET else {}),
        },
    )


_COUNTS = {f"rows_{state.value}": Count("rows", filter=Q(rows__state=state)) for state in State}


def counted(run: BulkDecision) -> dict[str, int]:
    """Return the number of rows by state; ``run`` has the annotations of ``get_queryset``."""
    return {state: getattr(run, f"rows_{state.value}") for state in State}
