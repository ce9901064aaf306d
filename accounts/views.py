"""Pages of one's own account: second factor, recovery codes, sign-ins, invitation, lockout."""

import io
from base64 import b32encode, b64encode
from typing import Any

import segno
from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp import login as otp_login

from accounts import selectors
from accounts.errors import AccountsError, HashingBusy, InvitationOver
from accounts.forms import INVITED_NAME, AgainForm, CodeForm, InvitationForm
from accounts.invitation_tokens import invitation_of
from accounts.models import SecondFactor
from accounts.selectors import Lacks, session_lacks
from accounts.services import invitations, second_factor, sessions
from accounts.services.step_up import step_up
from core.admin.sent_once import sent_once, stands_for

# In the session of who came by an invitation's link: its number, token, and a new secret.
INVITATION = "invitation"
asks = require_http_methods(["GET", "HEAD", "POST"])


def person(request: HttpRequest) -> User:
    """Return the signed-in user; only behind ``admin_view``, which admits nobody else."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is logged in")
    return request.user


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    user = person(request)
    device = selectors.second_factor_of(user)
    left = user.recovery_codes.filter(used_at__isnull=True).count()
    return _page(
        request,
        "home",
        title="Your account",
        device=device,
        codes_left=left,
        needed_by=selectors.second_factor_needed_by(user),
        sign_ins=selectors.sign_ins(user),
        sessions=sessions.open_sessions(user=user, this=request.session.session_key),
    )


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions (``handle``), or all others."""
    user = person(request)
    handle = request.POST.get("handle", "")
    if not handle:
        count = sessions.sessions_end_others(user=user, this=request.session.session_key)
        messages.success(request, f"Other sessions ended: {count}.")
    elif sessions.session_end(user=user, handle=handle):
        messages.success(request, "The session is ended.")
    else:
        messages.warning(request, "That session was over already.")
    return HttpResponseRedirect(reverse("account:home"))


@asks
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the code after the password, and complete the sign-in."""
    user = person(request)
    if session_lacks(user) is not Lacks.CODE:
        return HttpResponseRedirect(_next(request))
    form = CodeForm(request.POST if request.method == "POST" else None)
    device = _checked(user, form)
    if device is not None:
        _let_in(request, device)
        return HttpResponseRedirect(_next(request))
    return _page(request, "code", title="Enter your code", form=form, next=_next(request))


@asks
def again(request: HttpRequest) -> HttpResponse:
    """Ask for the code, or the password, again before an act that needs it."""
    user = person(request)
    has_factor = selectors.second_factor_of(user) is not None
    form = AgainForm(request.POST if request.method == "POST" else None, has_factor=has_factor)
    if form.is_valid():
        try:
            step_up(
                request=request,
                user=user,
                typed=form.cleaned_data["typed"],
                before=_next(request),
            )
        except AccountsError as refused:
            form.add_error("typed", str(refused))
        else:
            return HttpResponseRedirect(_next(request))
    return _page(
        request,
        "again",
        title="Confirm that it is you",
        form=form,
        minutes=int(settings.LOANOFFICE_STEP_UP_LIFE.total_seconds() // 60),
        next=_next(request),
    )


@asks
@sent_once
def enrol(request: HttpRequest) -> HttpResponse:
    """Show a new secret, and accept a code that proves the app has it.

    A user with a second factor enters it once more to replace it.
    """
    user = person(request)
    device = selectors.second_factor_of(user)
    wants_begin = request.method == "POST" and "begin" in request.POST
    form = CodeForm(request.POST if request.method == "POST" else None)
    if wants_begin and (device is None or _checked(user, form) is not None):
        second_factor.enrolment_begin(user=user)
        return HttpResponseRedirect(reverse("account:enrol", query={"next": _next(request)}))
    if not wants_begin and form.is_valid():
        try:
            enrolled, codes = second_factor.enrolment_confirm(
                user=user, code=form.cleaned_data["code"]
            )
        except AccountsError as refused:
            form.add_error("code", str(refused))
        else:
            _let_in(request, enrolled)
            return _codes_page(request, codes)
    begun = None if wants_begin else selectors.second_factor_begun(user)
    return _page(
        request,
        "enrol",
        title="Set up a second factor",
        form=form,
        device=device,
        begun=begun,
        secret=_in_groups(b32encode(begun.bin_key).decode()) if begun is not None else "",
        needed_by=selectors.second_factor_needed_by(user),
        next=_next(request),
    )


@require_safe
def qr(request: HttpRequest) -> HttpResponse:
    """Return the secret as a QR code for the app; only while it is not confirmed."""
    begun = selectors.second_factor_begun(person(request))
    if begun is None:
        raise Http404
    return HttpResponse(_picture(begun), content_type="image/svg+xml")


@asks
@sent_once
def renew(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes, after a code."""
    user = person(request)
    if selectors.second_factor_of(user) is None:
        return HttpResponseRedirect(reverse("account:home"))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if _checked(user, form) is not None:
        return _codes_page(request, second_factor.recovery_codes_renew(user=user))
    return _page(
        request,
        "confirm",
        title="New recovery codes",
        form=form,
        sentence="Ten new codes replace the old ones, which are no longer valid.",
        button="Make new codes",
        tone="good",
    )


