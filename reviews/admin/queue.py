"""The way through *My approvals*: to the decision of a row, back to the list, on to the next.

The list's query string goes along in the address of the decision page, in the parameter in which
Django's own change pages carry it.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lending.choices import Outcome
from reviews.models import ReviewTask
from reviews.services import decisions

CARRIED = "_changelist_filters"
MINE = {"mine": "yes"}
MINE_VALUES = ("yes", "free")  # of the parameter, in the lists that are *My approvals*
# The most that are counted: the header's badge stops there as well.
MOST = 100


@dataclass(frozen=True)
class Next:
    """The task to decide next, and how many are left with it."""

    task: ReviewTask
    left: int

    @property
    def left_words(self) -> str:
        return f"{MOST} or more left" if self.left >= MOST else f"{self.left} left"


def list_carried(request: HttpRequest) -> str:
    """Return the query string of *My approvals* that the page was opened from; else empty."""
    carried = parse_qsl(request.GET.get(CARRIED, ""))
    return urlencode(carried) if dict(carried).get("mine") in MINE_VALUES else ""


def list_url(carried: str) -> str:
    return f"{reverse('admin:reviews_reviewtask_changelist')}?{carried}"


def decide_url(task: ReviewTask, outcome: str, carried: str = "") -> str:
    """Return the address of the decision page, which leads back to the list that is carried."""
    args = [task.application_id, task.pk, outcome]
    url = reverse("admin:applications_loanapplication_decide", args=args)
    return f"{url}?{urlencode({CARRIED: carried})}" if carried else url


def next_after(task: ReviewTask, *, user: User, now: datetime) -> Next | None:
    """Return what this person can decide after this task, as the list goes on; else its first."""
    others = decisions.tasks_decidable(user=user, now=now).exclude(pk=task.pk)
    after = Q(due_at__gt=task.due_at) | Q(due_at=task.due_at, pk__gt=task.pk)
    listed = others.select_related("application").order_by("due_at", "pk")
    found = listed.filter(after).first() or listed.first()
    return None if found is None else Next(found, others.order_by()[:MOST].count())


def next_sentence(following: Next, outcome: Outcome) -> SafeString:
    """Return ``Next: LOAN-AB12CD34 (4 left).`` with a link to the decision page of the next."""
    url = decide_url(following.task, outcome, urlencode(MINE))
    reference = following.task.application.reference
    left = following.left_words
    return format_html('Next: <a href="{}" class="next-one">{}</a> ({}).', url, reference, left)
