"""Export the filtered list of applications as CSV.

The rows are read in pages by key while the response is sent: no cursor or transaction stays
open during the download, the first bytes are sent at once, and memory use is constant. An
application that changes meanwhile is exported once, as it was when its page was read.

No SIN, no income, no contact details.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from applications.choices import Purpose, Status, Step, waiting_choices
from applications.models import LoanApplication
from applications.services.exports import export_check, export_record
from audit.admin.csv_lines import BYTE_ORDER_MARK, csv_line
from core.admin.base import NoDeleteAdmin, staff
from core.errors import NotPermitted
from lending.choices import Outcome

ROWS_AT_ONCE = 2000

type Show = Callable[[Any], object]


def text(value: object) -> str:
    return "" if value is None else str(value)


def amount(value: Decimal) -> Decimal:
    """Return a number with two decimals, which a line shows without quotes."""
    return value.quantize(Decimal("0.01"))


def moment(at: datetime | None) -> str:
    """Return local time to the second, with its offset from UTC."""
    return "" if at is None else timezone.localtime(at).isoformat(timespec="seconds")


def word(choices: Iterable[tuple[Any, Any]]) -> Show:
    """Return the function that turns a value into its label; unknown values stay as they are."""
    labels = {value: str(label) for value, label in choices}
    return lambda value: labels.get(value, text(value))


# The heading, the field, and how it is shown.
COLUMNS: tuple[tuple[str, str, Show], ...] = (
    ("Reference", "reference", text),
    ("Applicant", "applicant_name", text),
    ("Amount", "loan_amount", amount),
    ("Currency", "currency", text),
    ("Purpose", "purpose", word(Purpose.choices)),
    ("Months", "term_months", int),
    ("Status", "status", word(Status.choices)),
    ("Step", "current_step", word(Step.choices)),
    ("Waiting on", "waiting_on", word(waiting_choices())),
    ("Waiting until", "waiting_until", moment),
    ("Partner", "partner__name", text),
    ("Partner's reference", "external_id", text),
    ("Decision", "outcome", word(Outcome.choices)),
    ("Decided", "decided_at", moment),
    ("Created", "created_at", moment),
    ("Submitted", "submitted_at", moment),
    ("Closed", "closed_at", moment),
)


@require_POST
def export_view(
    request: HttpRequest, *, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponseBase:
    """Stream all rows that the list shows for the same query string, in its order."""
    user = staff(request)
    try:
        export_check(user=user)
    except NotPermitted as refused:
        raise PermissionDenied(str(refused)) from refused
    shown: Any = model_admin.get_changelist_instance(request)
    rows: QuerySet[LoanApplication] = shown.queryset.select_related(None)
    most: int | None = settings.LOANOFFICE_EXPORT_MOST
    if most is not None and len(rows.order_by().values("pk")[: most + 1]) > most:
        warning = f"At most {most:,} applications are exported at once; narrow the search."
        model_admin.message_user(request, warning, messages.WARNING)
        back = reverse("admin:applications_loanapplication_changelist", query=request.GET)
        return HttpResponseRedirect(back)
    asked = {name: str(value) for name, value in request.GET.items() if name != SEARCH_VAR}
    export_record(user=user, asked=asked, searched=request.GET.get(SEARCH_VAR, "").strip())
    stamp = f"{timezone.localtime():%Y-%m-%d-%H%M}"
    return StreamingHttpResponse(
        csv_lines(rows, order=[str(name) for name in rows.query.order_by]),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="applications-{stamp}.csv"'},
    )


def csv_lines(rows: QuerySet[LoanApplication], *, order: list[str]) -> Iterator[bytes]:
    """Yield the heading at once, then the lines of each page of rows."""
    yield (BYTE_ORDER_MARK + csv_line([title for title, _, _ in COLUMNS])).encode()
    shows = [show for _, _, show in COLUMNS]
    for piece in in_order(rows, order=order, fields=[field for _, field, _ in COLUMNS]):
        lines = [
            csv_line([show(value) for show, value in zip(shows, row, strict=True)]) for row in piece
        ]
        yield "".join(lines).encode()


def in_order(
    rows: QuerySet[LoanApplication], *, order: list[str], fields: list[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield ``fields`` of all rows, page by page, in ``order``, whose last column is unique.

    Each page is found in an index by the values of the last row before it (keyset pagination),
    so the thousandth is as quick as the first.
    """
    names = [name.removeprefix("-") for name in order]
    reading = rows.order_by(*order).values_list(*fields, *names)
    after = Q()
    while True:
        piece = list(reading.filter(after)[:ROWS_AT_ONCE])
        if piece:
            yield [row[: len(fields)] for row in piece]
        if len(piece) < ROWS_AT_ONCE:
            return
        after = beyond(order, piece[-1][len(fields) :])


def beyond(order: list[str], last: tuple[Any, ...]) -> Q:
    """Return the condition for rows after the one with the values ``last`` in ``order``.

    The first condition, on the first column alone, is implied by the others; it lets the
    database use an index.
    """
    ways = [(name.removeprefix("-"), "lt" if name[0] == "-" else "gt") for name in order]
    first, way = ways[0]
    found, same = Q(), Q()
    for (name, than), value in zip(ways, last, strict=True):
        found |= same & Q(**{f"{name}__{than}": value})
        same &= Q(**{name: value})
    return Q(**{f"{first}__{way}e": last[0]}) & found
