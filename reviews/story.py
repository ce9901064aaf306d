"""The reviews in an application's story: who was asked, until when. Decisions are in the log."""

from collections.abc import Iterator

from applications.models import LoanApplication
from audit.story import Kind, Line
from audit.times import moment
from reviews.choices import TaskStatus
from reviews.models import ReviewTask


def review_lines(application: LoanApplication) -> Iterator[Line]:
    """Yield the line of each review that was opened, and of each that ended without a decision."""
    for task in ReviewTask.objects.filter(application=application).order_by("pk"):
        kind = task.get_kind_display()
        yield Line(
            at=task.opened_at,
            kind=Kind.REVIEW,
            what=f"{kind}: asked for",
            attempt=task.attempt,
            facts=(
                ("asked of", task.get_assigned_role_display()),
                ("approvals required", str(task.approvals_required)),
                ("due", moment(task.due_at)),
                ("expires", moment(task.expires_at)),
            ),
        )
        if task.closed_at is not None and task.status != TaskStatus.DECIDED:
            status = task.get_status_display().lower()
            yield Line(
                at=task.closed_at,
                kind=Kind.REVIEW,
                what=f"{kind}: {status}",
                attempt=task.attempt,
            )
