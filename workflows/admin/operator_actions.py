"""What Operations may press on a case: from its own page, and from an incident's.

Each press is a page that asks once more and one service call. GET changes nothing; whether
this person may is asked again by the service, under a lock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from applications.admin.application_page import Button
from applications.admin.view_helpers import case_or_refuse, case_url
from applications.choices import Status
from applications.models import LoanApplication
from core.admin.base import NoDeleteAdmin, staff
from core.admin.forms import show_refusal
from core.admin.view_helpers import confirmation
from core.errors import DomainError
from workflows import operations
from workflows.admin.forms import MayReasonForm, NotPaidForm, PaidForm, ReasonForm
from workflows.admin.links import came_from
from workflows.errors import PayoutFound, RailUnreachable
from workflows.models import Incident
from workflows.operations import ReferenceMissing

type Typed = dict[str, Any]


@dataclass(frozen=True)
class Press:
    """One button: who may press it now (``check`` raises why not), what it asks and does.

    ``do`` returns the sentence that says what was done.
    """

    key: str
    label: str
    tone: str
    sentence: str
    form: type[forms.Form]
    check: Callable[..., object]
    do: Callable[[LoanApplication, User, Typed], str]


def _restart(application: LoanApplication, user: User, typed: Typed) -> str:
    restarted = operations.application_restart(
        reference=application.reference, user=user, reason=typed["reason"]
    )
    if restarted.status == Status.FUNDED:
        return f"{application.reference} had been paid, as the rail says: the loan is funded."
    return f"{application.reference} is restarted as attempt {restarted.attempt}."


def _stop(application: LoanApplication, user: User, typed: Typed) -> str:
    operations.application_stop(reference=application.reference, user=user, reason=typed["reason"])
    return f"The workflow of {application.reference} is stopped."


def _pause(application: LoanApplication, user: User, typed: Typed) -> str:
    operations.execution_pause(reference=application.reference, user=user, reason=typed["reason"])
    return f"The workflow of {application.reference} is paused."


def _resume(application: LoanApplication, user: User, typed: Typed) -> str:
    operations.execution_resume(reference=application.reference, user=user, reason=typed["reason"])
    return f"The workflow of {application.reference} goes on."


def _paid(application: LoanApplication, user: User, typed: Typed) -> str:
    operations.payout_settle(reference=application.reference, user=user, paid=True, **typed)
    return f"{application.reference} was paid: the loan is funded."


def _not_paid(application: LoanApplication, user: User, typed: Typed) -> str:
    operations.payout_settle(reference=application.reference, user=user, paid=False, **typed)
    return f"{application.reference} was not paid. Restart it to pay it, or withdraw it."


# What mends a case that is stuck.
MENDS = (
    Press(
        key="paid",
        label="It was paid",
        tone="good",
        sentence=(
            "The rail's answer to this payout was lost. Say that the money left, as the rail's "
            "statement shows: the loan is funded then. This cannot be undone."
        ),
        form=PaidForm,
        check=operations.payout_check,
        do=_paid,
    ),
    Press(
        key="not-paid",
        label="It was not paid",
        tone="bad",
        sentence=(
            "The rail's answer to this payout was lost. Say that no money left, as the rail's "
            "statement shows; the rail is asked once more. The case can be restarted then, "
            "which pays it, or withdrawn."
        ),
        form=NotPaidForm,
        check=operations.payout_check,
        do=_not_paid,
    ),
    Press(
        key="restart",
        label="Restart",
        tone="good",
        sentence=(
            "A new attempt carries the case from the first step. A payout that was requested "
            "is never requested twice."
        ),
        form=MayReasonForm,
        check=operations.restart_check,
        do=_restart,
    ),
)
# What holds, or ends, a workflow that runs.
HOLDS = (
    Press(
        key="resume",
        label="Resume",
        tone="good",
        sentence="The workflow goes on where it stands. What was answered meanwhile is heard.",
        form=MayReasonForm,
        check=partial(operations.pause_check, paused=True),
        do=_resume,
    ),
    Press(
        key="pause",
        label="Pause",
        tone="quiet",
        sentence=(
            "The workflow finishes what it is doing and stands still until it is resumed. What "
            "people are asked stays open, and what they answer is kept."
        ),
        form=ReasonForm,
        check=partial(operations.pause_check, paused=False),
        do=_pause,
    ),
    Press(
        key="stop",
        label="Stop",
        tone="bad",
        sentence=(
            "This ends the workflow and calls back what people are asked. The case needs "
            "attention then: it can be restarted from the first step, or withdrawn."
        ),
        form=ReasonForm,
        check=operations.stop_check,
        do=_stop,
    ),
)


def buttons(
    presses: tuple[Press, ...],
    *,
    application: LoanApplication,
    user: User,
    incident: Incident | None = None,
) -> list[Button]:
    """Those that ``user`` may press now; from an ``incident`` they lead back to it."""
    query = {"incident": incident.pk} if incident is not None else None
    checks = {press.check for press in presses}
    may = {check: _may(check, application, user) for check in checks}
    return [
        Button(
            key=press.key,
            label=press.label,
            url=reverse(f"admin:{url_name(press)}", args=[application.pk], query=query),
            tone=press.tone,
        )
        for press in presses
        if may[press.check]
    ]


def url_name(press: Press) -> str:
    return f"applications_loanapplication_{press.key.replace('-', '_')}"


def _may(check: Callable[..., object], application: LoanApplication, user: User) -> bool:
    try:
        check(application=application, user=user)
    except DomainError:
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def press_view(
    request: HttpRequest, *, pk: int, press: Press, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponse:
    """Ask once more, then do it."""
    application = case_or_refuse(model_admin, request, pk)
    user = staff(request)
    back = _way_back(request, application)
    form = press.form(request.POST if request.method == "POST" else None)
    try:
        press.check(application=application, user=user)
        if form.is_valid():
            said = press.do(application, user, form.cleaned_data)
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(back)
    except ReferenceMissing as refused:
        show_refusal(form, refused.errors)
    except PayoutFound as refused:
        form.add_error(None, f"{refused} Nothing was changed. Say that it was paid instead.")
    except RailUnreachable as refused:
        form.add_error(None, f"{refused} Try again later.")
    except DomainError as refused:
        model_admin.message_user(request, str(refused), messages.ERROR)
        return HttpResponseRedirect(back)
    return confirmation(
        model_admin,
        request,
        "workflows/admin/operator_action.html",
        title=f"{press.label}: {application.reference}",
        original=application,
        form=form,
        button=press.label,
        tone=press.tone,
        sentence=press.sentence,
        back=back,
    )


def _way_back(request: HttpRequest, application: LoanApplication) -> str:
    """The page that the button was pressed on: the case's, or that of one of its incidents."""
    return came_from(request, Incident.objects.filter(application=application)) or case_url(
        application
    )
