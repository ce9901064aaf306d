"""Open an incident while nobody in the office can decide a review task, and end it by itself.

The superusers get a mail: they give roles and enter delegations. Operations sees the incident.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.utils import timezone

from core.site_urls import site_url
from reviews.choices import TaskStatus
from reviews.models import ReviewTask
from reviews.services.rechecks import tasks_recheck
from workflows import incidents
from workflows.models import Execution, Incident, OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to

LOOK_EVERY = timedelta(minutes=1)
MOST = 2_000  # tasks that change in one look
PEOPLE = "/admin/auth/user/"


def nobody_can_decide(*, tasks: Mapping[ReviewTask, str]) -> None:
    """Open an incident for each task, which says why, and tell the superusers once of all."""
    for task, why in tasks.items():
        incidents.incident_open(
            kind=Incident.Kind.NOBODY_CAN_DECIDE,
            key=incidents.undecidable_key(task),
            application=task.application,
            execution=Execution.objects.filter(
                application=task.application, attempt=task.attempt
            ).first(),
            sentence=(
                f"Nobody in the office can decide the {task.get_kind_display().lower()} of "
                f"{task.application.reference} now. {why} A superuser gives somebody the role, or "
                "hands over the tasks of somebody who is away; then this ends by itself."
            ),
        )
    first = next(iter(tasks))
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"undecidable/{first.pk}/{first.undecidable_since:%Y%m%d%H%M%S%f}",
        payload={"undecidable": first.pk, "more": len(tasks) - 1},
        application_id=first.application_id,
    )


def somebody_decided(*, tasks: Iterable[ReviewTask]) -> None:
    """End the incidents of those decided tasks that were marked."""
    if marked := [task for task in tasks if task.undecidable_since is not None]:
        somebody_can_decide(tasks=marked)


def somebody_can_decide(*, tasks: Iterable[ReviewTask]) -> None:
    """End the incidents of tasks that somebody can decide again."""
    keys = [incidents.undecidable_key(task) for task in tasks]
    rows = Incident.objects.filter(key__in=keys)
    incidents.mark_resolved(rows, by=None, note="Somebody can decide it again.")


def look(*, seconds: float = math.inf) -> dict[str, Any]:
    """Look again at all open tasks, and end the incidents of those that are closed.

    For what nothing announces, as a delegation that begins or ends at its time. Changes at most
    ``MOST`` tasks, and begins none after so many seconds; ends at most ``MOST`` incidents.
    """
    changed = tasks_recheck(now=timezone.now(), limit=MOST, seconds=seconds)
    rows = Incident.objects.filter(kind=Incident.Kind.NOBODY_CAN_DECIDE)
    rows = rows.exclude(status=Incident.Status.RESOLVED)
    waiting = {incidents.undecidable_key(task) for task in incidents.tasks_undecidable().only("pk")}
    over = [pk for pk, key in rows.values_list("pk", "key") if key not in waiting]
    ended = incidents.mark_resolved(
        Incident.objects.filter(pk__in=over[:MOST]),
        by=None,
        note="It waits for no decision any more.",
    )
    return {"changed": changed, "ended": ended}


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return the superusers, who can end it."""
    people = User.objects.filter(is_active=True, is_superuser=True).exclude(email="")
    found = sorted(people.values_list("pk", flat=True)) if _task_of(payload) else []
    return [Recipient(person, Weight.URGENT) for person in found]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to one superuser; ``None`` once somebody can decide it, or it is closed."""
    task = _task_of(payload)
    person = User.objects.filter(pk=payload["user"], is_active=True, is_superuser=True).first()
    if task is None or person is None:
        return None
    incident = Incident.objects.filter(key=incidents.undecidable_key(task)).first()
    more = payload["more"]
    also = f" and {more} more" if more else ""
    return letter_to(
        person.email,
        f"Nobody can decide {task.application.reference}{also}",
        f"{incident.sentence if incident else ''}\n{site_url(PEOPLE)}",
    )


def _task_of(payload: dict[str, Any]) -> ReviewTask | None:
    rows = ReviewTask.objects.filter(status=TaskStatus.OPEN, undecidable_since__isnull=False)
    return rows.select_related("application").filter(pk=payload["undecidable"]).first()


LETTERS["undecidable"] = Letter(audience, build_email)
