"""What the last bulk decision could not decide: remembered in the session, drawn above the list.

It is there after a reload too, and drawing it decides nothing. The next bulk decision
takes its place, or a person dismisses it. The run itself is stored and stays (``bulk_decisions``).
"""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from core.admin.base import staff
from lending.choices import Outcome
from reviews.models import BulkDecision, BulkDecisionRow

# Not "bulk_result": that was a copy of the result, which the release before still reads.
KEY = "bulk_run"
# Marks the message that says the same as the drawn result, which stands in for it.
TAG = "bulk-result"
SAID = {Outcome.APPROVE: "approved", Outcome.DECLINE: "declined"}
State = BulkDecisionRow.State


@dataclass(frozen=True)
class Result:
    """``decided`` now, ``repeated`` as this person had decided them before, ``failed``."""

    run: BulkDecision
    decided: int
    repeated: int
    waiting: int
    failed: tuple[BulkDecisionRow, ...]

    @property
    def said(self) -> str:
        return SAID[Outcome(self.run.outcome)]

    @property
    def total(self) -> int:
        return self.decided + self.repeated + self.waiting + len(self.failed)

    @property
    def url(self) -> str:
        return run_url(self.run)


def run_url(run: BulkDecision) -> str:
    """The page that says what became of its rows."""
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
    """Remember what failed; a result without failures leaves nothing to remember."""
    if result.failed:
        request.session[KEY] = result.run.pk
    else:
        forget(request)


def forget(request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def kept(request: HttpRequest) -> Result | None:
    """The result that is still to be looked at, if there is one."""
    if KEY not in request.session:
        return None
    run = BulkDecision.objects.filter(pk=request.session[KEY], decided_by=staff(request)).first()
    return None if run is None else result_of(run)
