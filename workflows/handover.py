"""Hand a stuck application to Operations."""

from applications.services.attempts import Attempt
from reviews.services.tasks import tasks_cancel
from workflows.callbacks.pending import callbacks_expire
from workflows.executions import execution_end
from workflows.incidents import incident_open
from workflows.models import Execution, Incident
from workflows.steps import records


def case_hand_over(
    run: Attempt,
    *,
    kind: Incident.Kind | None,
    sentence: str,
    ended: Execution.Status = Execution.Status.FAILED,
) -> bool:
    """Hand a stuck case to Operations; false when it has closed or was handed over before.

    ``kind`` is ``None`` where an incident that says why is open already. Nothing of the run
    is asked or waited for any more. In a transaction.
    """
    if not records.needs_attention(run, sentence=sentence):
        return False
    execution_end(run, status=ended, error=sentence)
    execution = Execution.objects.select_related("application").get(name=run.name)
    tasks_cancel(application=execution.application)
    callbacks_expire(run)
    if kind is not None:
        incident_open(
            kind=kind,
            key=f"{kind.value}/{run.name}",
            application=execution.application,
            execution=execution,
            sentence=sentence,
        )
    return True
