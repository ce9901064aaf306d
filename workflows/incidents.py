"""Open and close incidents."""

from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import Execution, Incident


def decisions_late(*, task: ReviewTask, decisions: list[ReviewDecision]) -> None:
    """Say that an answer was kept and not applied: a restart lets people decide again."""
    application = task.application
    given = " and ".join(
        f"{'approved' if decision.outcome == Outcome.APPROVE else 'declined'} by "
        f"{decision.decided_by or decision.partner} at "
        f"{timezone.localtime(decision.decided_at):%Y-%m-%d %H:%M:%S}"
        for decision in decisions
    )
    incident_open(
        kind=Incident.Kind.DECISION_LATE,
        key=f"late/{task.pk}",
        application=application,
        execution=Execution.objects.filter(application=application, attempt=task.attempt).first(),
        sentence=(
            f"{task.get_kind_display()} of {application.reference} was {given}, after the "
            "workflow had stopped waiting. It is kept and was not applied. Restart the case to "
            "decide again."
        ),
    )


def incidents_close(*, application: LoanApplication, note: str, by: User | None) -> int:
    """Resolve what is open about a case that has been mended; returns how many."""
    return (
        Incident.objects.filter(application=application)
        .exclude(status=Incident.Status.RESOLVED)
        .update(
            status=Incident.Status.RESOLVED,
            resolved_at=timezone.now(),
            resolved_by=by,
            note=note,
        )
    )


def incident_open(
    *,
    kind: Incident.Kind,
    key: str,
    application: LoanApplication,
    sentence: str,
    execution: Execution | None = None,
) -> None:
    """Say that something is stuck and why. One open incident a ``key``."""
    Incident.objects.bulk_create(
        [
            Incident(
                kind=kind,
                key=key,
                application=application,
                execution=execution,
                sentence=sentence,
            )
        ],
        ignore_conflicts=True,
    )
