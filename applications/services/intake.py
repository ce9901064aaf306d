"""Create, edit, submit and withdraw applications."""

import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.demo_profiles import find_profile
from applications.errors import (
    DuplicateExternalId,
    NotEditable,
    PayoutInDoubt,
    StaleVersion,
    TransitionRefused,
)
from applications.locking import application_lock
from applications.models import Disbursement, LoanApplication
from applications.pii import masked_changes
from applications.references import PREFIX
from applications.services.attempts import move, save, stop_waiting
from applications.services.field_checks import fields_check
from applications.services.timeline import event_record
from applications.services.withdrawals import Asked, withdrawal_prepare
from applications.signals import (
    application_changed,
    application_submitted,
    application_withdrawn,
)
from applications.transitions import check_transition, is_terminal
from core import metrics
from core.errors import NotPermitted
from lending.models import LendingPolicy
from lending.services import policy_current
from partners.models import Partner, PartnerKey

# Crockford's alphabet without vowels: no two characters look alike, and no words are formed.
ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZ"
CONTACT_FIELDS = ("address", "phone", "email")
EDITABLE_FIELDS = (
    "applicant_name",
    *CONTACT_FIELDS,
    "sin_last4",
    "annual_income",
    "loan_amount",
    "currency",
    "purpose",
    "term_months",
    "external_id",
)
# What an approval is given on: the underwriting, and whom the money goes to.
JUDGED_FIELDS = frozenset(EDITABLE_FIELDS) - {"external_id"}
CREATE = ("applications.add_loanapplication", "create an application")
SUBMIT = ("applications.submit_loanapplication", "submit an application")
WITHDRAW = ("applications.withdraw_loanapplication", "withdraw an application")
# Their changes are named in the timeline without the values.
SENSITIVE_FIELDS = frozenset({*CONTACT_FIELDS, "applicant_name", "sin_last4", "annual_income"})


def reference_make() -> str:
    """Make a reference that cannot be guessed: one of 28 ** 8, about 4 * 10 ** 11."""
    return PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(8))


def application_create(
    *,
    user: User | None = None,
    partner: Partner | None = None,
    partner_key: PartnerKey | None = None,
    **fields: Any,
) -> LoanApplication:
    """Create a draft.

    Raises ``InvalidApplication`` with field errors, ``NotPermitted``, and ``DuplicateExternalId``
    for an ``external_id`` that the partner used before.
    """
    _require(user, partner, *CREATE)
    with transaction.atomic():
        return _create(
            policy=policy_current(),
            user=user,
            partner=partner,
            partner_key=partner_key,
            fields=fields,
        )


def _create(
    *,
    policy: LendingPolicy,
    user: User | None,
    partner: Partner | None,
    partner_key: PartnerKey | None,
    fields: dict[str, Any],
) -> LoanApplication:
    if fields.get("annual_income") is None and settings.LOANOFFICE_DEMO:
        profile = find_profile(str(fields.get("sin_last4", "")))
        fields["annual_income"] = profile.annual_income if profile else None
    fields.setdefault("currency", policy.currency)
    fields.setdefault("term_months", policy.default_term_months)
    application = LoanApplication(
        reference=reference_make(),
        partner=partner,
        created_by=user,
        last_edited_by=user,
        **fields,
    )
    fields_check(application, lent_in=policy.currency)
    _insert(application)
    event_record(
        application=application,
        kind="created",
        message="The application was created.",
        actor=user,
        partner=partner,
        partner_key=partner_key,
        changes=masked_changes(
            {
                name: (None, value)
                for name in EDITABLE_FIELDS
                if (value := getattr(application, name)) not in {None, ""}
            }
        ),
    )
    return application


def editable_fields(*, status: str) -> tuple[str, ...]:
    """Return the fields that may change: all of a draft, contact details while it is open."""
    if status == Status.DRAFT:
        return EDITABLE_FIELDS
    return () if is_terminal(status) else CONTACT_FIELDS


