"""The page that restarts the applications of all incidents of one kind: a preview, then once."""

import re
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_http_methods

from core.admin.base import ReadOnlyAdmin, staff
from core.admin.sent_once import answer_once, send_url, sent_before
from core.admin.view_helpers import admin_page
from core.errors import NotPermitted
from workflows import kind_restarts
from workflows.admin.forms import MayReasonForm
from workflows.kind_restarts import Restarted
from workflows.models import Incident
from workflows.outbox import queue

SENDING = 1.0  # seconds that the request waits for the starts to be sent; the sweep sends the rest
MOST_LISTED = 5  # refused ones in the message
KEY = re.compile(r"[0-9]{1,18}")


@require_http_methods(["GET", "HEAD", "POST"])
def restart_kind_view(
    request: HttpRequest, *, kind: str, model_admin: ReadOnlyAdmin[Incident]
) -> HttpResponse:
    """Show what would be restarted, and what is left alone and why; POST restarts the ticked."""
    if kind not in Incident.Kind:
        raise Http404
    user = staff(request)
    may_see = user.has_perm("applications.view_loanapplication")
    if not may_see or not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    wanted = Incident.Kind(kind)
    try:
        kind_restarts.kind_restart_check(user=user)
    except NotPermitted as refused:
        model_admin.message_user(request, str(refused), messages.ERROR)
        return _to_list()
    if (again := sent_before(request)) is not None:
        return again
    form = MayReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _ask(model_admin, request, wanted, form)
    ticked = _ticked(request)
    if not ticked:
        model_admin.message_user(request, "Nothing was ticked.", messages.WARNING)
        return _ask(model_admin, request, wanted, form)
    rail = kind_restarts.kind_restart_prepare(kind=wanted, incidents=ticked, user=user)

    def act() -> HttpResponse:
        done = kind_restarts.incidents_restart(
            kind=wanted, incidents=ticked, user=user, rail=rail, **form.cleaned_data
        )
        _report(model_admin, request, done)
        return _to_list()

    with queue.held_back() as keys:
        answer = answer_once(request, act, back=request.get_full_path())
    queue.send_together(keys, seconds=SENDING)
    return answer


def _ticked(request: HttpRequest) -> list[int]:
    """Return the keys of the ticked incidents; ignore anything else."""
    given = request.POST.getlist("row")[: kind_restarts.MOST]
    return [int(key) for key in given if KEY.fullmatch(key)]


def _ask(
    model_admin: ReadOnlyAdmin[Incident],
    request: HttpRequest,
    kind: Incident.Kind,
    form: MayReasonForm,
) -> HttpResponse:
    rows = kind_restarts.kind_preview(kind=kind, user=staff(request))
    total = kind_restarts.unresolved_counts()["kind"].get(kind.value, 0)
    ready = [row for row in rows if not row.why_not]
    return admin_page(
        model_admin,
        request,
        "workflows/admin/restart_kind.html",
        title=f"Restart all: {kind.label}",
        action=send_url(request),
        kind=kind,
        ready=ready,
        left_alone=[row for row in rows if row.why_not],
        total=total,
        most=kind_restarts.MOST,
        asks_rail=sum(row.asks_rail for row in ready),
        form=form,
        button="Restart the ticked applications",
        tone="good",
    )


def _report(model_admin: ReadOnlyAdmin[Incident], request: HttpRequest, done: Restarted) -> None:
    """Add the messages. A form that restarted something was sent, whatever it left alone."""
    for many, what in ((done.restarted, "restarted"), (done.funded, "funded: the rail had paid")):
        if many:
            word = "application is" if len(many) == 1 else "applications are"
            model_admin.message_user(request, f"{len(many)} {word} {what}.", messages.SUCCESS)
    if not done.refused:
        return
    listed = list(done.refused.items())[:MOST_LISTED]
    sentences: list[tuple[Any, ...]] = [(name, why) for name, why in listed]
    lines = format_html_join("", '<span class="failed-row">{}: {}</span>', sentences)
    more = len(done.refused) - len(listed)
    acted = bool(done.restarted or done.funded)
    model_admin.message_user(
        request,
        format_html(
            "{} left alone:{}{}", len(done.refused), lines, f" and {more} more." if more else ""
        ),
        messages.INFO if acted else messages.ERROR,
    )


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:workflows_incident_changelist"))
