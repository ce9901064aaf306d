"""Begin a new attempt of an application: by Operations, or because it has to be approved again."""

from django.contrib.auth.models import User

from applications.choices import Level, Status, Step
from applications.models import LoanApplication
from applications.services.attempts import move, save, stop_waiting
from applications.services.timeline import event_record
from partners.models import Partner
from reviews.services.tasks import tasks_cancel
from workflows import executions


def attempt_begin(
    *,
    application: LoanApplication,
    reason: str,
    user: User | None = None,
    partner: Partner | None = None,
) -> None:
    """Begin the next attempt of a locked application; the one before may write nothing more.

    ``user`` or ``partner`` is who caused it.
    """
    tasks_cancel(application=application)
    executions.execution_stop(application=application)
    move(application, Status.SUBMITTED)
    application.attempt += 1
    application.version += 1
    application.current_step = Step.SUBMITTED
    # The outcome of the attempt before no longer holds; the timeline keeps it.
    application.outcome, application.decision_reasons, application.decided_at = "", [], None
    application.closed_at = None
    stop_waiting(application)
    save(application, "attempt", "version")
    event_record(
        application=application,
        kind="restarted",
        message=f"Restarted as attempt {application.attempt}. {reason}".strip(),
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        partner=partner,
    )
    executions.execution_queue(application=application)
