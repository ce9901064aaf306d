"""Withdraw an application: a page that asks, then one service call."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from applications.admin.forms import WithdrawForm
from applications.admin.view_helpers import back_to_case, case_or_refuse
from applications.models import LoanApplication
from applications.services import intake
from core.admin.base import NoDeleteAdmin, staff
from core.admin.view_helpers import confirmation
from core.errors import DomainError


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_view(
    request: HttpRequest, *, pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponse:
    application = case_or_refuse(model_admin, request, pk)
    user = staff(request)
    try:
        intake.withdrawal_check(application=application, user=user)
        form = WithdrawForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            intake.application_withdraw(
                reference=application.reference, user=user, reason=form.cleaned_data["reason"]
            )
            return back_to_case(
                model_admin,
                request,
                application,
                f"{application.reference} is withdrawn.",
                messages.SUCCESS,
            )
    except DomainError as refused:
        return back_to_case(model_admin, request, application, str(refused))
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
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
