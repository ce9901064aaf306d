"""Hide contact details, income and SIN on an application's page until a person reveals them.

Revealing is a POST that the audit log keeps; afterwards they are shown to that person, in that
session, for a few minutes. The author of a draft always sees them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from applications.admin.view_helpers import application_or_refuse, back_to_application
from applications.choices import Status
from applications.models import LoanApplication
from applications.pii import CONTACT
from applications.services import access_log
from core.admin.base import NoDeleteAdmin, staff
from core.admin.display import money
from core.admin.row_actions import row_url
from core.errors import NotPermitted

SHOWN_FOR = timedelta(minutes=10)
# A form that was opened while they were shown may still be saved.
TYPED_FOR = timedelta(minutes=30)
SESSION_KEY = "contact_revealed"  # application's key -> when, in seconds
HIDDEN_SUFFIX = "_hidden"
SECTION = "contact"  # of a page that is not the application's own
TOO_LATE = (
    "Nothing was saved: the contact details are hidden again. Reveal them, and type it once more."
)


def shown_until(request: HttpRequest, application: LoanApplication) -> float | None:
    """Return until when this person has revealed them, as a timestamp; ``None`` if not."""
    if not staff(request).has_perm(access_log.REVEAL):
        return None  # also when the permission was taken away since
    at = request.session.get(SESSION_KEY, {}).get(str(application.pk))
    length = TYPED_FOR if request.method == "POST" else SHOWN_FOR
    if at is None or timezone.now().timestamp() >= at + length.total_seconds():
        return None
    return float(at) + SHOWN_FOR.total_seconds()


def is_own_draft(request: HttpRequest, application: LoanApplication) -> bool:
    return application.status == Status.DRAFT and application.created_by_id == staff(request).pk


def is_shown(request: HttpRequest, application: LoanApplication) -> bool:
    return is_own_draft(request, application) or shown_until(request, application) is not None


def is_typed_too_late(request: HttpRequest, application: LoanApplication) -> bool:
    """Tell whether a form has contact details after the time to change them was over."""
    return bool(CONTACT.keys() & request.POST.keys()) and not is_shown(request, application)


def hidden_fieldsets(fieldsets: Any) -> Any:
    """Return the fieldsets with each contact field replaced by its masked column."""

    def swap(name: Any) -> Any:
        if isinstance(name, tuple):
            return tuple(swap(part) for part in name)
        return f"{name}{HIDDEN_SUFFIX}" if name in CONTACT else name

    return tuple(
        (title, {**options, "fields": tuple(swap(name) for name in options["fields"])})
        for title, options in fieldsets
    )


def _masked(name: str, description: str) -> Callable[[Any, LoanApplication], str]:
    """Return the column that shows a contact field masked."""

    @admin.display(description=description, empty_value="-")
    def column(_self: Any, application: LoanApplication) -> str:
        return CONTACT[name](getattr(application, name))

    return column


class HiddenFields:
    """The masked columns."""

    address_hidden = _masked("address", "Address")
    phone_hidden = _masked("phone", "Phone")
    email_hidden = _masked("email", "Email")
    sin_last4_hidden = _masked("sin_last4", "SIN, last four digits")
    annual_income_hidden = _masked("annual_income", "Annual income")


def contact_context(request: HttpRequest, application: LoanApplication | None) -> dict[str, Any]:
    """Return the context of what reveals them: the button, or until when they are shown."""
    if application is None:
        return {}
    until = shown_until(request, application)
    hidden, may = not is_shown(request, application), staff(request).has_perm(access_log.REVEAL)
    return {
        "contact_hidden": hidden,
        "contact_until": None
        if until is None
        else datetime.fromtimestamp(until, tz=timezone.get_current_timezone()),
        "may_reveal": may,
        "can_reveal": hidden and may,
    }


def contact_rows(request: HttpRequest, application: LoanApplication) -> list[tuple[str, str]]:
    """Return label and value of each contact field, masked until it is revealed."""
    shown = is_shown(request, application)
    rows = []
    for name, hide in CONTACT.items():
        value = getattr(application, name)
        label = str(getattr(application._meta.get_field(name), "verbose_name", name))
        if value in {None, ""}:
            text = "not stated"
        elif not shown:
            text = hide(value)
        elif isinstance(value, Decimal):
            text = money(value, application.currency)
        else:
            text = str(value)
        rows.append((f"{label[0].upper()}{label[1:]}", text))
    return rows


@require_POST
def reveal_view(
    request: HttpRequest, *, pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponse:
    application = application_or_refuse(model_admin, request, pk)
    try:
        access_log.contact_reveal(application=application, user=staff(request))
    except NotPermitted as refused:
        return back_to_application(model_admin, request, application, str(refused))
    now = timezone.now().timestamp()
    forget = now - TYPED_FOR.total_seconds()
    kept = {key: at for key, at in request.session.get(SESSION_KEY, {}).items() if at > forget}
    request.session[SESSION_KEY] = {**kept, str(application.pk): now}
    sentence = (
        f"The contact details are shown to you for {SHOWN_FOR.seconds // 60} minutes. "
        "The audit log says so."
    )
    # A page below that of this application asked, and shows them in its place.
    back = request.POST.get("back", "")
    if not back.startswith(row_url(application).removesuffix("change/")):
        return back_to_application(model_admin, request, application, sentence, messages.INFO)
    model_admin.message_user(request, sentence, messages.INFO)
    return HttpResponseRedirect(f"{back}#{SECTION}")
