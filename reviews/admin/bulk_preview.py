"""Approve or decline many applications: a preview of every row, then one service call for all.

The form carries the version of each row that the preview showed, and a token: sent twice it is
the same bulk decision (``services.bulk_decisions``). The result of each row is a page of its own
(``bulk_decisions``); those that failed stay selected there and above the list (``bulk_result``),
from where they can be previewed again.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4, uuid5

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

from applications.contributions import with_contributions
from applications.models import LoanApplication
from applications.selectors import similar_applications
from core.admin.base import NoDeleteAdmin, staff
from core.admin.view_helpers import admin_page
from core.errors import DomainError
from lending.choices import Outcome
from reviews.admin import bulk_result
from reviews.admin.bulk_choice import Chosen, application_keys, counted_text, tasks_of
from reviews.admin.bulk_groups import Row, grouped, totals
from reviews.admin.bulk_result import Result
from reviews.admin.forms import BulkDecideForm
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import NothingToDecide
from reviews.kinds import STAFF_KINDS
from reviews.models import BulkDecision, ReviewTask
from reviews.services import bulk_decisions, decisions
from reviews.services.authority import facts_of
from reviews.services.bulk_decisions import Read
from reviews.services.delegation import Rights

MOST = bulk_decisions.MOST
# The most refused rows in a message, where a table has all of them.
MOST_LISTED = 3
CARRIED = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):([0-9]{1,9})")
LONGEST_KEY = 18  # digits


@dataclass(frozen=True)
class Narrowed:
    """More applications match than can be decided at once: ``taken`` of ``matching`` are shown."""

    matching: str
    taken: int
    most: int


@dataclass(frozen=True)
class NotDecided:
    """A row that the last bulk decision did not decide, with its state now."""

    row: Row
    why: str


def preview(
    model_admin: NoDeleteAdmin[Any],
    request: HttpRequest,
    queryset: Chosen,
    *,
    outcome: str,
) -> HttpResponse | None:
    """Render what would be decided, and what cannot be and why.

    Applications are chosen, or tasks, which stand for their applications. When more match a filter
    than can be decided at once, it takes the oldest that this person can decide; the page says how
    many match.
    """
    user = staff(request)
    chosen = application_keys(queryset, most=MOST + 1)
    narrowed = None
    if len(chosen) > MOST:
        if request.POST.get("select_across") != "1":
            model_admin.message_user(
                request,
                f"At most {MOST:,} applications are decided at once; choose fewer.",
                messages.WARNING,
            )
            return None
        mine = decisions.tasks_decidable(user=user, now=timezone.now(), among=tasks_of(queryset))
        chosen = application_keys(mine.filter(kind__in=STAFF_KINDS), most=MOST)
        narrowed = Narrowed(counted_text(queryset), len(chosen), MOST)
    return _ask(
        model_admin,
        request,
        rows_of(chosen, user),
        Outcome(outcome),
        narrowed=narrowed,
        back=request.get_full_path(),
    )


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
    ticked = {row.application for row in read}
    if "again" in request.POST:
        posted = {name: request.POST.get(name, "") for name in ("reason", "reason_code")}
        form = BulkDecideForm(initial=posted, outcome=wanted, kinds=kinds)
    else:
        form = BulkDecideForm(request.POST, outcome=wanted, kinds=kinds)
    if not form.is_valid():
        rows = rows_of([*ticked | shown_before(request)], user)
        return _ask(model_admin, request, rows, wanted, form=form, ticked=ticked)
    token = form.cleaned_data["run"]
    # The same form with other ticks is another decision.
    this = uuid5(token, ",".join(map(str, read))) if token else uuid4()
    run = bulk_decisions.bulk_begin(user=user, token=this, outcome=wanted, rows=read, **form.given)
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
    """Decide the remaining rows and redirect to the result.

    A form without a token was rendered by the previous release; it returns to the list.
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
    """Decide the rows that were not reached: it took too long, or the process died."""
    if not model_admin.has_decide_permission(request):
        raise PermissionDenied
    return carry_on(
        model_admin, request, get_object_or_404(BulkDecision, pk=pk, decided_by=staff(request))
    )


def result_context(model_admin: "BulkDecisionListAdmin", request: HttpRequest) -> dict[str, object]:
    """Return the context of ``reviews/admin/bulk_result.html`` above the list; mostly empty."""
    if not model_admin.has_decide_permission(request):
        return {}
    result = bulk_result.kept(request)
    if result is None:
        return {}
    reasons = {failed.application_id: failed.why for failed in result.failed}
    rows = rows_of(list(reasons), staff(request))
    return {
        "bulk_result": result,
        # The reason now, or the one at that time: the application may have changed since.
        "not_decided": [
            NotDecided(row, row.why_not or reasons[row.application.pk]) for row in rows
        ],
        "bulk_result_tag": bulk_result.TAG,
    }


