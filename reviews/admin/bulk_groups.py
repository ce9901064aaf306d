"""Group the rows of the preview of many decisions, and add up each group.

What the policy referred for another reason than the amount (a bureau that did not answer, an
income that was not stated) is a group of its own, whose rows are not ticked at first: each has to
be looked at. So is what was sent back and has no answer yet.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.http import HttpRequest

from applications.admin.contact_reveal import is_shown
from applications.models import LoanApplication
from reviews.admin.figures import Figures, figures_of
from reviews.models import ReviewTask
from reviews.selectors import questions_of

ORDINARY, REFERRED, SENT_BACK = "ordinary", "referred", "sent-back"
TITLES = {
    ORDINARY: "can be decided",
    REFERRED: "referred: look at each of them",
    SENT_BACK: "sent back: no answer yet",
}
NOTES = {
    ORDINARY: "",
    REFERRED: "Not ticked at first: the policy referred them for another reason than the amount, "
    "such as a bureau that did not answer.",
    SENT_BACK: "Not ticked at first: a question about them has no answer yet. A decision ends it.",
}


@dataclass(frozen=True)
class Row:
    """One application of a bulk decision, with its task, or why it cannot be decided."""

    application: LoanApplication
    task: ReviewTask | None
    why_not: str
    on_behalf_of: User | None = None
    similar: Sequence[LoanApplication] = ()

    @property
    def carried(self) -> str:
        """The form's value for this row: application, task, and the version read."""
        task = self.task.pk if self.task is not None else 0
        return f"{self.application.pk}:{task}:{self.application.version}"


@dataclass(frozen=True)
class GroupRow:
    """One row that can be decided, with its figures; ticked rows are decided."""

    row: Row
    figures: Figures
    ticked: bool


@dataclass(frozen=True)
class Group:
    """Rows of one sort, with the sum of their amounts by currency."""

    key: str
    title: str
    note: str
    rows: Sequence[GroupRow]
    totals: Sequence[tuple[str, Decimal]]


def grouped(
    ready: Sequence[Row], request: HttpRequest, *, ticked: Collection[int] | None = None
) -> list[Group]:
    """Return the groups that have rows. One query for all figures, one for all questions.

    ``ticked`` are the applications that the person chose on a page before; ``None`` at first.
    """
    tasks = [row.task for row in ready if row.task is not None]
    known = figures_of(tasks, income_shown=lambda application: is_shown(request, application))
    questions = questions_of(tasks)
    found: defaultdict[str, list[GroupRow]] = defaultdict(list)
    for row, task in zip(ready, tasks, strict=True):
        each, question = known[task.pk], questions.get(task.pk)
        key = REFERRED if each.is_referral else ORDINARY
        if question is not None and question.is_open:
            key = SENT_BACK
        is_ticked = key == ORDINARY if ticked is None else row.application.pk in ticked
        found[key].append(GroupRow(row, each, is_ticked))
    return [
        Group(key, TITLES[key], NOTES[key], found[key], totals(each.row for each in found[key]))
        for key in TITLES
        if found[key]
    ]


def totals(rows: Iterable[Row]) -> list[tuple[str, Decimal]]:
    """Return the sum of the amounts of each currency, by its code."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row.application.currency] += row.application.loan_amount
    return sorted(sums.items())