@transaction.atomic
def application_edit(
    *, reference: str, user: User, version: int | None = None, **fields: Any
) -> LoanApplication:
    """Change a draft, or the contact details of an open application. Increases ``version``.

    What was approved on an earlier version counts no more and is asked again.

    ``version`` is the one that the editor read; ``StaleVersion`` if it has changed.
    Raises ``NotEditable``, ``InvalidApplication``, ``NotPermitted``. An edit that changes
    nothing writes nothing.
    """
    _require(user, None, "applications.change_loanapplication", "edit an application")
    application = application_lock(reference)
    if version is not None and version != application.version:
        raise StaleVersion(reference=reference, read=version, current=application.version)
    changed = {
        name: (getattr(application, name), value)
        for name, value in fields.items()
        if name in EDITABLE_FIELDS and getattr(application, name) != value
    }
    if not changed:
        return application
    if not set(changed) <= set(editable_fields(status=application.status)):
        raise NotEditable(reference=reference, status=application.status)
    for name, (_, value) in changed.items():
        setattr(application, name, value)
    # What was submitted keeps its currency, whatever is lent in by now.
    is_draft = application.status == Status.DRAFT
    fields_check(
        application, lent_in=policy_current().currency if is_draft else application.currency
    )
    application.version += 1
    application.last_edited_by = user
    derived = [name for name, source in LoanApplication.DERIVED.items() if source in changed]
    application.save(update_fields=[*changed, *derived, "version", "last_edited_by", "updated_at"])
    event_record(
        application=application,
        kind="edited",
        message=f"Changed: {', '.join(sorted(changed)).replace('_', ' ')}.",
        is_internal=True,
        actor=user,
        data={
            name: None if name in SENSITIVE_FIELDS else [_plain(old), _plain(new)]
            for name, (old, new) in changed.items()
        },
        changes=masked_changes(changed),
    )
    if judged := sorted(set(changed) & JUDGED_FIELDS):
        application_changed.send(
            LoanApplication,
            application=application,
            changed=", ".join(judged).replace("_", " "),
            user=user,
            partner=None,
        )
    return application


@transaction.atomic
def application_submit(
    *,
    reference: str,
    user: User | None = None,
    partner: Partner | None = None,
    partner_key: PartnerKey | None = None,
) -> LoanApplication:
    """Submit a draft. The message that starts its workflow is written in this transaction.

    Raises ``TransitionRefused`` when it is not a draft, ``InvalidApplication``,
    ``NotPermitted``.
    """
    _require(user, partner, *SUBMIT)
    application = application_lock(reference)
    return _submit(
        application=application,
        policy=policy_current,
        user=user,
        partner=partner,
        partner_key=partner_key,
    )


def _submit(
    *,
    application: LoanApplication,
    policy: Callable[[], LendingPolicy],
    user: User | None,
    partner: Partner | None,
    partner_key: PartnerKey | None,
) -> LoanApplication:
    if application.status != Status.DRAFT:
        raise TransitionRefused(
            reference=application.reference,
            current=Status(application.status),
            new=Status.SUBMITTED,
        )
    fields_check(application, lent_in=policy().currency)
    application.status = Status.SUBMITTED
    application.current_step = Step.SUBMITTED
    application.submitted_by = user
    application.submitted_at = timezone.now()
    application.attempt = 1
    application.save(
        update_fields=[
            "status",
            "current_step",
            "submitted_by",
            "submitted_at",
            "attempt",
            "updated_at",
        ]
    )
    event_record(
        application=application,
        kind="submitted",
        message=f"Submitted: {application.loan_amount:,.2f} {application.currency}.",
        actor=user,
        partner=partner,
        partner_key=partner_key,
        changes={"status": (Status.DRAFT, Status.SUBMITTED)},
    )
    application_submitted.send(LoanApplication, application=application)
    metrics.record(
        {metrics.APPLICATIONS_SUBMITTED: 1}, channel="admin" if partner is None else "api"
    )
    return application


