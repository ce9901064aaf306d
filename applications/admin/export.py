"""The list of applications as CSV: what the filters and the search leave, however much it is.

Written while it is read, in pieces that each begin where the last one ended: no cursor and
no transaction stays open while somebody downloads, the first bytes leave at once, and memory
stays the same. An application that changes meanwhile is there once, as it was when its piece was
read.

UTF-8 with a byte order mark: spreadsheets take a file without one for the code page of the
machine, and names with accents come out wrong. Cells that a spreadsheet would take for a
formula get an apostrophe in front (OWASP, CSV Injection). No SIN, no income, no contact
details.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from applications.choices import Purpose, Status, Step, waiting_choices
from applications.models import LoanApplication
from applications.services.exports import export_check, export_record
from core.admin.base import NoDeleteAdmin, refuse_null_characters, staff
from core.errors import NotPermitted
from lending.choices import Outcome

ROWS_AT_ONCE = 2000
BYTE_ORDER_MARK = "\ufeff"
# What makes a spreadsheet calculate, in its narrow and its wide form.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001

type Show = Callable[[Any], str]


def text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell


def amount(value: Decimal) -> str:
    return f"{value:.2f}"


def moment(at: datetime | None) -> str:
    """Local time to the second, with its distance from UTC."""
    return "" if at is None else timezone.localtime(at).isoformat(timespec="seconds")


def word(choices: Iterable[tuple[Any, Any]]) -> Show:
    """The label of one of these values; what is none of them as it is."""
    labels = {value: str(label) for value, label in choices}
    return lambda value: labels.get(value, text(value))


# The heading, the field, and how it is shown.
COLUMNS: tuple[tuple[str, str, Show], ...] = (
    ("Reference", "reference", text),
    ("Applicant", "applicant_name", text),
    ("Amount", "loan_amount", amount),
    ("Currency", "currency", text),
    ("Purpose", "purpose", word(Purpose.choices)),
    ("Months", "term_months", str),
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
    """Stream what the list would show for the same query string, in its order, all of it."""
    user = staff(request)
    refuse_null_characters(request)
    try:
        export_check(user=user)
    except NotPermitted as refused:
        raise PermissionDenied(str(refused)) from refused
    back = reverse("admin:applications_loanapplication_changelist", query=request.GET)
    try:
        shown: Any = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect(back)
    rows: QuerySet[LoanApplication] = shown.queryset.select_related(None)
    most: int | None = settings.LOANOFFICE_EXPORT_MOST
    if most is not None and len(rows.order_by().values("pk")[: most + 1]) > most:
        said = f"At most {most:,} applications leave this way; narrow the search."
        model_admin.message_user(request, said, messages.WARNING)
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
    """The heading at once, then a block of lines for each piece."""
    writer = csv.writer(_Echo())
    heading: str = writer.writerow([title for title, _, _ in COLUMNS])
    yield (BYTE_ORDER_MARK + heading).encode()
    shows = [show for _, _, show in COLUMNS]
    for piece in in_order(rows, order=order, fields=[field for _, field, _ in COLUMNS]):
        lines: list[str] = [
            writer.writerow([show(value) for show, value in zip(shows, row, strict=True)])
            for row in piece
        ]
        yield "".join(lines).encode()


def in_order(
    rows: QuerySet[LoanApplication], *, order: list[str], fields: list[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """``fields`` of all rows in ``order``, whose last column has to tell rows apart.

    Each piece is found by the values of the last row before it, in an index: the thousandth
    piece is as quick as the first, as it would not be with an offset.
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
    """What comes after the row with the values ``last`` of the columns of ``order``.

    The first condition, on the first column alone, is implied by the others; it is what a
    database looks up in an index.
    """
    ways = [(name.removeprefix("-"), "lt" if name[0] == "-" else "gt") for name in order]
    first, way = ways[0]
    found, same = Q(), Q()
    for (name, than), value in zip(ways, last, strict=True):
        found |= same & Q(**{f"{name}__{than}": value})
        same &= Q(**{name: value})
    return Q(**{f"{first}__{way}e": last[0]}) & found


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line
