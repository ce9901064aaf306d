"""Approve or decline many applications: a preview of every row, then one call for each.

The version that the preview showed travels with the row, and a token with the form: sent
twice it is the same run (``services.bulk_decisions``). What became of the rows is a page of its own
(``bulk_decisions``); those that failed stay selected there and above the list (``bulk_result``),
from where they go to the preview again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import F, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from applications.models import LoanApplication
from core.admin.base import NoDeleteAdmin, staff
from core.admin.view_helpers import admin_page
from core.errors import DomainError
from lending.choices import Outcome
from reviews.admin import bulk_result
from reviews.admin.bulk_result import Result
from reviews.admin.forms import BulkDecideForm
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import NothingToDecide
from reviews.kinds import STAFF_KINDS
from reviews.models import BulkDecision, ReviewTask
from reviews.services import bulk_decisions, decisions
from reviews.services.bulk_decisions import Read

MOST = bulk_decisions.MOST
# Beyond this "all that match" are not counted out: "more than" says enough.
MOST_COUNTED = 10_000
# So many of the rows that failed are said in a message, where a table has them all.
MOST_SAID = 3
CARRIED = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):([0-9]{1,9})")


@dataclass(frozen=True)
class Row:
    application: LoanApplication
    task: ReviewTask | None
    why_not: str
    on_behalf_of: User | None = None

    @property
    def carried(self) -> str:
        """What the form carries of this row: application, task, and the version read."""
        task = self.task.pk if self.task is not None else 0
        return f"{self.application.pk}:{task}:{self.application.version}"


@dataclass(frozen=True)
class Narrowed:
    """More match than are decided at once: ``taken`` of ``matching`` are shown."""

    matching: str
    taken: int


@dataclass(frozen=True)
class NotDecided:
    """A row of the last decision as it stands now; ``why`` is true now too."""

    row: Row
    why: str


def preview(
    model_admin: NoDeleteAdmin[Any],
    request: HttpRequest,
    queryset: QuerySet[LoanApplication],
    *,
    outcome: str,
) -> HttpResponse | None:
    """The page that shows what would be decided, and what cannot be and why.

    Of all that match a filter, when they are too many, it takes the oldest that this person
    can decide: the page says how many match, and nothing happens to the others.
    """
    user = staff(request)
    chosen = _keys(queryset)
    narrowed = None
    if len(chosen) > MOST:
        if request.POST.get("select_across") != "1":
            model_admin.message_user(
                request,
                f"At most {MOST} applications are decided at once; choose fewer.",
                messages.WARNING,
            )
            return None
        mine = decisions.tasks_decidable(user=user, now=timezone.now()).filter(kind__in=STAFF_KINDS)
        chosen = _keys(queryset.filter(pk__in=mine.order_by().values("application")))[:MOST]
        narrowed = Narrowed(_counted(queryset), len(chosen))
    return _ask(
        model_admin,
        request,
        rows_of(chosen, user),
        Outcome(outcome),
        narrowed=narrowed,
        back=request.get_full_path(),
    )


def _keys(queryset: QuerySet[LoanApplication]) -> list[int]:
    return list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST + 1])


def _counted(queryset: QuerySet[LoanApplication]) -> str:
    found = queryset.order_by()[: MOST_COUNTED + 1].count()
    return f"{found:,}" if found <= MOST_COUNTED else f"More than {MOST_COUNTED:,}"


@require_POST
def decide_view(
    request: HttpRequest, *, outcome: str, model_admin: "BulkDecisionListAdmin"
) -> HttpResponse:
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise Http404
    if not model_admin.has_decide_permission(request):
        raise PermissionDenied
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    wanted = Outcome(outcome)
    user = staff(request)
    if "dismiss" in request.POST:
        bulk_result.forget(request)
        return _to_list()
    read = rows_read(request.POST.getlist("row"))
    kinds = _kinds(read)
    if "again" in request.POST:
        said = {name: request.POST.get(name, "") for name in ("reason", "reason_code")}
        form = BulkDecideForm(initial=said, outcome=wanted, kinds=kinds)
    else:
        form = BulkDecideForm(request.POST, outcome=wanted, kinds=kinds)
    if not form.is_valid():
        rows = rows_of([row.application for row in read], user)
        return _ask(model_admin, request, rows, wanted, form=form)
    token = form.cleaned_data["run"]
    run = bulk_decisions.bulk_begin(
        user=user, token=token or uuid4(), outcome=wanted, rows=read, **form.given
    )
    if run is None:
        model_admin.message_user(request, "Nothing was selected.", messages.WARNING)
        return _to_list()
    return carry_on(model_admin, request, run, to_list=token is None)


def carry_on(
    model_admin: "BulkDecisionListAdmin",
    request: HttpRequest,
    run: BulkDecision,
    *,
    to_list: bool = False,
) -> HttpResponse:
    """Decide what waits, and show what became of it.

    A form without a token was drawn by the release before: it lands where it did.
    """
    finished_before = run.finished_at is not None
    model_admin.bulk_carry_on(run)
    result = bulk_result.result_of(run)
    bulk_result.keep(request, result)
    if not finished_before:
        _report(model_admin, request, result, all_failed=to_list)
    return _to_list() if to_list else HttpResponseRedirect(bulk_result.run_url(run))


@require_POST
def go_on_view(
    request: HttpRequest, *, pk: int, model_admin: "BulkDecisionListAdmin"
) -> HttpResponse:
    """Decide the rows that a run did not reach: it took too long, or its process died."""
    if not model_admin.has_decide_permission(request):
        raise PermissionDenied
    return carry_on(
        model_admin, request, get_object_or_404(BulkDecision, pk=pk, decided_by=staff(request))
    )


def result_context(model_admin: "BulkDecisionListAdmin", request: HttpRequest) -> dict[str, object]:
    """What ``reviews/admin/bulk_result.html`` draws above the list; empty mostly."""
    if not model_admin.has_decide_permission(request):
        return {}
    result = bulk_result.kept(request)
    if result is None:
        return {}
    said = {failed.application_id: failed.why for failed in result.failed}
    rows = rows_of(list(said), staff(request))
    return {
        "bulk_result": result,
        # What stood in the way then, or what does now: an application may have gone on since.
        "not_decided": [NotDecided(row, row.why_not or said[row.application.pk]) for row in rows],
        "bulk_result_tag": bulk_result.TAG,
    }


def rows_read(carried: list[str]) -> list[Read]:
    """What the form carried, in the order of the keys; anything else in there is left out."""
    matches = (CARRIED.fullmatch(row) for row in carried[:MOST])
    return sorted({Read(*map(int, match.groups())) for match in matches if match})


def rows_of(keys: list[int], user: User) -> list[Row]:
    """The applications with their task and what stands in the way, by primary key.

    The open task, or the last one of this attempt: it tells who was first.
    """
    tasks = (
        ReviewTask.objects.filter(kind__in=STAFF_KINDS, attempt=F("application__attempt"))
        .select_related("claimed_by")
        .order_by("opened_at", "pk")
    )
    applications = (
        LoanApplication.objects.filter(pk__in=keys)
        .select_related("policy")
        .prefetch_related("policy__authorities")
        .prefetch_related(Prefetch("review_tasks", queryset=tasks, to_attr="asked"))
        .order_by("pk")
    )
    now = timezone.now()
    rows = []
    for application in applications:
        asked: list[ReviewTask] = getattr(application, "asked")  # noqa: B009
        still_open = (task for task in asked if task.status == TaskStatus.OPEN)
        task = next(still_open, asked[-1] if asked else None)
        try:
            if task is None:
                raise NothingToDecide(reference=application.reference, status=application.status)
            right = decisions.decision_check(application=application, task=task, user=user, now=now)
        except DomainError as refused:
            rows.append(Row(application, task, str(refused)))
        else:
            rows.append(Row(application, task, "", right))
    return rows


def _kinds(read: list[Read]) -> list[TaskKind]:
    """What the rows are asked: it says which reasons to decline fit."""
    tasks = ReviewTask.objects.filter(pk__in=[row.task for row in read], kind__in=STAFF_KINDS)
    found = tasks.order_by().values_list("kind", flat=True).distinct()
    return [TaskKind(kind) for kind in found] or list(STAFF_KINDS)


def _report(
    model_admin: "BulkDecisionListAdmin", request: HttpRequest, result: Result, *, all_failed: bool
) -> None:
    """Messages. Where the list draws the rows that failed, it leaves out the last one.

    The page of the run has every one of them, so it is told of the first few.
    """
    if result.decided:
        many = "application" if result.decided == 1 else "applications"
        model_admin.message_user(
            request, f"{result.decided} {many} {result.said}.", messages.SUCCESS
        )
    if result.repeated:
        again = (
            f"{result.repeated} not {result.said} again: already {result.said} by you, "
            "nothing changed."
        )
        model_admin.message_user(request, again, messages.INFO)
    if result.failed:
        said = result.failed if all_failed else result.failed[:MOST_SAID]
        sentences = format_html_join(
            "", '<span class="failed-row">{}</span>', ((row.sentence,) for row in said)
        )
        if len(said) < len(result.failed):
            sentences = format_html("{}{}", sentences, "The others are below.")
        head = f"{len(result.failed)} not {result.said}, nothing recorded for them:"
        model_admin.message_user(
            request,
            format_html("{}{}", head, sentences),
            messages.ERROR,
            extra_tags=bulk_result.TAG,
        )


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:applications_loanapplication_changelist"))


def _ask(
    model_admin: NoDeleteAdmin[Any],
    request: HttpRequest,
    rows: list[Row],
    outcome: Outcome,
    *,
    form: BulkDecideForm | None = None,
    narrowed: Narrowed | None = None,
    back: str = "",
) -> HttpResponse:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    ready = [row for row in rows if not row.why_not]
    for row in ready:
        totals[row.application.currency] += row.application.loan_amount
    verb = "Approve" if outcome == Outcome.APPROVE else "Decline"
    many = "application" if len(ready) == 1 else "applications"
    return admin_page(
        model_admin,
        request,
        "reviews/admin/bulk_preview.html",
        title=f"{verb} selected applications",
        # The page is drawn at the list's own address, which would not know the answer.
        action=reverse("admin:applications_loanapplication_decide_selected", args=[outcome.value]),
        ready=ready,
        refused=[row for row in rows if row.why_not],
        narrowed=narrowed,
        back=back,
        totals=sorted(totals.items()),
        form=form or BulkDecideForm(outcome=outcome, kinds=_kinds_of(ready)),
        button=f"{verb} {len(ready)} {many}",
        outcome=outcome.value,
        tone="good" if outcome == Outcome.APPROVE else "bad",
    )


def _kinds_of(rows: Iterable[Row]) -> list[TaskKind]:
    return [*{TaskKind(row.task.kind) for row in rows if row.task is not None}] or list(STAFF_KINDS)


class BulkDecisionListAdmin(NoDeleteAdmin[LoanApplication]):
    """A list of applications from which many are decided at once."""

    actions = ("approve_selected", "decline_selected")
    change_list_template = "reviews/admin/application_list.html"

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """For the actions: may this person decide anything that is decided in bulk?"""
        return decisions.may_decide_some(user=staff(request), kinds=STAFF_KINDS)

    def bulk_carry_on(self, run: BulkDecision) -> None:
        """Decide the rows of a run. The workflow knows how the answers leave together."""
        bulk_decisions.bulk_carry_on(run=run)

    @admin.action(permissions=["decide"], description="Approve selected applications")
    def approve_selected(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> HttpResponse | None:
        return preview(self, request, queryset, outcome="approve")

    @admin.action(permissions=["decide"], description="Decline selected applications")
    def decline_selected(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> HttpResponse | None:
        return preview(self, request, queryset, outcome="decline")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**result_context(self, request), **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "decide/<str:outcome>/",
                self.admin_site.admin_view(decide_view),
                {"model_admin": self},
                name="applications_loanapplication_decide_selected",
            ),
            path(
                "go-on/<int:pk>/",
                self.admin_site.admin_view(go_on_view),
                {"model_admin": self},
                name="applications_loanapplication_go_on",
            ),
            *super().get_urls(),
        ]
