"""What was asked, answered, offered and paid: lists to look into. Services write them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.admin.base import ReadOnlyAdmin
from applications.admin.display import badge, late_badge, moment, money, outcome_badge
from applications.admin.filters import Overdue, WaitingOnMe
from applications.models import Disbursement, LoanApplication, LoanOffer, ReviewDecision, ReviewTask
from applications.vocabulary import TaskStatus


def case_link(application: LoanApplication) -> SafeString:
    url = reverse("admin:applications_loanapplication_change", args=[application.pk])
    return format_html('<a href="{}">{}</a>', url, application.reference)


class ReviewTaskAdmin(ReadOnlyAdmin[ReviewTask]):
    list_display = (
        "kind",
        "case",
        "applicant",
        "amount",
        "asked_of",
        "status_shown",
        "due",
        "asked_again",
        "expires",
    )
    list_filter = (WaitingOnMe, Overdue, "status", "kind", "assigned_role")
    list_select_related = ("application",)
    sortable_by = ()
    nothing_said = (
        "A task appears here when the workflow asks a person: a manager about an amount or a "
        "referral, a risk analyst about a fraud flag, an applicant about an offer."
    )

    @admin.display(description="Application")
    def case(self, task: ReviewTask) -> SafeString:
        return case_link(task.application)

    @admin.display(description="Applicant")
    def applicant(self, task: ReviewTask) -> str:
        return task.application.applicant_name

    @admin.display(description="Amount")
    def amount(self, task: ReviewTask) -> SafeString:
        return money(task.application.loan_amount, task.application.currency)

    @admin.display(description="Asked of")
    def asked_of(self, task: ReviewTask) -> str:
        return task.get_assigned_role_display()

    @admin.display(description="Status")
    def status_shown(self, task: ReviewTask) -> SafeString:
        return badge(
            task.get_status_display(), "wait" if task.status == TaskStatus.OPEN else "quiet"
        )

    @admin.display(description="Due")
    def due(self, task: ReviewTask) -> SafeString:
        overdue = task.status == TaskStatus.OPEN and task.due_at <= timezone.now()
        return format_html(
            "{} {}", moment(task.due_at), badge("Overdue", "alert") if overdue else ""
        )

    @admin.display(description="Asked again", empty_value="")
    def asked_again(self, task: ReviewTask) -> SafeString | str:
        """The loudest so far: a reminder when it was due, then the senior managers."""
        is_open = task.status == TaskStatus.OPEN
        if task.escalated_at is not None:
            said = badge("Escalated", "alert" if is_open else "quiet")
            at = task.escalated_at
        elif task.reminded_at is not None:
            said = badge("Reminded", "wait" if is_open else "quiet")
            at = task.reminded_at
        else:
            return ""
        return format_html('{} <span class="quiet">{}</span>', said, moment(at))

    @admin.display(description="Expires")
    def expires(self, task: ReviewTask) -> SafeString:
        return moment(task.expires_at)


class ReviewDecisionAdmin(ReadOnlyAdmin[ReviewDecision]):
    list_display = ("decided_at", "case", "asked", "answer", "by", "reason")
    list_filter = ("outcome", "late", "task__kind")
    nothing_said = (
        "Every answer that a person gives to a review task is kept here, with its reason."
    )
    fields = ("case", "asked", "answer", "by", "reason", "application_version", "decided_at")
    sortable_by = ()

    @admin.display(description="Application")
    def case(self, decision: ReviewDecision) -> SafeString:
        return case_link(decision.task.application)

    @admin.display(description="Asked")
    def asked(self, decision: ReviewDecision) -> str:
        return decision.task.get_kind_display()

    @admin.display(description="Answer")
    def answer(self, decision: ReviewDecision) -> SafeString:
        """What counts is a badge of its outcome; what came too late never is."""
        if decision.late:
            said = decision.get_outcome_display().lower()
            return format_html('{} <span class="quiet">{}</span>', late_badge(), said)
        return outcome_badge(decision.outcome)

    @admin.display(description="Decided by")
    def by(self, decision: ReviewDecision) -> str:
        decider = str(decision.decided_by or decision.partner)
        right = decision.on_behalf_of
        return f"{decider} on behalf of {right.get_username()}" if right is not None else decider

    def get_queryset(self, request: HttpRequest) -> Any:
        related = ("task__application", "decided_by", "partner", "on_behalf_of")
        return super().get_queryset(request).select_related(*related)


class LoanOfferAdmin(ReadOnlyAdmin[LoanOffer]):
    list_display = (
        "offer_id",
        "case",
        "amount",
        "annual_rate",
        "monthly",
        "term_months",
        "issued_at",
        "expires_at",
    )
    list_select_related = ("application",)
    sortable_by = ()
    nothing_said = "An offer appears here once a case is approved and its fraud check has passed."

    @admin.display(description="Application")
    def case(self, offer: LoanOffer) -> SafeString:
        return case_link(offer.application)

    @admin.display(description="Principal")
    def amount(self, offer: LoanOffer) -> SafeString:
        return money(offer.principal, offer.currency)

    @admin.display(description="Monthly payment")
    def monthly(self, offer: LoanOffer) -> SafeString:
        return money(offer.monthly_payment, offer.currency)


class DisbursementAdmin(ReadOnlyAdmin[Disbursement]):
    list_display = (
        "idempotency_key",
        "case",
        "amount_shown",
        "status",
        "rail_reference",
        "requested_at",
        "funded_at",
    )
    list_filter = ("status",)
    list_select_related = ("application",)
    sortable_by = ()
    nothing_said = "A payout appears here before the rail is asked to pay it, once for each case."

    @admin.display(description="Application")
    def case(self, disbursement: Disbursement) -> SafeString:
        return case_link(disbursement.application)

    @admin.display(description="Amount")
    def amount_shown(self, disbursement: Disbursement) -> SafeString:
        return money(disbursement.amount, disbursement.currency)