def rows_read(carried: list[str]) -> list[Read]:
    """Parse the rows that the form carried, in the order of their keys; ignore anything else."""
    matches = (CARRIED.fullmatch(row) for row in carried[:MOST])
    return sorted({Read(*map(int, match.groups())) for match in matches if match})


def shown_before(request: HttpRequest) -> set[int]:
    """Return the applications of the preview that was sent, ticked or not."""
    found = (key for key in request.POST.get("shown", "").split(",")[:MOST] if key.isdecimal())
    return {int(key) for key in found if len(key) <= LONGEST_KEY}


def rows_of(keys: list[int], user: User) -> list[Row]:
    """Return the applications with their task and why it cannot be decided, by primary key.

    It is the open task, or the last one of this attempt, whose decision says who was first.
    """
    tasks = (
        ReviewTask.objects.filter(kind__in=STAFF_KINDS, attempt=F("application__attempt"))
        .select_related("claimed_by")
        .order_by("opened_at", "pk")
    )
    applications = (
        with_contributions(LoanApplication.objects.filter(pk__in=keys))
        .select_related("policy")
        .prefetch_related("policy__authorities")
        .prefetch_related(Prefetch("review_tasks", queryset=tasks, to_attr="asked"))
        .order_by("pk")
    )
    now = timezone.now()
    rights = Rights(user, now)
    similar = similar_applications(list(applications))
    shown = {application.pk: _task_shown(application) for application in applications}
    found = facts_of([task for task in shown.values() if task is not None])
    facts = {each.task.pk: each for each in found}
    rows = []
    for application in applications:
        task = shown[application.pk]
        try:
            if task is None:
                raise NothingToDecide(reference=application.reference, status=application.status)
            right = decisions.facts_check(facts=facts[task.pk], rights=rights, now=now)
        except DomainError as refused:
            rows.append(Row(application, task, str(refused)))
        else:
            rows.append(Row(application, task, "", right, similar.get(application.pk, ())))
    return rows


def _task_shown(application: LoanApplication) -> ReviewTask | None:
    asked: list[ReviewTask] = getattr(application, "asked")  # noqa: B009
    still_open = (task for task in asked if task.status == TaskStatus.OPEN)
    return next(still_open, asked[-1] if asked else None)


def _kinds(read: list[Read]) -> list[TaskKind]:
    """Return the kinds of the rows' tasks: they determine the reasons to decline."""
    tasks = ReviewTask.objects.filter(pk__in=[row.task for row in read], kind__in=STAFF_KINDS)
    found = tasks.order_by().values_list("kind", flat=True).distinct()
    return [TaskKind(kind) for kind in found] or list(STAFF_KINDS)


def _report(
    model_admin: "BulkDecisionListAdmin", request: HttpRequest, result: Result, *, all_failed: bool
) -> None:
    """Add the messages: how many were decided, repeated and refused, and why.

    The page of the bulk decision lists every refused row, so its message has the first few.
    """
    if result.decided:
        many = "application" if result.decided == 1 else "applications"
        model_admin.message_user(
            request, f"{result.decided:,} {many} {result.outcome_word}.", messages.SUCCESS
        )
    if result.repeated:
        word = result.outcome_word
        again = f"{result.repeated:,} not {word} again: already {word} by you, nothing changed."
        model_admin.message_user(request, again, messages.INFO)
    if result.failed:
        listed = result.failed if all_failed else result.failed[:MOST_LISTED]
        sentences = format_html_join(
            "", '<span class="failed-row">{}</span>', ((row.sentence,) for row in listed)
        )
        if len(listed) < len(result.failed):
            sentences = format_html("{}{}", sentences, "The others are below.")
        head = f"{len(result.failed):,} not {result.outcome_word}, nothing recorded for them:"
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
    ticked: Collection[int] | None = None,
) -> HttpResponse:
    ready = [row for row in rows if not row.why_not]
    groups = grouped(ready, request, ticked=ticked)
    chosen = [each.row for group in groups for each in group.rows if each.ticked]
    verb = "Approve" if outcome == Outcome.APPROVE else "Decline"
    return admin_page(
        model_admin,
        request,
        "reviews/admin/bulk_preview.html",
        title=f"{verb} selected applications",
        # The page has the address of the list, which does not know the outcome.
        action=reverse("admin:applications_loanapplication_decide_selected", args=[outcome.value]),
        ready=ready,
        groups=groups,
        shown=",".join(str(row.application.pk) for row in ready),
        refused=[row for row in rows if row.why_not],
        narrowed=narrowed,
        back=back,
        totals=totals(chosen),
        form=form or BulkDecideForm(outcome=outcome, kinds=_kinds_of(ready)),
        button=f"{verb} the ticked applications",
        verb=verb,
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
        """Tell whether this person may decide anything that can be decided in bulk."""
        return decisions.may_decide_some(user=staff(request), kinds=STAFF_KINDS)

    def bulk_carry_on(self, run: BulkDecision) -> None:
        """Decide the remaining rows; ``workflows`` sends their answers together."""
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
