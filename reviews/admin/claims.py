"""Claim, release and take over review tasks: one on an application's page, many on a list."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from applications.admin.view_helpers import application_or_refuse, back_to_application
from applications.models import LoanApplication
from core.admin.base import NoDeleteAdmin, staff
from core.admin.row_actions import row_url
from core.admin.sent_once import answer_once
from core.errors import DomainError
from core.locking import is_contention
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import claims, decisions
from reviews.services.authority import claim_stands
from reviews.services.bulk_decisions import IN_THE_WAY

CLAIM, TAKE_OVER, RELEASE = "claim", "take-over", "release"
LABELS = {CLAIM: "Claim", TAKE_OVER: "Take over", RELEASE: "Release"}
# More than a person decides in half an hour would keep others from their work.
MOST_CLAIMED = 50


def available_claim(task: ReviewTask, user: User, *, may_decide: bool) -> str:
    """Return which of the three this person may do now; empty if none."""
    now = timezone.now()
    if claim_stands(task, now) and task.claimed_by_id == user.pk:
        return RELEASE
    if may_decide:
        return CLAIM
    try:
        claims.claim_check(application=task.application, task=task, user=user, now=now)
    except DomainError:
        return ""
    return TAKE_OVER


@require_POST
def claim_view(
    request: HttpRequest,
    *,
    pk: int,
    task_pk: int,
    what: str,
    model_admin: NoDeleteAdmin[LoanApplication],
) -> HttpResponse:
    """Do one of the three, without a confirmation: a claim can be released again."""
    application = application_or_refuse(model_admin, request, pk)
    task = get_object_or_404(
        ReviewTask.objects.select_related("application"), pk=task_pk, application=application
    )
    user = staff(request)

    def answer() -> HttpResponse:
        return _claim(model_admin, request, task, user, what)

    return answer_once(request, answer, back=row_url(application))


def _claim(
    model_admin: NoDeleteAdmin[LoanApplication],
    request: HttpRequest,
    task: ReviewTask,
    user: User,
    what: str,
) -> HttpResponse:
    application = task.application
    holds = task.claimed_by_id == user.pk
    if not holds and not decisions.may_decide_some(user=user, kinds=[TaskKind(task.kind)]):
        raise PermissionDenied
    try:
        if what == RELEASE:
            released = claims.task_release(task=task, user=user)
            state = "released" if released else "not claimed by you any more"
        else:
            claims.task_claim(task=task, user=user, take_over=what == TAKE_OVER)
            state = "claimed by you: nobody else decides it for half an hour"
    except DomainError as refused:
        return back_to_application(model_admin, request, application, str(refused))
    sentence = f"{application.reference} is {state}."
    return back_to_application(model_admin, request, application, sentence, messages.SUCCESS)


def claim_many(
    model_admin: NoDeleteAdmin[Any], request: HttpRequest, tasks: QuerySet[ReviewTask]
) -> None:
    user = staff(request)
    _each(
        model_admin, request, tasks, lambda task: claims.task_claim(task=task, user=user), "claimed"
    )


def release_many(
    model_admin: NoDeleteAdmin[Any], request: HttpRequest, tasks: QuerySet[ReviewTask]
) -> None:
    user = staff(request)
    _each(
        model_admin,
        request,
        tasks,
        lambda task: claims.task_release(task=task, user=user),
        "released",
    )


def _each(
    model_admin: NoDeleteAdmin[Any],
    request: HttpRequest,
    tasks: QuerySet[ReviewTask],
    act: Callable[[ReviewTask], object],
    verb: str,
) -> None:
    """Apply ``act`` to each task on its own, in the order of applications; report the results."""
    ordered = tasks.select_related("application").order_by("application_id", "pk")
    chosen = list(ordered[: MOST_CLAIMED + 1])
    if len(chosen) > MOST_CLAIMED:
        model_admin.message_user(
            request, f"At most {MOST_CLAIMED} are {verb} at once; choose fewer.", messages.WARNING
        )
        return
    done, refused = 0, []
    for task in chosen:
        try:
            done += bool(act(task))
        except DomainError as error:
            refused.append(str(error))
        except OperationalError as error:
            if not is_contention(error):
                raise
            refused.append(f"{task.application.reference}: {IN_THE_WAY}")
    if done:
        model_admin.message_user(request, f"{done} {verb}.", messages.SUCCESS)
    if refused:
        sentences = format_html_join(
            "", '<span class="failed-row">{}</span>', ((sentence,) for sentence in refused)
        )
        head = f"{len(refused)} not {verb}:"
        model_admin.message_user(request, format_html("{}{}", head, sentences), messages.ERROR)
    elif not done:
        model_admin.message_user(request, f"Nothing was {verb}.", messages.WARNING)
