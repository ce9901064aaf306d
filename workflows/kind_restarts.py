"""Restart the applications of many incidents of one kind, as after an outage, for Operations.

A person reads first which would be restarted, and which are left alone and why. What is decided
about each is decided by ``operations``, as for a single restart: its permission, the check under
the lock, the question to the payout rail, the policy version that is kept, and the audit entry.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet

from applications.choices import Status
from applications.models import Disbursement, LoanApplication
from audit.models import Action
from audit.services import entry_record
from core.errors import DomainError
from core.locking import locked
from workflows import operations
from workflows.errors import RailUnreachable
from workflows.models import Incident
from workflows.payout_questions import RailAnswer

# The most of one page, which are restarted in one transaction: whoever waits for the lock of one
# application waits for all of them.
MOST = 100
# For the questions to the rail; API Gateway ends a request after 29 seconds.
PATIENCE = timedelta(seconds=12)
NOT_ASKED = "The payout rail was not asked: the time for one page was over. Send it again."
RESOLVED = "Its incident is resolved by now."

# In a form that an index by status answers.
UNRESOLVED = Q(status__in=[Incident.Status.OPEN, Incident.Status.ACKNOWLEDGED])


@dataclass(frozen=True)
class Preview:
    """An application with an unresolved incident of the kind; ``why_not`` it is left alone."""

    incident: Incident
    why_not: str
    asks_rail: bool

    @property
    def application(self) -> LoanApplication:
        return self.incident.application


@dataclass
class Restarted:
    """The outcome of a restart of many, application by application."""

    restarted: list[str] = field(default_factory=list)
    funded: list[str] = field(default_factory=list)  # the rail had paid them
    refused: dict[str, str] = field(default_factory=dict)  # by reference, why


def unresolved_counts() -> dict[str, dict[str, int]]:
    """Count the unresolved incidents: by ``status``, by ``kind``, and by kind where ``stuck``.

    Those are of applications that need attention, or of a late decision. One query.
    """
    stuck = Q(application__status=Status.NEEDS_ATTENTION) | Q(kind=Incident.Kind.DECISION_LATE)
    rows = (
        Incident.objects.filter(UNRESOLVED)
        .values_list("status", "kind")
        .annotate(number=Count("pk"), stuck=Count("pk", filter=stuck))
        .order_by()
    )
    found: dict[str, dict[str, int]] = {"status": {}, "kind": {}, "stuck": {}}
    for status, kind, number, of_stuck in rows:
        found["status"][status] = found["status"].get(status, 0) + number
        found["kind"][kind] = found["kind"].get(kind, 0) + number
        if of_stuck:
            found["stuck"][kind] = found["stuck"].get(kind, 0) + of_stuck
    return found


def kind_restart_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may restart applications."""
    operations.may_restart_check(user=user)


def kind_preview(*, kind: Incident.Kind, user: User) -> list[Preview]:
    """Return the oldest ``MOST`` unresolved incidents of a kind, one for each application.

    With why an application would be left alone; in three queries. Raises ``NotPermitted``.
    """
    kind_restart_check(user=user)
    rows = Incident.objects.filter(UNRESOLVED, kind=kind).order_by("opened_at", "pk")
    incidents = list(rows.select_related("application", "application__policy")[:MOST])
    first = {incident.application_id: incident for incident in reversed(incidents)}
    ledgers = _ledgers(first)
    late = set(
        Incident.objects.filter(
            UNRESOLVED, kind=Incident.Kind.DECISION_LATE, application__in=list(first)
        ).values_list("application_id", flat=True)
    )
    found = []
    for incident in incidents:
        application = incident.application
        if first[application.pk] is not incident:
            continue
        ledger = ledgers.get(application.pk)
        why_not = ""
        try:
            operations.restart_state_check(
                application=application, ledger=ledger, is_late=application.pk in late
            )
        except DomainError as refused:
            why_not = str(refused)
        found.append(Preview(incident, why_not, asks_rail=ledger is not None))
    return found


