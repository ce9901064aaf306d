"""Restart, stop, pause and settle a stuck application for Operations, each with an audit entry.

Each function checks the permission, locks the application, checks its state again and writes an
audit entry. Messages are outbox rows.
"""

from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.proposal_kinds import Confirmed
from applications.choices import Level, Status
from applications.errors import PayoutSettled, TransitionRefused
from applications.locking import application_lock
from applications.models import Disbursement, LoanApplication
from applications.services.attempts import Attempt, move, save, stop_waiting
from applications.services.timeline import event_record
from applications.transitions import is_terminal
from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted
from reviews.services.tasks import tasks_cancel
from workflows import attempts, errors, executions, incidents
from workflows.errors import NothingToHold, SentFromItsDelivery
from workflows.models import Execution, Incident, OutboxMessage
from workflows.outbox import queue
from workflows.payout_questions import RailAnswer, orders_ask, orders_needed
from workflows.providers.interfaces import PaymentState
from workflows.steps import payout

RESTART = "workflows.restart_execution"
STOP = "workflows.stop_execution"
RESEND = "workflows.resend_message"
SETTLE = "applications.settle_disbursement"


# --- The whole application ---------------------------------------------------------------


def restart_check(*, application: LoanApplication, user: User) -> None:
    """Raise the reason why ``user`` may not restart the application now.

    The pages call this to show or hide a button, ``application_restart`` to refuse the action.
    """
    may_restart_check(user=user)
    restart_state_check(
        application=application,
        ledger=Disbursement.objects.filter(application=application).first(),
        is_late=application.status == Status.EXPIRED
        and Incident.objects.filter(application=application, kind=Incident.Kind.DECISION_LATE)
        .exclude(status=Incident.Status.RESOLVED)
        .exists(),
    )


