"""Approve or decline one application: a page that asks for confirmation, then one service call.

GET shows the facts and changes nothing; only POST decides, and whether this person may is
asked again by the service, under a lock.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from applications.admin.application_page import ApplicationPageAdmin
from applications.admin.contact_reveal import contact_context, contact_rows, is_shown
from applications.admin.view_helpers import application_or_refuse, back_to_application
from applications.selectors import earlier_and_later_applications
from applications.services import access_log
from core.admin.base import staff
from core.admin.sent_once import answer_once
from core.admin.view_helpers import admin_page
from core.errors import DomainError
from lending.choices import Outcome
from reviews.admin import queue
from reviews.admin.bulk_result import OUTCOME_WORDS
from reviews.admin.decision_facts import bureau_lines, facts
from reviews.admin.figures import figures
from reviews.admin.forms import DecideForm
from reviews.admin.information import send_back_url
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from reviews.services import decisions

MOST_OTHERS = 10  # other applications of the same applicant


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
    application = application_or_refuse(model_admin, request, pk, is_look=False)
    income_shown = is_shown(request, application)
    if request.method == "GET":
        access_log.application_viewed(
            application=application, user=staff(request), contact_shown=income_shown
        )
    task = get_object_or_404(
        ReviewTask.objects.select_related("application"), pk=task_pk, application=application
    )
    user = staff(request)
    kind = TaskKind(task.kind)
    row = REVIEW_KINDS[kind]
    words = row.words
    carried = queue.list_carried(request)
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
                message = f"{kind.label} of {application.reference}: {row.done[wanted]}."
                task.refresh_from_db()
                if decision.outcome == Outcome.APPROVE and not task.outcome:
                    message += " A second person has to approve as well."
                task.application = application
                return _go_on(model_admin, request, task, wanted, message)
        else:
            initial = {"version": application.version}
            form = DecideForm(initial=initial, outcome=wanted, kinds=[kind])
        right = decisions.decision_check(
            application=application, task=task, user=user, now=timezone.now()
        )
    except DomainError as refused:
        return back_to_application(model_admin, request, application, str(refused))
    page = model_admin.page_of(request, application)
    known = figures(task, page.assessment, income_shown=income_shown)
    other = Outcome.DECLINE if wanted == Outcome.APPROVE else Outcome.APPROVE
    return admin_page(
        model_admin,
        request,
        "reviews/admin/decide.html",
        title=f"{words[wanted]}: {application.reference}",
        page=page,
        original=application,
        task=task,
        on_behalf_of=right,
        facts=facts(application, known, income_shown=income_shown),
        bureaus=bureau_lines(application, page.assessment),
        contact=contact_rows(request, application),
        **contact_context(request, application),
        others=earlier_and_later_applications(application, besides=page.similar, most=MOST_OTHERS),
        form=form,
        button=words[wanted],
        tone="good" if wanted == Outcome.APPROVE else "bad",
        back=queue.list_url(carried) if carried else "",
        following=queue.next_after(task, user=user, now=timezone.now()) if carried else None,
        other_url=queue.decide_url(task, other, carried),
        other_word=words[other],
        send_back_url=send_back_url(task, carried)
        if row.decided_by_staff and page.question is None
        else "",
    )


def _go_on(
    model_admin: ApplicationPageAdmin,
    request: HttpRequest,
    task: ReviewTask,
    outcome: Outcome,
    message: str,
) -> HttpResponse:
    """Go to the next decision, back to *My approvals*, or to the application, as it was asked."""
    carried = queue.list_carried(request)
    following = queue.next_after(task, user=staff(request), now=timezone.now())
    if following is not None and "next" in request.POST:
        message = f"{message} {following.left_words.capitalize()}."
        model_admin.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(queue.decide_url(following.task, outcome, carried))
    if following is not None:
        message = format_html("{} {}", message, queue.next_sentence(following, outcome))
    if not carried:
        return back_to_application(
            model_admin, request, task.application, message, messages.SUCCESS
        )
    model_admin.message_user(request, message, messages.SUCCESS)
    return HttpResponseRedirect(queue.list_url(carried))