@asks
@sent_once
def remove(request: HttpRequest) -> HttpResponse:
    """Remove one's own second factor, after a code."""
    user = person(request)
    if selectors.second_factor_of(user) is None:
        return HttpResponseRedirect(reverse("account:home"))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if _checked(user, form) is not None:
        second_factor.second_factor_remove(user=user)
        messages.success(request, "Your second factor is removed.")
        return HttpResponseRedirect(reverse("account:home"))
    needed = selectors.second_factor_needed_by(user)
    return _page(
        request,
        "confirm",
        title="Remove the second factor",
        form=form,
        sentence="From now on your password alone lets somebody in."
        if not needed
        else "Your role needs one: you are asked to set up another before you go on.",
        button="Remove",
        tone="bad",
    )


@require_safe
def invitation_link(request: HttpRequest, pk: int, token: str) -> HttpResponse:
    """Move the token from the address into the session, so that no other page learns it.

    It stays valid: mail programs open links too. The secret of the second factor is one of this
    session, so that nobody who saw the page before has learnt it.
    """
    if invitation_of(pk=pk, token=token) is None:
        return _invitation_over(request)
    if request.session.get(INVITATION, [])[:2] != [pk, token]:
        request.session.cycle_key()
        request.session[INVITATION] = [pk, token, second_factor.secret_make()]
    return HttpResponseRedirect(reverse("account:invitation"))


@asks
def invitation(request: HttpRequest) -> HttpResponse:
    """Set a password and a second factor together, for who came by the link of an invitation."""
    pk, token, secret = request.session.get(INVITATION, (0, "", ""))
    invited = invitation_of(pk=pk, token=token)
    if invited is None:
        return _invitation_over(request)
    user = invited.user
    form = InvitationForm(user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            codes = invitations.invitation_accept(
                pk=pk,
                token=token,
                secret=secret,
                password=form.cleaned_data["new_password1"],
                code=form.cleaned_data["code"],
            )
        except InvitationOver:
            return _invitation_over(request)
        except AccountsError as refused:
            form.add_error("code", str(refused))
        else:
            del request.session[INVITATION]
            request.session[INVITED_NAME] = user.get_username()
            return _page(request, "invitation_done", title="You can sign in now", codes=codes)
    device = second_factor.secret_shown(user=user, secret=secret)
    return _page(
        request,
        "invitation",
        title="Welcome to Loan Office",
        form=form,
        invited=invited,
        picture=f"data:image/svg+xml;base64,{b64encode(_picture(device)).decode()}",
        secret=_in_groups(b32encode(device.bin_key).decode()),
    )


def _invitation_over(request: HttpRequest) -> HttpResponse:
    days = settings.LOANOFFICE_INVITATION_LIFE.days
    title = "This link does not work"
    return _page(request, "invitation_over", title=title, days=days, status=410)


def locked_out(
    request: HttpRequest,
    response: HttpResponse | None = None,  # noqa: ARG001
    credentials: dict[str, Any] | None = None,  # noqa: ARG001
) -> HttpResponse:
    """Render the page that django-axes answers with while a name is locked out."""
    wait = get_cool_off(request)
    page = _page(
        request,
        "locked_out",
        title="Locked out",
        minutes=int(wait.total_seconds() // 60),
        status=429,
    )
    page.headers["Retry-After"] = str(int(wait.total_seconds()))
    page.render()
    return page


def busy(request: HttpRequest, error: HashingBusy) -> HttpResponse:
    """Render the page for who has to send their password again in a moment."""
    page = _page(
        request, "busy", title="Try again in a moment", seconds=error.retry_after, status=503
    )
    page.headers["Retry-After"] = str(error.retry_after)
    page.render()
    return page


def _checked(user: User, form: CodeForm) -> SecondFactor | None:
    """The device of a valid code; ``None`` when there is none, which the form shows."""
    if not form.is_valid():
        return None
    try:
        return second_factor.code_check(user=user, code=form.cleaned_data["code"])
    except AccountsError as refused:
        form.add_error("code", str(refused))
        return None


def _let_in(request: HttpRequest, device: SecondFactor) -> None:
    request.session.cycle_key()
    otp_login(request, device)


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    page = _page(request, "codes", title="Your recovery codes", codes=codes, next=_next(request))
    sentence = (
        "New recovery codes were made. They were shown then, once, and are not shown again. "
        "Without them at hand, make new ones."
    )
    return stands_for(page, location=reverse("account:home"), sentence=sentence)


def _next(request: HttpRequest) -> str:
    """The page to continue to, if it is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    fine = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if fine else reverse("admin:index")


def _picture(device: SecondFactor) -> bytes:
    """The secret as a QR code, which is an SVG picture."""
    picture = io.BytesIO()
    segno.make(device.config_url, error="m", micro=False).save(
        picture, kind="svg", scale=5, border=3, light="#fff", title="Second factor"
    )
    return picture.getvalue()


def _in_groups(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _page(
    request: HttpRequest, template: str, *, status: int = 200, **shown: Any
) -> TemplateResponse:
    request.current_app = admin.site.name
    context = {**admin.site.each_context(request), **shown}
    return TemplateResponse(request, f"accounts/{template}.html", context, status=status)