def may_restart_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may restart applications."""
    _require(user, RESTART, "Only Operations restarts an application.")


def restart_state_check(
    *, application: LoanApplication, ledger: Disbursement | None, is_late: bool
) -> None:
    """Raise the reason why an application cannot be restarted now, whoever asks.

    ``is_late``: a decision that came after it expired has an unresolved incident.
    """
    if ledger is not None and ledger.status == Disbursement.Status.UNKNOWN:
        raise errors.PayoutUnsettled(reference=application.reference)
    paid = ledger is not None and ledger.status == Disbursement.Status.PAID
    is_stuck = application.status == Status.NEEDS_ATTENTION or (
        is_late and application.status == Status.EXPIRED
    )
    if paid or not is_stuck:
        raise TransitionRefused(
            reference=application.reference,
            current=Status(application.status),
            new=Status.SUBMITTED,
        )


def restart_prepare(*, reference: str, user: User) -> RailAnswer:
    """Ask the rail for the payout, if an order was ever sent. Call it outside of a transaction.

    Raises as ``restart_check``, ``RailUnreachable``, and ``PayoutInDoubt`` while it is under way.
    """
    application = LoanApplication.objects.get(reference=reference)
    restart_check(application=application, user=user)
    ledger = Disbursement.objects.filter(application=application).first()
    if ledger is None:
        return RailAnswer(None, None)
    orders = orders_needed(ledger, reference)
    failed = orders.settled is None and orders.current == PaymentState.FAILED
    return RailAnswer(ledger, orders.settled, failed=failed)


def application_restart(
    *,
    reference: str,
    user: User,
    reason: str = "",
    rail: RailAnswer | None = None,
    policy_version: int | None = None,
) -> LoanApplication:
    """Restart a stuck application with a new attempt; the old one may write nothing from now on.

    It keeps its policy version, unless ``policy_version`` names the one in force.

    A payout is never repeated: its ledger row and its idempotency key belong to the application.
    Once an order was sent, the rail is asked first: an application that was paid is funded by it
    and gets no new attempt, which might end differently. One whose order failed there gets none
    either: that is recorded, and ``OrderFailed`` raised, because only a new order can be paid.
    Raises ``TransitionRefused`` unless the application needs attention, or expired before a
    decision that came too late, and is not paid; ``PayoutUnsettled``, ``RailUnreachable``,
    ``UnusablePolicy``, ``NotPermitted``. Without the answer of ``restart_prepare`` the rail is
    asked here: never in a transaction.
    """
    rail = rail or restart_prepare(reference=reference, user=user)
    with transaction.atomic():
        application = application_lock(reference)
        restart_check(application=application, user=user)
        if rail.ledger is not None:
            payout.payout_found(
                application=application, user=user, rail_reference=rail.found, failed=rail.failed
            )
        if rail.failed:
            pass  # recorded; the refusal is raised after the commit
        elif rail.found is None:
            attempts.attempt_begin(
                application=application, reason=reason, user=user, policy_version=policy_version
            )
            incidents.incidents_close(application=application, note="Restarted.", by=user)
        else:
            _note_paid(application, user)
    if rail.failed:
        raise errors.OrderFailed(reference=reference)
    return application


def stop_check(*, application: LoanApplication, user: User) -> Execution:
    """Return the execution that ``application_stop`` would stop; raises why it may not."""
    _require(user, STOP, "Only Operations stops a workflow.")
    execution = _running(application)
    if Disbursement.objects.filter(
        application=application,
        status__in=[Disbursement.Status.REQUESTED, Disbursement.Status.PAID],
    ).exists():
        raise NothingToHold(
            f"{application.reference} is being paid out: money may be on its way, so the workflow "
            "is left to finish."
        )
    return execution


@transaction.atomic
def application_stop(*, reference: str, user: User, reason: str) -> LoanApplication:
    """Stop the workflow of an application, which then needs attention: restart or withdraw it.

    Refused once a payout is requested or paid: money may be on its way. Raises
    ``NothingToHold``, ``NotPermitted``.
    """
    application = application_lock(reference)
    execution = stop_check(application=application, user=user)
    tasks_cancel(application=application)
    executions.execution_stop(application=application)
    move(application, Status.NEEDS_ATTENTION)
    application.version += 1
    stop_waiting(application)
    save(application, "version")
    _audit(application, "stopped", "The workflow was stopped.", user, reason=reason)
    incidents.incident_open(
        kind=Incident.Kind.STOPPED,
        key=f"stopped/{execution.name}",
        application=application,
        execution=execution,
        sentence=(
            f"{user.get_username()} stopped the workflow of {reference} "
            f"({reason.strip().rstrip('.')}). Restart the application, or withdraw it."
        ),
    )
    return application


def pause_check(*, application: LoanApplication, user: User, paused: bool) -> Execution:
    """Return the execution to pause (or, with ``paused``, to resume); raises why it may not."""
    _require(user, STOP, "Only Operations pauses a workflow.")
    execution = _running(application)
    if (execution.paused_at is not None) != paused:
        state = "not paused" if paused else "paused already"
        raise NothingToHold(f"The workflow of {application.reference} is {state}.")
    return execution


@transaction.atomic
def execution_pause(*, reference: str, user: User, reason: str) -> Execution:
    """Pause the workflow after its current operation. Review tasks stay open.

    Raises ``NothingToHold``, ``NotPermitted``.
    """
    application = application_lock(reference)
    execution = pause_check(application=application, user=user, paused=False)
    execution.paused_at = timezone.now()
    execution.save(update_fields=["paused_at"])
    _put_hold(execution, OutboxMessage.Kind.PAUSE_EXECUTION, reason=reason)
    _audit(application, "paused", "The workflow was paused.", user, reason=reason)
    return execution


@transaction.atomic
def execution_resume(*, reference: str, user: User, reason: str = "") -> Execution:
    """Resume a paused workflow. Raises ``NothingToHold``, ``NotPermitted``."""
    application = application_lock(reference)
    execution = pause_check(application=application, user=user, paused=True)
    execution.paused_at = None
    execution.save(update_fields=["paused_at"])
    _put_hold(execution, OutboxMessage.Kind.RESUME_EXECUTION, reason=reason)
    _audit(application, "resumed", "The workflow goes on.", user, reason=reason)
    return execution


def _put_hold(execution: Execution, kind: OutboxMessage.Kind, *, reason: str) -> None:
    before = OutboxMessage.objects.filter(execution=execution, kind=kind).count()
    verb = kind.value.partition("_")[0]
    queue.put(
        kind=kind,
        key=f"{verb}/{execution.name}/{before + 1}",
        execution=execution,
        payload={"reason": reason.strip() or verb},
    )


# --- Money ------------------------------------------------------------------------------


def payout_check(*, application: LoanApplication, user: User) -> Disbursement:
    """Return the payout of unknown outcome that ``user`` may settle; raises why they may not."""
    _require(user, SETTLE, "Only Operations says what became of a payout.")
    return _unknown_payout(application)


def _unknown_payout(application: LoanApplication) -> Disbursement:
    ledger = Disbursement.objects.filter(application=application).first()
    if ledger is None or ledger.status != Disbursement.Status.UNKNOWN:
        status = ledger.get_status_display() if ledger is not None else "not requested"
        raise PayoutSettled(reference=application.reference, status=status)
    return ledger


def payout_ask(*, application: LoanApplication, paid: bool) -> str | None:
    """Ask the rail for a payout of unknown outcome; return its reference, ``None`` if unknown.

    Raises ``PayoutFound`` when it is to be called unpaid and the rail paid, and then
    ``RailUnreachable`` and ``PayoutInDoubt`` as well; for "it was paid" a rail that cannot be
    asked knows nothing.
    """
    ledger = _unknown_payout(application)
    reference = application.reference
    if paid:
        try:
            return orders_ask(ledger).settled
        except errors.ProviderError:
            return None
    found = orders_needed(ledger, reference).settled
    if found is not None:
        raise errors.PayoutFound(reference=reference, rail_reference=found)
    return None


@transaction.atomic
def payout_settle(
    *, reference: str, confirmed: Confirmed, paid: bool, rail_reference: str, note: str
) -> LoanApplication:
    """Settle a payout of unknown outcome, as one person proposed and another confirmed.

    ``confirmed.prepared`` is what the rail answered just before (``payout_ask``): money that it
    knows under another reference is not settled. Raises ``PayoutFound``, ``PayoutSettled``, and
    ``NotPermitted`` for one person alone.
    """
    if confirmed.alone or confirmed.proposer is None:
        raise NotPermitted("Two people say what became of a payout: one alone cannot.")
    found = confirmed.prepared
    if found is not None and found != rail_reference:
        raise errors.PayoutFound(reference=reference, rail_reference=found)
    application = application_lock(reference)
    _unknown_payout(application)
    payout.payout_settle(
        application=application,
        confirmed=confirmed,
        paid=paid,
        rail_reference=rail_reference,
        note=note,
    )
    if paid:
        _note_paid(application, confirmed.confirmer)
    else:
        Incident.objects.filter(application=application, kind=Incident.Kind.PAYOUT_UNKNOWN).exclude(
            status=Incident.Status.RESOLVED
        ).update(
            sentence=f"The payout of {reference} was not made, as "
            f"{confirmed.proposer.get_username()} found and "
            f"{confirmed.confirmer.get_username()} confirmed. Restart the application to pay it, "
            "or withdraw it."
        )
    return application


def _note_paid(application: LoanApplication, user: User) -> None:
    attempt = Attempt(reference=application.reference, number=application.attempt)
    incidents.incidents_close(application=application, note="It was paid.", by=user)
    executions.closing_notice(attempt)


# --- Messages -----------------------------------------------------------------------------


def resend_check(*, message: OutboxMessage, user: User) -> None:
    """Raise the reason why ``user`` may not send a message again now."""
    _require(user, RESEND, "Only Operations sends again what was given up.")
    if message.kind == OutboxMessage.Kind.WEBHOOK:
        raise SentFromItsDelivery
    if message.status != OutboxMessage.Status.DEAD:
        raise errors.NothingToResend(key=message.key, status=message.get_status_display())


@transaction.atomic
def message_resend(*, message: OutboxMessage, user: User) -> OutboxMessage:
    """Send a message that was given up again, with all its attempts.

    Resolves its incident, unless it is the only one of a stuck application; another one
    opens if the message fails again. Raises ``NothingToResend``, ``NotPermitted``.
    """
    _require(user, RESEND, "Only Operations sends again what was given up.")
    if message.kind == OutboxMessage.Kind.WEBHOOK:
        raise SentFromItsDelivery
    incident = Incident.objects.filter(message=message).select_related("application").last()
    application = None if incident is None else application_lock(incident.application.reference)
    row = OutboxMessage.objects.filter(pk=message.pk)
    if not queue.put_again(row):
        now = row.get()
        raise errors.NothingToResend(key=now.key, status=now.get_status_display())
    if incident is None or application is None:
        entry_record(
            action=Action.OPERATED,
            message=f"Sent again: {message.get_kind_display().lower()}.",
            actor=user,
            target=message,
        )
    else:
        _audit(
            application,
            "resent",
            f"Sent again: {message.get_kind_display().lower()}.",
            user,
            key=message.key,
        )
        if not incidents.is_last_word(application, incident):
            incidents.mark_resolved(
                Incident.objects.filter(pk=incident.pk), by=user, note="Sent again."
            )
    transaction.on_commit(partial(queue.send_now, message.key), robust=True)
    return row.get()


# --- Small parts ------------------------------------------------------------------------


def _require(user: User, permission: str, sentence: str) -> None:
    if not user.has_perm(permission):
        raise NotPermitted(sentence)


def _running(application: LoanApplication) -> Execution:
    """Return the execution that carries the application now. Raises ``NothingToHold``."""
    execution = Execution.objects.filter(
        application=application, attempt=application.attempt, ended_at__isnull=True
    ).first()
    if (
        execution is None
        or is_terminal(application.status)
        or application.status == Status.NEEDS_ATTENTION
    ):
        raise NothingToHold(f"No workflow runs for {application.reference}.")
    return execution


def _audit(application: LoanApplication, kind: str, message: str, user: User, **data: str) -> None:
    event_record(
        application=application,
        kind=kind,
        message=message,
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data=data,
    )
