"""Approve or decline one application: a page that asks for confirmation, then one service call.

GET shows the facts and changes nothing; only POST decides, and whether this person may is
asked again by the service, under a lock.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from applications.admin.application_page import ApplicationPageAdmin
from applications.admin.contact_reveal import is_shown
from applications.admin.view_helpers import application_or_refuse, back_to_application
from applications.pii import CONTACT
from core.admin.base import staff
from core.admin.sent_once import answer_once
from core.admin.view_helpers import admin_page
from core.errors import DomainError
from lending.choices import Outcome
from reviews.admin.bulk_result import OUTCOME_WORDS
from reviews.admin.forms import DecideForm
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from reviews.services import decisions


@require_http_methods(["GET", "HEAD", "POST"])
def decide_view(
    request: HttpRequest,
    *,
    pk: int,
    task_pk: int,
    outcome: str,
    model_admin: ApplicationPageAdmin,
) -> HttpResponse:
    if outcome not in OUTCOME_WORDS:
        raise Http404

    def answer() -> HttpResponse:
        return _decide(request, pk, task_pk, Outcome(outcome), model_admin)

    return answer_once(request, answer)


def _decide(
    request: HttpRequest, pk: int, task_pk: int, wanted: Outcome, model_admin: ApplicationPageAdmin
) -> HttpResponse:
    application = application_or_refuse(model_admin, request, pk)
    task = get_object_or_404(
        ReviewTask.objects.select_related("application"), pk=task_pk, application=application
    )
    user = staff(request)
    kind = TaskKind(task.kind)
    words = REVIEW_KINDS[kind].words
    try:
        if request.method == "POST":
            form = DecideForm(request.POST, outcome=wanted, kinds=[kind])
            if form.is_valid():
                decision = decisions.task_decide(
                    task=task,
                    user=user,
                    outcome=wanted,
                    **form.given,
                    version=form.cleaned_data["version"],
                )
                message = f"{kind.label} of {application.reference}: {OUTCOME_WORDS[wanted]}."
                task.refresh_from_db()
                if decision.outcome == Outcome.APPROVE and not task.outcome:
                    message += " A second person has to approve as well."
                return back_to_application(
                    model_admin, request, application, message, messages.SUCCESS
                )
        else:
            initial = {"version": application.version}
            form = DecideForm(initial=initial, outcome=wanted, kinds=[kind])
        right = decisions.decision_check(
            application=application, task=task, user=user, now=timezone.now()
        )
    except DomainError as refused:
        return back_to_application(model_admin, request, application, str(refused))
    return admin_page(
        model_admin,
        request,
        "reviews/admin/decide.html",
        title=f"{words[wanted]}: {application.reference}",
        page=model_admin.page_of(request, application),
        original=application,
        task=task,
        on_behalf_of=right,
        contact_shown=is_shown(request, application),
        income_hidden=CONTACT["annual_income"](application.annual_income),
        form=form,
        button=words[wanted],
        tone="good" if wanted == Outcome.APPROVE else "bad",
    )
