"""Approve or decline many applications: a preview of every row, then one call for each.

Each row is decided in its own transaction, so a row that fails undoes no other. The
version that the preview showed travels with the row. Rows that fail stay selected above
the list (``bulk_result``), from where they go to the preview again.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.db.models import F, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from applications import selectors
from applications.admin import bulk_result
from applications.admin.base import staff
from applications.admin.bulk_result import Failed, Result
from applications.admin.forms import BulkDecideForm
from applications.admin.views import confirmation
from applications.errors import AlreadyDecided, ApplicationsError, NothingToDecide
from applications.locking import is_contention
from applications.models import LoanApplication, ReviewTask
from applications.services import review
from applications.vocabulary import Outcome, TaskKind, TaskStatus

if TYPE_CHECKING:
    from applications.admin.listing import ApplicationListAdmin

# What an applicant answers is typed in one by one.
KINDS = (TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW)
# Fields in one form are limited (DATA_UPLOAD_MAX_NUMBER_FIELDS), and so is patience.
MOST = 500
IN_THE_WAY = "Somebody else was changing it at the same moment."
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


@dataclass(frozen=True)
class NotDecided:
    """A row of the last decision as it stands now; ``why`` is true now too."""

    row: Row
    why: str


@dataclass(frozen=True, order=True)
class Read:
    """A row as it comes back from the form; they sort by primary key."""

    application: int
    task: int
    version: int


def preview(
    model_admin: "ApplicationListAdmin",
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
    request: HttpRequest, *, outcome: str, model_admin: "ApplicationListAdmin"
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
    form = BulkDecideForm(request.POST, outcome=wanted, kinds=KINDS)
    again = "again" in request.POST
    if again:
        form = BulkDecideForm(
            initial={"reason": request.POST.get("reason")}, outcome=wanted, kinds=KINDS
        )
    if again or not form.is_valid():
        return _ask(
            model_admin, request, rows_of([row.application for row in read], user), wanted, form
        )
    result = _decide(read, user, wanted, form.cleaned_data["reason"])
    bulk_result.keep(request, result)
    _report(model_admin, request, result)
    return _to_list()


def result_context(model_admin: "ApplicationListAdmin", request: HttpRequest) -> dict[str, object]:
    """What ``applications/admin/bulk_result.html`` draws above the list; empty mostly."""
    result = bulk_result.kept(request)
    if result is None or not model_admin.has_decide_permission(request):
        return {}
    said = {failed.application: failed.why for failed in result.failed}
    rows = rows_of(list(said), staff(request))
    return {
        "bulk_result": result,
        # What stood in the way then, or what does now: a case may have gone on since.
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
    tasks = ReviewTask.objects.filter(kind__in=KINDS, attempt=F("application__attempt")).order_by(
        "opened_at", "pk"
    )
    applications = (
        LoanApplication.objects.filter(pk__in=keys)
        .select_related("policy")
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
            review.decision_check(application=application, task=task, user=user, now=now)
        except ApplicationsError as refused:
            rows.append(Row(application, task, str(refused)))
        else:
            rows.append(Row(application, task, ""))
    return rows


def _decide(read: list[Read], user: User, outcome: Outcome, reason: str) -> Result:
    tasks = ReviewTask.objects.filter(kind__in=KINDS).select_related("application")
    by_key = tasks.in_bulk([row.task for row in read])
    decided = repeated = 0
    failed = []
    for row in read:
        task = by_key.get(row.task)
        if task is None or task.application_id != row.application:
            continue
        refused = _decide_row(task, user, outcome, reason, row.version)
        if refused is None:
            decided += 1
        elif isinstance(refused, AlreadyDecided) and selectors.answered_alike(
            task=task, user=user, outcome=outcome
        ):
            repeated += 1
        else:
            why = str(refused) if isinstance(refused, ApplicationsError) else IN_THE_WAY
            failed.append(Failed(row.application, task.application.reference, why))
    return Result(outcome, reason, decided, repeated, tuple(failed))


def _decide_row(
    task: ReviewTask, user: User, outcome: Outcome, reason: str, version: int
) -> ApplicationsError | OperationalError | None:
    """Decide one row; what refused it, if something did.

    Once more when the database rolled it back because somebody else was in its way.
    """
    lost = None
    for _ in range(2):
        try:
            review.task_decide(
                task=task, user=user, outcome=outcome, reason=reason, version=version
            )
        except ApplicationsError as refused:
            return refused
        except OperationalError as error:
            if not is_contention(error):
                raise
            lost = error
        else:
            return None
    return lost


def _report(model_admin: "ApplicationListAdmin", request: HttpRequest, result: Result) -> None:
    """Messages. Where the list draws the rows that failed, it leaves out the last one."""
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
        sentences = format_html_join(
            "", '<span class="failed-row">{}</span>', ((row.sentence,) for row in result.failed)
        )
        head = f"{len(result.failed)} not {result.said}, nothing recorded for them:"
        model_admin.message_user(
            request,
            format_html("{}{}", head, sentences),
            messages.ERROR,
            extra_tags=bulk_result.TAG,
        )
    if not result.total:
        model_admin.message_user(request, "Nothing was selected.", messages.WARNING)


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:applications_loanapplication_changelist"))


def _ask(
    model_admin: "ApplicationListAdmin",
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
        form=form or BulkDecideForm(outcome=outcome, kinds=KINDS),
        button=f"{verb} {len(ready)} {many}",
        outcome=outcome.value,
        tone="good" if outcome == Outcome.APPROVE else "bad",
    )
