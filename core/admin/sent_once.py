"""Answer the POST of an admin form once: a repeat is shown what the first sending did.

The token of a form is the CSRF token that Django writes into it: masked with new random bits for
each page, checked before any view runs, and valid until the person signs in anew. So no template
can forget it, and Django's own pages have it. The outcome is the redirect and its messages.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.crypto import salted_hmac
from django.utils.http import urlencode
from django.utils.safestring import SafeData, mark_safe

from audit.admin.typed import TypedAdmin
from core.form_submissions import FormOutcome, FormUnderWay, SentForm, form_process, submission_of
from core.kept_for_back import keep_for_back
from core.models import FormSubmission

FIELD = "csrfmiddlewaretoken"
# A token that was made for a page: mask and masked secret. The cookie's own, which a program may
# send instead, is half as long and the same for every page.
TOKEN_LENGTH = 64
AGAIN = "This form was already sent; this is what it did."
CHANGED = (
    "This form was already sent, with other values; this is what it did then. What was sent now "
    "is not used: open the form anew for it."
)
POPUP_CLOSES = "popup_response_data"  # in the context of the page that does so
IN_WINDOW = "It is saved. Close this window, and choose it in the form behind it."


class FormResponse(HttpResponse):
    """A page that says what a form did; a repeat of the form is shown ``form_outcome``."""

    form_outcome: FormOutcome


def answer_once(
    request: HttpRequest, answer: Callable[[], HttpResponse], *, back: str = ""
) -> HttpResponse:
    """Answer a POST in one transaction; where the form was sent before, show what it did.

    An answer that is a page, or that has a message of an error or a warning, leaves the form
    unsent. ``back`` is where to go while another sending is under way. ``answer`` may raise a
    ``DomainError``, which is passed on.
    """
    if request.method != "POST":
        return answer()
    form = sent_form(request)
    before = len(_queued(request))

    def work() -> tuple[HttpResponse, FormOutcome | None]:
        response = answer()
        return response, outcome_of(request, response, _queued(request)[before:])

    try:
        done = form_process(form=form, work=work)
    except FormUnderWay as refused:
        messages.warning(request, str(refused))
        return HttpResponseRedirect(back or request.get_full_path())
    return _show_again(request, form, done) if isinstance(done, FormSubmission) else done


def sent_once(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Decorator: answer the POSTs of a page once."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        return answer_once(request, lambda: view(request))

    return answer


def keep_form(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the browser keep a form that was asked for, which Back then shows with its old token.

    A browser that may not keep it asks for the page anew, which has another token.
    """
    return keep_for_back(response) if request.method == "GET" else response


def send_url(request: HttpRequest) -> str:
    """Return where the form of a page is sent: to its own path, with one parameter more.

    A browser forgets what it keeps of an address once something is posted to that address.
    """
    return f"?{urlencode({**request.GET.dict(), 'sent': 'yes'})}"


def sent_before(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a form that was sent before; ``None`` for any other request."""
    if request.method != "POST":
        return None
    form = sent_form(request)
    submission = submission_of(form)
    return None if submission is None else _show_again(request, form, submission)


def stands_for(response: HttpResponse, *, location: str, sentence: str) -> HttpResponse:
    """Mark a page that shows what a form did, and say what a repeat shows in its place."""
    said = [(int(messages.SUCCESS), sentence, False, "")]
    cast("FormResponse", response).form_outcome = FormOutcome(location, said)
    return response


def sent_form(request: HttpRequest) -> SentForm:
    """Read the form of a POST; it has no token where no page of ours made it."""
    token = request.POST.get(FIELD, "")
    token_hash = ""
    if len(token) == TOKEN_LENGTH:
        token_hash = hashlib.sha256(f"{request.path}\n{token}".encode()).hexdigest()
    if not isinstance(request.user, User):
        raise TypeError("nobody is logged in")
    return SentForm(request.user, token_hash, _contents_hash(request))


def outcome_of(request: HttpRequest, response: HttpResponse, said: list[Any]) -> FormOutcome | None:
    """Return what a repeat is to show; ``None`` when the form did nothing."""
    if POPUP_CLOSES in (getattr(response, "context_data", None) or {}):
        # Django's answer to a form in a window of its own, which closes that window.
        stands_for(response, location=request.get_full_path(), sentence=IN_WINDOW)
    marked: FormOutcome | None = getattr(response, "form_outcome", None)
    if marked is not None:
        return marked
    if any(message.level >= messages.WARNING for message in said):
        return None
    if not isinstance(response, HttpResponseRedirect):
        return None
    kept = [
        (
            int(message.level),
            str(message.message),
            isinstance(message.message, SafeData),
            message.extra_tags or "",
        )
        for message in said
    ]
    return FormOutcome(response.url, kept)


def _show_again(
    request: HttpRequest, form: SentForm, submission: FormSubmission
) -> HttpResponseRedirect:
    if submission.contents_hash == form.contents_hash:
        messages.info(request, AGAIN)
    else:
        messages.warning(request, CHANGED)
    for level, text, is_html, tags in submission.said:
        # The text is one that the first answer had marked as safe.
        shown = mark_safe(text) if is_html else text  # noqa: S308
        messages.add_message(request, level, shown, extra_tags=tags)
    return HttpResponseRedirect(submission.location)


def _contents_hash(request: HttpRequest) -> str:
    """Hash what was typed, with the key of the installation: it may hold a password."""
    typed = sorted((name, values) for name, values in request.POST.lists() if name != FIELD)
    brought = sorted(
        (name, str(file.name), file.size or 0)
        for name, files in request.FILES.lists()
        for file in files
    )
    return salted_hmac(
        "core.form_submissions", repr((typed, brought)), algorithm="sha256"
    ).hexdigest()


def _queued(request: HttpRequest) -> list[Any]:
    """Return the messages that this request has added so far."""
    storage: Any = messages.get_messages(request)
    queued: list[Any] = storage._queued_messages
    return queued


class SentOnceAdmin[M: Model](TypedAdmin[M]):
    """Admin whose own forms each do their thing once: those that add, change and delete a row."""

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view, url = super().add_view, form_url or send_url(request)
        answer = answer_once(request, lambda: view(request, url, extra_context))
        return keep_form(request, answer)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        view = super().change_view
        return answer_once(request, lambda: view(request, object_id, form_url, extra_context))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view = super().delete_view
        return answer_once(request, lambda: view(request, object_id, extra_context))
