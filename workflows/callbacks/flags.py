"""Record fraud flags, and which review looks at each. The application is locked by the caller.

A flag counts whenever it arrives: in its wait, after it, from an earlier try or attempt, or after
another answer said "passed". While nothing is paid, the workflow has it reviewed before it goes
on; afterwards it is an incident.
"""

from django.utils import timezone

from applications.choices import Level
from applications.models import Disbursement, LoanApplication
from applications.services.timeline import event_record
from applications.transitions import is_terminal
from lending.choices import Outcome
from reviews.choices import TaskStatus
from reviews.kinds import REVIEW_KINDS, Trigger
from reviews.models import ReviewTask
from reviews.selectors import tasks_decided
from workflows.incidents import incident_open
from workflows.models import Incident, PendingCallback

FLAG_REVIEWS = tuple(kind for kind, row in REVIEW_KINDS.items() if row.trigger is Trigger.FLAGGED)


def flag_record(*, application: LoanApplication, callback: PendingCallback) -> None:
    """Record that an answer to a callback flags the application; each callback counts once.

    A review that is open looks at this flag as well. One that came out of turn is put on the
    timeline; once money may have been sent, it opens an incident.
    """
    if callback.flagged_at is not None:
        return
    callback.flagged_at = timezone.now()
    callback.flag_review = ReviewTask.objects.filter(
        application=application, kind__in=FLAG_REVIEWS, status=TaskStatus.OPEN
    ).first()
    callback.save(update_fields=["flagged_at", "flag_review"])
    requested = Disbursement.objects.filter(application=application)
    if requested.exclude(status__in=Disbursement.NOTHING_LEFT).exists():
        _note(application, callback, "The payout was requested before; see the incident.")
        incident_open(
            kind=Incident.Kind.FLAGGED_AFTER_PAYOUT,
            key=f"flagged/{callback.pk}",
            application=application,
            execution=callback.execution,
            sentence=(
                f"{callback.name} flagged {application.reference} after its payout had been "
                "requested, so nobody has reviewed this flag. Look at the application, and "
                "recover the money if the flag is right."
            ),
        )
    elif callback.status == PendingCallback.Status.OPEN:
        return  # in its turn: the workflow goes on with it
    elif is_terminal(application.status):
        _note(application, callback, "The application was closed before; nothing was paid.")
    else:
        _note(application, callback, "Somebody has to review it before anything is paid.")


def flags_review(*, application: LoanApplication, task: ReviewTask) -> None:
    """Let a newly opened review look at every flag that no review has cleared."""
    if task.kind in FLAG_REVIEWS:
        PendingCallback.objects.filter(
            execution__application=application, flagged_at__isnull=False
        ).exclude(flag_review__in=tasks_decided().filter(outcome=Outcome.APPROVE)).update(
            flag_review=task
        )


def _note(application: LoanApplication, callback: PendingCallback, then: str) -> None:
    event_record(
        application=application,
        kind="flagged_late",
        message=f"{callback.name} flagged the application out of turn. {then}",
        level=Level.WARNING,
        is_internal=True,
        data={"callback": callback.name, "execution": callback.execution.name},
    )
