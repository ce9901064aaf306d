"""Approve or decline many applications: a preview of every row, then one call for each.

Each row is decided in its own transaction, so a row that fails undoes no other. The
version that the preview showed travels with the row.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from applications.admin.base import staff
from applications.admin.forms import BulkDecideForm
from applications.admin.views import confirmation
from applications.errors import ApplicationsError, NothingToDecide
from applications.models import LoanApplication, ReviewTask
from applications.services import review
from applications.vocabulary import Outcome, TaskKind, TaskStatus

if TYPE_CHECKING:
    from applications.admin.application import LoanApplicationAdmin

# What an applicant answers is typed in one by one.
KINDS = (TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW)
# Fields in one form are limited (DATA_UPLOAD_MAX_NUMBER_FIELDS), and so is patience.
MOST = 500
CARRIED = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):([0-9]{1,9})")


@dataclass(frozen=True)
class Row:
    application: LoanApplication
    task: ReviewTask | None
    why_not: str

    @property
    def carried(self) -> str:
        """What the form carries of this row: application, task, and the version read."""
        task = self.task.pk if self.task is not None else 0
        return f"{self.application.pk}:{task}:{self.application.version}"


@dataclass(frozen=True, order=True)
class Read:
    """A row as it comes back from the form; they sort by primary key."""

    application: int
    task: int
    version: int


def preview(
    model_admin: "LoanApplicationAdmin",
    request: HttpRequest,
    queryset: QuerySet[LoanApplication],
    *,
    outcome: str,
) -> HttpResponse | None:
    """The page that shows what would be decided, and what cannot be and why."""
    chosen = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if len(chosen) > MOST:
        model_admin.message_user(
            request,
            f"At most {MOST} applications are decided at once; choose fewer.",
            messages.WARNING,
        )
        return None
    return _ask(model_admin, request, rows_of(chosen, staff(request)), Outcome(outcome))


@require_POST
def decide_view(
    request: HttpRequest, *, outcome: str, model_admin: "LoanApplicationAdmin"
) -> HttpResponse:
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise Http404
    if not model_admin.has_decide_permission(request):
        raise PermissionDenied
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    wanted = Outcome(outcome)
    user = staff(request)
    read = rows_read(request.POST.getlist("row"))
    form = BulkDecideForm(request.POST, outcome=wanted)
    if not form.is_valid():
        return _ask(
            model_admin, request, rows_of([row.application for row in read], user), wanted, form
        )
    done, failed = _decide(read, user, wanted, form.cleaned_data["reason"])
    _report(model_admin, request, wanted, done, failed)
    return HttpResponseRedirect(reverse("admin:applications_loanapplication_changelist"))


def rows_read(carried: list[str]) -> list[Read]:
    """What the form carried, in the order of the keys; anything else in there is left out."""
    matches = (CARRIED.fullmatch(row) for row in carried[:MOST])
    return sorted({Read(*map(int, match.groups())) for match in matches if match})


def rows_of(keys: list[int], user: User) -> list[Row]:
    """The applications with their open task and what stands in the way, by primary key."""
    tasks = ReviewTask.objects.filter(status=TaskStatus.OPEN, kind__in=KINDS)
    applications = (
        LoanApplication.objects.filter(pk__in=keys)
        .select_related("policy")
        .prefetch_related(Prefetch("review_tasks", queryset=tasks, to_attr="open_tasks"))
        .order_by("pk")
    )
    now = timezone.now()
    rows = []
    for application in applications:
        open_tasks: list[ReviewTask] = getattr(application, "open_tasks")  # noqa: B009
        task = open_tasks[0] if open_tasks else None
        try:
            if task is None:
                raise NothingToDecide(reference=application.reference, status=application.status)
            review.decision_check(application=application, task=task, user=user, now=now)
        except ApplicationsError as refused:
            rows.append(Row(application, task, str(refused)))
        else:
            rows.append(Row(application, task, ""))
    return rows


def _decide(
    read: list[Read], user: User, outcome: Outcome, reason: str
) -> tuple[int, list[tuple[str, str]]]:
    """How many were decided, and reference and sentence of those that were not."""
    tasks = ReviewTask.objects.filter(kind__in=KINDS).select_related("application")
    by_key = tasks.in_bulk([row.task for row in read])
    done = 0
    failed = []
    for row in read:
        task = by_key.get(row.task)
        if task is None or task.application_id != row.application:
            continue
        try:
            review.task_decide(
                task=task, user=user, outcome=outcome, reason=reason, version=row.version
            )
        except ApplicationsError as refused:
            failed.append((task.application.reference, str(refused)))
        else:
            done += 1
    return done, failed


def _report(
    model_admin: "LoanApplicationAdmin",
    request: HttpRequest,
    outcome: Outcome,
    done: int,
    failed: list[tuple[str, str]],
) -> None:
    said = "approved" if outcome == Outcome.APPROVE else "declined"
    if done:
        many = "application" if done == 1 else "applications"
        model_admin.message_user(request, f"{done} {many} {said}.", messages.SUCCESS)
    if failed:
        sentences = format_html_join(
            "",
            '<span class="failed-row">{}</span>',
            # Most sentences name their application; one that does not is told apart.
            ((why if reference in why else f"{reference}: {why}",) for reference, why in failed),
        )
        head = f"{len(failed)} not {said}, nothing recorded for them:"
        model_admin.message_user(request, format_html("{}{}", head, sentences), messages.ERROR)
    if not done and not failed:
        model_admin.message_user(request, "Nothing was selected.", messages.WARNING)


def _ask(
    model_admin: "LoanApplicationAdmin",
    request: HttpRequest,
    rows: list[Row],
    outcome: Outcome,
    form: BulkDecideForm | None = None,
) -> HttpResponse:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    ready = [row for row in rows if not row.why_not]
    for row in ready:
        totals[row.application.currency] += row.application.loan_amount
    verb = "Approve" if outcome == Outcome.APPROVE else "Decline"
    many = "application" if len(ready) == 1 else "applications"
    return confirmation(
        model_admin,
        request,
        "applications/admin/bulk.html",
        title=f"{verb} selected applications",
        # The page is drawn at the list's own address, which would not know the answer.
        action=reverse("admin:applications_loanapplication_decide_selected", args=[outcome.value]),
        ready=ready,
        refused=[row for row in rows if row.why_not],
        totals=sorted(totals.items()),
        form=form or BulkDecideForm(outcome=outcome),
        button=f"{verb} {len(ready)} {many}",
        outcome=outcome.value,
        tone="good" if outcome == Outcome.APPROVE else "bad",
    )