def kind_restart_prepare(
    *, kind: Incident.Kind, incidents: Collection[int], user: User
) -> dict[str, RailAnswer | DomainError]:
    """Ask the rail for the payouts of the applications of these incidents, by reference.

    Call it outside of a transaction. It stops at a rail that cannot be reached, and when
    ``PATIENCE`` is over: those that it did not come to are not in the result.
    """
    kind_restart_check(user=user)
    asked = _asked(kind, incidents).select_related("application")
    applications = {each.application_id: each.application for each in asked}
    ledgers = _ledgers(applications)
    answers: dict[str, RailAnswer | DomainError] = {
        application.reference: RailAnswer(None, None)
        for application in applications.values()
        if application.pk not in ledgers
    }
    ends_at = time.monotonic() + PATIENCE.total_seconds()
    for pk in ledgers:
        if time.monotonic() > ends_at:
            break
        reference = applications[pk].reference
        try:
            answers[reference] = operations.restart_prepare(reference=reference, user=user)
        except RailUnreachable as refused:
            answers[reference] = refused
            break
        except DomainError as refused:
            answers[reference] = refused
    return answers


def incidents_restart(
    *,
    kind: Incident.Kind,
    incidents: Collection[int],
    user: User,
    reason: str,
    rail: Mapping[str, RailAnswer | DomainError],
) -> Restarted:
    """Restart the applications of these incidents, ``MOST`` at the most; call it in a transaction.

    ``rail`` is what ``kind_restart_prepare`` found. An application whose incident was resolved
    meanwhile is left alone, so that what is sent twice restarts once, and so is one that
    ``application_restart`` refuses. Raises ``NotPermitted``.
    """
    kind_restart_check(user=user)
    keys = _asked(kind, incidents).values_list("application_id", flat=True)
    # All locks at once, by primary key; each restart takes its own again, which it has.
    applications = list(locked(LoanApplication.objects.filter(pk__in=list(keys))))
    unresolved = _asked(kind, incidents).filter(UNRESOLVED)
    still = set(unresolved.values_list("application_id", flat=True))
    done = Restarted()
    for application in applications:
        reference = application.reference
        answer = rail.get(reference)
        if application.pk not in still:
            done.refused[reference] = RESOLVED
        elif answer is None:
            done.refused[reference] = NOT_ASKED
        elif isinstance(answer, DomainError):
            done.refused[reference] = str(answer)
        else:
            _restart(done, reference, user, reason, answer)
    _note(done, kind, user, reason)
    return done


def _restart(done: Restarted, reference: str, user: User, reason: str, answer: RailAnswer) -> None:
    try:
        application = operations.application_restart(
            reference=reference, user=user, reason=reason, rail=answer
        )
    except DomainError as refused:
        done.refused[reference] = str(refused)
    else:
        was_paid = application.status == Status.FUNDED
        (done.funded if was_paid else done.restarted).append(reference)


def _note(done: Restarted, kind: Incident.Kind, user: User, reason: str) -> None:
    """Write one entry about all of them; each application has its own as well."""
    if not done.restarted and not done.funded:
        return
    entry_record(
        action=Action.OPERATED,
        message=f"Restarted the applications of incidents “{kind.label}”.",
        actor=user,
        details={
            "kind": kind.value,
            "reason": reason,
            "restarted": done.restarted,
            "funded": done.funded,
            "left_alone": done.refused,
        },
    )


def _asked(kind: Incident.Kind, incidents: Collection[int]) -> QuerySet[Incident]:
    return Incident.objects.filter(kind=kind, pk__in=sorted(incidents)[:MOST])


def _ledgers(applications: Collection[int]) -> dict[int, Disbursement]:
    rows = Disbursement.objects.filter(application__in=list(applications))
    return {row.application_id: row for row in rows.order_by("application_id")}
