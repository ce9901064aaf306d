"""Review tasks and decisions in the admin: read-only, written by services."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from applications.admin.application_page import reason_texts
from applications.admin.contact_reveal import is_shown
from applications.admin.view_helpers import ApplicationColumn
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import badge, clock, deadline, due_in_words, moment, money, person_name
from core.admin.live_lists import LiveListAdmin
from core.admin.orders import BY_STATUS, Order
from core.admin.paging import BoundedChangeList
from core.admin.row_actions import row_url
from lending.choices import Outcome
from reviews.admin import bulk_preview, claims
from reviews.admin.display import done_badge, late_badge, voided_badge
from reviews.admin.figures import Figures, figures_of
from reviews.admin.filters import DecidedByMe, Overdue, Waited, WaitingOnMe
from reviews.admin.information import SendBack, question_state, send_back_url
from reviews.admin.queue import decide_url
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, STAFF_KINDS
from reviews.models import InformationRequest, ReviewDecision, ReviewTask
from reviews.selectors import approvals_counting, questions_of
from reviews.services import decisions
from reviews.services.authority import claim_stands

LINK = (
    '<a class="press press-quiet" href="{}" data-key="{}">{}'
    '<span class="visually-hidden"> {}</span></a>'
)

# What *My approvals* says of what others have claimed, by the filter that makes it.
CLAIMED = {
    "yes": "stays in the list until they decide it or release it",
    "free": "is not listed here",
}


def is_mine(request: HttpRequest) -> bool:
    """Tell whether the list is "My approvals"."""
    return request.GET.get(WaitingOnMe.parameter_name) in CLAIMED


class TaskChangeList(BoundedChangeList):
    """Loads grades, approvals and questions for the tasks of the shown page only.

    As annotations of the query they would be computed for every task that is sorted.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.preserved_filters = ""  # for a row's page, which belongs to another list
        self.result_list = rows_shown(list(self.result_list), request)

    def url_for_result(self, result: Any) -> str:
        """Return the page of the application: it has the buttons, and all that a task says."""
        return row_url(result.application)


def rows_shown(tasks: list[ReviewTask], request: HttpRequest) -> list[ReviewTask]:
    """Set of each task its ``figures``, the approvals ``given``, its last ``question``, and more.

    ``carried`` is the query string of the list where this person can decide the task, else empty.
    """
    found = figures_of(tasks, income_shown=lambda application: is_shown(request, application))
    given = dict(
        approvals_counting()
        .filter(task__in=[task.pk for task in tasks])
        .order_by()
        .values_list("task")
        .annotate(Count("pk"))
    )
    questions = questions_of(tasks)
    now, me, carried = timezone.now(), staff(request).pk, request.GET.urlencode()
    for task in tasks:
        is_free = task.claimed_by_id in {None, me} or not claim_stands(task, now)
        vars(task).update(
            figures=found[task.pk],
            given=given.get(task.pk, 0),
            question=questions.get(task.pk),
            carried=carried if is_free and is_mine(request) else "",
        )
    return tasks


