"""Hand a stuck application to Operations."""

from django.db import transaction

from applications.choices import Level, Status
from applications.errors import ApplicationClosed
from applications.models import LoanApplication
from applications.services.attempts import Attempt, begin_step, log, move, save, stop_waiting
from reviews.services.tasks import tasks_cancel
from workflows.callbacks.pending import callbacks_expire
from workflows.db_threads import run_in_db_thread
from workflows.executions import Closed, execution_end
from workflows.incidents import incident_open
from workflows.models import Execution, Incident


def give_up(attempt: Attempt, *, kind: Incident.Kind | None, sentence: str) -> Closed:
    """End an attempt by handing its application to Operations, with a sentence that says why.

    The status is ``superseded`` when the application has closed or a newer attempt carries it.
    """

    @transaction.atomic(savepoint=False)
    def write() -> Closed:
        application_hand_over(attempt, kind=kind, sentence=sentence)
        application = LoanApplication.objects.only("status", "attempt").get(
            reference=attempt.reference
        )
        stuck = (
            application.status == Status.NEEDS_ATTENTION and application.attempt == attempt.number
        )
        return Closed(status=Status.NEEDS_ATTENTION.value if stuck else "superseded")

    return run_in_db_thread(write)


def application_hand_over(
    attempt: Attempt,
    *,
    kind: Incident.Kind | None,
    sentence: str,
    ended: Execution.Status = Execution.Status.FAILED,
) -> bool:
    """Hand a stuck application to Operations; false when it has closed or was handed over before.

    ``kind`` is ``None`` where an incident that says why is open already. The review tasks and
    callbacks of the attempt are closed. In a transaction.
    """
    if not needs_attention(attempt, sentence=sentence):
        return False
    execution_end(attempt, status=ended, error=sentence)
    execution = Execution.objects.select_related("application").get(name=attempt.name)
    tasks_cancel(application=execution.application)
    callbacks_expire(attempt)
    if kind is not None:
        incident_open(
            kind=kind,
            key=f"{kind.value}/{attempt.name}",
            application=execution.application,
            execution=execution,
            sentence=sentence,
        )
    return True


@transaction.atomic(savepoint=False)
def needs_attention(attempt: Attempt, *, sentence: str) -> bool:
    """Set the status ``needs_attention``; false when it was set before or a final one is set."""
    try:
        application, seen = begin_step(attempt, "needs_attention")
    except ApplicationClosed:
        return False
    seen = seen or not log(
        attempt, "needs_attention", application, sentence, level=Level.ERROR, is_internal=True
    )
    if seen:
        return False
    move(application, Status.NEEDS_ATTENTION)
    stop_waiting(application)
    save(application)
    return True
