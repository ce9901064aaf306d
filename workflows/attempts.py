"""Begin a new attempt of an application: by Operations, or because it has to be approved again."""

from django.contrib.auth.models import User

from applications.choices import Level, Status, Step
from applications.models import LoanApplication
from applications.services.attempts import move, save, stop_waiting
from applications.services.timeline import event_record
from lending.errors import UnusablePolicy
from lending.models import LendingPolicy
from lending.services import policy_current
from partners.models import Partner
from reviews.services.tasks import tasks_cancel
from workflows import executions


def attempt_begin(
    *,
    application: LoanApplication,
    reason: str,
    user: User | None = None,
    partner: Partner | None = None,
    policy_version: int | None = None,
) -> None:
    """Begin the next attempt of a locked application; the one before may write nothing more.

    ``user`` or ``partner`` is who caused it. The policy version stays, unless ``policy_version``
    names the one in force; both are on record. Raises ``UnusablePolicy``.
    """
    before = application.policy
    if policy_version is not None:
        application.policy = _in_force(application, policy_version)
    after, under = application.policy, ""
    if before is not None and after is not None and after != before:
        under = f" under policy version {after.version} in place of {before.version}"
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
    save(application, "attempt", "version", "policy")
    event_record(
        application=application,
        kind="restarted",
        message=f"Restarted as attempt {application.attempt}{under}. {reason}".strip(),
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        partner=partner,
        data={"policy_before": before and before.version, "policy": after and after.version},
    )
    executions.execution_queue(application=application)


def current_policy_for(application: LoanApplication) -> LendingPolicy | None:
    """Return the version in force where a restart may choose it in place of the one it keeps."""
    current = policy_current()
    kept = application.policy
    if kept is None or kept == current or current.currency != application.currency:
        return None
    return current


def _in_force(application: LoanApplication, version: int) -> LendingPolicy:
    """Return the version in force, if it is the one that was chosen and fits."""
    current = policy_current()
    if current.version != version:
        raise UnusablePolicy(f"Policy version {version} is not in force; {current.version} is.")
    if current.currency != application.currency:
        raise UnusablePolicy(
            f"Policy version {version} lends in {current.currency}, and {application.reference} is "
            f"in {application.currency}."
        )
    return current
