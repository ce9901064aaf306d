"""Approve, decline and withdraw one application: a page that asks, then one service call.

GET shows the facts and changes nothing; only POST decides, and whether this person may is
asked again by the service, under a lock.
"""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from applications.admin.base import staff
from applications.admin.case import Case, decision_words
from applications.admin.forms import DecideForm, WithdrawForm
from applications.admin.views import back_to_case, case_or_refuse, confirmation
from applications.errors import ApplicationsError
from applications.models import ReviewTask
from applications.services import drafting, review
from applications.vocabulary import Outcome, TaskKind

if TYPE_CHECKING:
    from applications.admin.application import LoanApplicationAdmin

SAID = {Outcome.APPROVE: "approved", Outcome.DECLINE: "declined"}


@require_http_methods(["GET", "HEAD", "POST"])
def decide_view(
    request: HttpRequest,
    *,
    pk: int,
    task_pk: int,
    outcome: str,
    model_admin: "LoanApplicationAdmin",
) -> HttpResponse:
    if outcome not in SAID:
        raise Http404
    wanted = Outcome(outcome)
    application = case_or_refuse(model_admin, request, pk)
    task = get_object_or_404(
        ReviewTask.objects.select_related("application"), pk=task_pk, application=application
    )
    user = staff(request)
    kind = TaskKind(task.kind)
    try:
        if request.method == "POST":
            form = DecideForm(request.POST, outcome=wanted, kinds=[kind])
            if form.is_valid():
                decision = review.task_decide(
                    task=task,
                    user=user,
                    outcome=wanted,
                    **form.given,
                    version=form.cleaned_data["version"],
                )
                said = f"{kind.label} of {application.reference}: {SAID[wanted]}."
                task.refresh_from_db()
                if decision.outcome == Outcome.APPROVE and not task.outcome:
                    said += " A second person has to approve as well."
                return back_to_case(model_admin, request, application, said, messages.SUCCESS)
        else:
            initial = {"version": application.version}
            form = DecideForm(initial=initial, outcome=wanted, kinds=[kind])
        right = review.decision_check(
            application=application, task=task, user=user, now=timezone.now()
        )
    except ApplicationsError as refused:
        return back_to_case(model_admin, request, application, str(refused))
    return confirmation(
        model_admin,
        request,
        "applications/admin/decide.html",
        title=f"{decision_words(kind)[wanted]}: {application.reference}",
        case=Case(application, user),
        original=application,
        task=task,
        on_behalf_of=right,
        form=form,
        button=decision_words(kind)[wanted],
        tone="good" if wanted == Outcome.APPROVE else "bad",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_view(
    request: HttpRequest, *, pk: int, model_admin: "LoanApplicationAdmin"
) -> HttpResponse:
    application = case_or_refuse(model_admin, request, pk)
    user = staff(request)
    try:
        drafting.withdrawal_check(application=application, user=user)
        form = WithdrawForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            drafting.application_withdraw(
                reference=application.reference, user=user, reason=form.cleaned_data["reason"]
            )
            return back_to_case(
                model_admin,
                request,
                application,
                f"{application.reference} is withdrawn.",
                messages.SUCCESS,
            )
    except ApplicationsError as refused:
        return back_to_case(model_admin, request, application, str(refused))
    return confirmation(
        model_admin,
        request,
        "applications/admin/confirm.html",
        title=f"Withdraw: {application.reference}",
        original=application,
        form=form,
        button="Withdraw",
        tone="bad",
        sentence=(
            "This ends the case at the applicant's wish. It stops the workflow and cannot "
            "be undone."
        ),
    )