@transaction.atomic
def application_create_and_submit(
    *,
    user: User | None = None,
    partner: Partner | None = None,
    partner_key: PartnerKey | None = None,
    **fields: Any,
) -> LoanApplication:
    """Create and submit an application in one transaction.

    ``partner_key`` is the key of the partner's request: whoever made it does not decide.
    """
    _require(user, partner, *CREATE)
    policy = policy_current()
    by: dict[str, Any] = {"user": user, "partner": partner, "partner_key": partner_key}
    draft = _create(policy=policy, fields=fields, **by)
    _require(user, partner, *SUBMIT)
    application = application_lock(draft.reference)
    return _submit(application=application, policy=lambda: policy, **by)


def withdrawal_check(
    *, application: LoanApplication, user: User | None = None, partner: Partner | None = None
) -> None:
    """Raise the reason why the application cannot be withdrawn now.

    Pages call it to show or hide a button; ``application_withdraw`` calls it under its lock.
    """
    _require(user, partner, *WITHDRAW)
    check_transition(
        reference=application.reference, current=application.status, new=Status.WITHDRAWN
    )
    money_may_leave = (
        Disbursement.objects.filter(application=application)
        .exclude(status__in=Disbursement.NOTHING_LEFT)
        .exists()
    )
    if application.status == Status.WITHDRAWN or money_may_leave:
        raise TransitionRefused(
            reference=application.reference,
            current=Status(application.status),
            new=Status.WITHDRAWN,
        )


def application_withdraw(
    *,
    reference: str,
    user: User | None = None,
    partner: Partner | None = None,
    reason: str = "",
    asked: Asked | None = None,
) -> LoanApplication:
    """Withdraw an application at the applicant's request, until disbursing starts.

    Cancels open review tasks and stops the execution. Repeating it changes nothing. Raises
    ``TransitionRefused`` once a payout may have been made or the application is closed
    otherwise, ``PayoutInDoubt``, and ``NotPermitted``. Without the answer of
    ``withdrawal_prepare`` the rail is asked here: never in a transaction.
    """
    _require(user, partner, *WITHDRAW)
    asked = asked or withdrawal_prepare(reference=reference)
    with transaction.atomic():
        return _withdraw(
            application_lock(reference), user=user, partner=partner, reason=reason, asked=asked
        )


def _withdraw(
    application: LoanApplication,
    *,
    user: User | None,
    partner: Partner | None,
    reason: str,
    asked: Asked,
) -> LoanApplication:
    if application.status == Status.WITHDRAWN:
        return application
    withdrawal_check(application=application, user=user, partner=partner)
    sent = Disbursement.objects.filter(application=application).values_list("status", "orders")
    if sent.first() != asked.ledger:
        raise PayoutInDoubt(
            reference=application.reference, why="it changed while the rail was asked"
        )
    before = application.status
    move(application, Status.WITHDRAWN)
    stop_waiting(application)
    application.closed_at = timezone.now()
    application.version += 1
    save(application, "version")
    event_record(
        application=application,
        kind="withdrawn",
        message="The application was withdrawn.",
        data={"reason": reason.strip()},
        level=Level.WARNING,
        actor=user,
        partner=partner,
        changes={"status": (before, application.status)},
    )
    application_withdrawn.send(LoanApplication, application=application)
    return application


def _insert(application: LoanApplication) -> None:
    """Insert a row. Of two at the same moment the constraint refuses the second."""
    if application.partner is None or not application.external_id:
        application.save(force_insert=True)
        return
    try:
        with transaction.atomic():
            application.save(force_insert=True)
    except IntegrityError as error:
        earlier = LoanApplication.objects.filter(
            partner=application.partner, external_id=application.external_id
        )
        if (found := earlier.first()) is None:
            raise
        raise DuplicateExternalId(
            external_id=application.external_id, reference=found.reference
        ) from error


def _require(user: User | None, partner: Partner | None, permission: str, what: str) -> None:
    """Check the permission of staff. The API has checked the scopes of a partner's key."""
    if user is None and partner is None:
        raise NotPermitted(f"Somebody has to {what}: a member of staff or a partner.")
    if user is not None and not user.has_perm(permission):
        raise NotPermitted(f"You may not {what}.")


def _plain(value: object) -> object:
    return value if isinstance(value, int) else str(value)
