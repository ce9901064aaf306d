"""Keep in the session what the last bulk decision could not decide, to show it above the list.

It survives a reload until the next bulk decision replaces it or the person dismisses it. The
bulk decision itself is stored (``bulk_decisions``).
"""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from core.admin.base import staff
from lending.choices import Outcome
from reviews.models import BulkDecision, BulkDecisionRow

# Not "bulk_result": the previous release still reads that key, with another value.
KEY = "bulk_run"
# Tag of the message that repeats the result; the list hides it where it shows the result.
TAG = "bulk-result"
OUTCOME_WORDS = {Outcome.APPROVE: "approved", Outcome.DECLINE: "declined"}
State = BulkDecisionRow.State


@dataclass(frozen=True)
class Result:
    """The rows that were decided, those that this person had decided before, and the refused."""

    run: BulkDecision
    decided: int
    repeated: int
    waiting: int
    failed: tuple[BulkDecisionRow, ...]

    @property
    def outcome_word(self) -> str:
        return OUTCOME_WORDS[Outcome(self.run.outcome)]

    @property
    def total(self) -> int:
        return self.decided + self.repeated + self.waiting + len(self.failed)

    @property
    def url(self) -> str:
        return run_url(self.run)


def run_url(run: BulkDecision) -> str:
    """Return the address of the page with the result of each row."""
    return reverse("admin:reviews_bulkdecision_change", args=[run.pk])


def result_of(run: BulkDecision) -> Result:
    rows = list(run.rows.select_related("application"))
    counted = {state: sum(row.state == state for row in rows) for state in State}
    return Result(
        run=run,
        decided=counted[State.DECIDED],
        repeated=counted[State.REPEATED],
        waiting=counted[State.WAITING],
        failed=tuple(row for row in rows if row.state == State.REFUSED),
    )


def keep(request: HttpRequest, result: Result) -> None:
    """Keep a result with refused rows in the session; forget the last one otherwise."""
    if result.failed:
        request.session[KEY] = result.run.pk
    else:
        forget(request)


def forget(request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def kept(request: HttpRequest) -> Result | None:
    """Return the result that was neither dismissed nor replaced, if there is one."""
    if KEY not in request.session:
        return None
    run = BulkDecision.objects.filter(pk=request.session[KEY], decided_by=staff(request)).first()
    return None if run is None else result_of(run)