class ReviewTaskAdmin(ApplicationColumn, ReadOnlyAdmin[ReviewTask], LiveListAdmin[ReviewTask]):
    """All review tasks; ``?mine=yes`` is the work list of deciders."""

    changelist_class = TaskChangeList

    class Media:
        js = (Script("core/list_keys.js", defer=True),)

    list_display = (
        "application_named",
        "kind",
        "amount",
        "asked_of",
        "status_shown",
        "due",
        "claim",
        "asked_again",
    )
    mine_display = ("application_named", "amount", "why", "grade", "share", "due_soon", "decide")
    list_filter = (WaitingOnMe, Overdue, Waited, "status", "kind", "assigned_role")
    list_select_related = (
        "application__partner",
        "application__submitted_by",
        "claimed_by",
    )
    counts_status = True
    # All that can be "mine" is open, and few. By status is by the word that is shown.
    orders = {
        "due": Order(("due_at", "id"), beside=None),
        "due_soon": Order(("due_at", "id"), beside=None),
        "status_shown": Order(("status", "due_at", "id"), beside=BY_STATUS),
    }
    fields = (
        "application",
        ("attempt", "kind", "number"),
        ("status", "outcome", "assigned_role", "approvals_required"),
        "reasons_in_words",
        ("opened_at", "due_at", "expires_at", "closed_at"),
        ("reminded_at", "escalated_at", "undecidable_since", "sent_back_at"),
        ("claimed_by", "claimed_at"),
    )
    empty_list_text = (
        "A task appears here when the workflow asks a person: a manager about an amount or a "
        "referral, a risk analyst about a fraud flag, an applicant about an offer."
    )
    actions = ("approve_selected", "decline_selected", "claim_selected", "release_selected")

    def all_columns(self, request: HttpRequest) -> tuple[str, ...]:
        return self.mine_display if is_mine(request) else self.list_display

    def list_variant(self, request: HttpRequest) -> str:
        return "mine" if is_mine(request) else ""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context: dict[str, Any] = {"title": "Review tasks"}
        if is_mine(request):
            context = {
                "title": "My approvals",
                "is_mine": True,
                "nothing_here": "Nothing waits on you.",
                "empty_list_text": (
                    "What you may decide appears here, in your own right or on behalf of whoever "
                    "handed their tasks to you: the oldest due first. What somebody else has "
                    f"claimed {CLAIMED[request.GET[WaitingOnMe.parameter_name]]}."
                ),
            }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def row_state(self, row: ReviewTask) -> tuple[object, ...]:
        """Add what the list shows of the application, and approvals that were given."""
        return (*super().row_state(row), row.application.updated_at, getattr(row, "given", 0))

    # --- Actions --------------------------------------------------------------------------

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may decide anything that can be decided in bulk."""
        return decisions.may_decide_some(user=staff(request), kinds=STAFF_KINDS)

    @admin.action(permissions=["decide"], description="Approve selected tasks")
    def approve_selected(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> HttpResponse | None:
        return bulk_preview.preview(self, request, queryset, outcome="approve")

    @admin.action(permissions=["decide"], description="Decline selected tasks")
    def decline_selected(
        self, request: HttpRequest, queryset: QuerySet[ReviewTask]
    ) -> HttpResponse | None:
        return bulk_preview.preview(self, request, queryset, outcome="decline")

    @admin.action(permissions=["decide"], description="Claim selected tasks")
    def claim_selected(self, request: HttpRequest, queryset: QuerySet[ReviewTask]) -> None:
        claims.claim_many(self, request, queryset)

    @admin.action(permissions=["decide"], description="Release selected tasks")
    def release_selected(self, request: HttpRequest, queryset: QuerySet[ReviewTask]) -> None:
        claims.release_many(self, request, queryset)

    # --- Columns --------------------------------------------------------------------------

    @admin.display(description="Application")
    def application_named(self, task: ReviewTask) -> SafeString:
        """The reference, the applicant, and the partner or the person that submitted it."""
        application = task.application
        by = application.partner or application.submitted_by
        return format_html(
            '{}<br><span class="row-who">{}{}</span>',
            application.reference,
            application.applicant_name,
            f", by {by}" if by else "",
        )

    @admin.display(description="Amount")
    def amount(self, task: ReviewTask) -> SafeString:
        return money(task.application.loan_amount, task.application.currency)

    @admin.display(description="Why")
    def why(self, task: ReviewTask) -> SafeString | str:
        """The reasons to ask, approvals given where more than one is required, and the question."""
        words: SafeString | str = "; ".join(_figures(task).why)
        if task.approvals_required > 1:
            given = f"{getattr(task, 'given', 0)} of {task.approvals_required} given"
            words = format_html('{} <span class="quiet">{}</span>', words, given)
        if (question := _question(task)) is None:
            return words
        return format_html('{} <span class="quiet">{}</span>', words, question_state(question))

    @admin.display(description="Reasons", empty_value="-")
    def reasons_in_words(self, task: ReviewTask) -> str:
        return reason_texts(task.reasons)

    @admin.display(description="Tier and score", empty_value="")
    def grade(self, task: ReviewTask) -> SafeString | str:
        known = _figures(task)
        return format_html('{} <span class="quiet">{}</span>', known.tier, known.score)

    @admin.display(description="Instalment", empty_value="")
    def share(self, task: ReviewTask) -> SafeString | str:
        """The real instalment a month, and which share of the income it is."""
        known = _figures(task)
        if known.instalment is None:
            return ""
        shown = money(known.instalment, task.application.currency)
        return format_html('{} <span class="quiet">{}</span>', shown, known.share)

    @admin.display(description="Due", ordering="due_at")
    def due_soon(self, task: ReviewTask) -> SafeString:
        return due_in_words(task.due_at, task.expires_at)

    @admin.display(description="Decide")
    def decide(self, task: ReviewTask) -> SafeString:
        """The links to decide it or send it back, or who has claimed it; who did sees both."""
        carried = getattr(task, "carried", "")
        if not carried:
            return format_html("{}", self.claim(task))
        words, reference = REVIEW_KINDS[TaskKind(task.kind)].words, task.application.reference
        links = [
            (decide_url(task, outcome, carried), key, words[outcome], reference)
            for outcome, key in ((Outcome.APPROVE, "a"), (Outcome.DECLINE, "d"))
        ]
        question = _question(task)
        if task.kind in STAFF_KINDS and not (question and question.is_open):
            links.append((send_back_url(task, carried), "s", SendBack.label, reference))
        return format_html(
            '<span class="row-links">{}</span> {}',
            format_html_join(" ", LINK, links),
            self.claim(task),
        )

    @admin.display(description="Claimed by", empty_value="")
    def claim(self, task: ReviewTask) -> SafeString | str:
        if not claim_stands(task, timezone.now()) or task.claimed_by is None:
            return ""
        return format_html(
            '{} <span class="quiet">since {}</span>',
            badge(person_name(task.claimed_by), "info"),
            clock(task.claimed_at or task.opened_at),
        )

    @admin.display(description="Asked of")
    def asked_of(self, task: ReviewTask) -> str:
        """Whom an open task waits for, as everywhere; of a closed one the role that was asked."""
        waits = task.status == TaskStatus.OPEN and task.application.waiting_on
        role = task.application.get_waiting_on_display if waits else task.get_assigned_role_display
        return role()

    @admin.display(description="Status", ordering="status")
    def status_shown(self, task: ReviewTask) -> SafeString:
        return badge(
            task.get_status_display(), "wait" if task.status == TaskStatus.OPEN else "quiet"
        )

    @admin.display(description="Deadline", ordering="due_at")
    def due(self, task: ReviewTask) -> SafeString:
        if task.status != TaskStatus.OPEN:
            return format_html("Due {}", moment(task.due_at))
        overdue = badge("Overdue", "alert") if task.due_at <= timezone.now() else ""
        return format_html("{} {}", deadline(task.due_at, task.expires_at), overdue)

    @admin.display(description="Asked again", empty_value="")
    def asked_again(self, task: ReviewTask) -> SafeString | str:
        """The escalation to senior managers, or the reminder before it."""
        is_open = task.status == TaskStatus.OPEN
        if task.escalated_at is not None:
            shown = badge("Escalated", "alert" if is_open else "quiet")
            at = task.escalated_at
        elif task.reminded_at is not None:
            shown = badge("Reminded", "wait" if is_open else "quiet")
            at = task.reminded_at
        else:
            return ""
        return format_html('{} <span class="quiet">{}</span>', shown, moment(at))


def _figures(task: ReviewTask) -> Figures:
    """Return what ``rows_shown`` has set."""
    known: Figures = vars(task)["figures"]
    return known


def _question(task: ReviewTask) -> InformationRequest | None:
    """Return the last question of a task, which ``rows_shown`` has set."""
    found: InformationRequest | None = vars(task)["question"]
    return found


class ReviewDecisionAdmin(ApplicationColumn, ReadOnlyAdmin[ReviewDecision]):
    list_display = ("decided_at", "application_shown", "asked", "answer", "by", "reason")
    list_filter = (DecidedByMe, "outcome", "late", "task__kind")
    application_path = "task.application"
    empty_list_text = (
        "Every answer that a person gives to a review task is kept here, with its reason."
    )
    fields = (
        "application_shown",
        "asked",
        "answer",
        "by",
        "reason",
        "application_version",
        "decided_at",
        "voided_at",
        "voided_because",
    )
    orders = {"decided_at": Order(("decided_at", "id"), beside=None)}

    @admin.display(description="Asked")
    def asked(self, decision: ReviewDecision) -> str:
        return decision.task.get_kind_display()

    @admin.display(description="Answer")
    def answer(self, decision: ReviewDecision) -> SafeString:
        """The badge of the outcome; one that came too late or counts no more has another."""
        if decision.late:
            outcome = decision.get_outcome_display().lower()
            return format_html('{} <span class="quiet">{}</span>', late_badge(), outcome)
        if decision.voided_at is not None:
            outcome = decision.get_outcome_display().lower()
            return format_html('{} <span class="quiet">{}</span>', voided_badge(), outcome)
        return done_badge(decision.task.kind, decision.outcome)

    @admin.display(description="Decided by")
    def by(self, decision: ReviewDecision) -> str:
        decider = person_name(decision.decided_by) or str(decision.partner)
        right = decision.on_behalf_of
        return f"{decider} on behalf of {person_name(right)}" if right is not None else decider

    def get_queryset(self, request: HttpRequest) -> Any:
        related = ("task__application", "decided_by", "partner", "on_behalf_of")
        return super().get_queryset(request).select_related(*related)
