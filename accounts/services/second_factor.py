"""Second factor with an authenticator app: enrol, check, recover, remove.

Codes are checked under a lock on the device's row, so a code is accepted once, and its failures
are counted; both by django-otp. Each of these is in the audit log.
"""

import hashlib
import secrets
from math import ceil

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_totp.models import default_key

from accounts.errors import AccountsError, CodeRefused, NotEnrolled, OnlySuperusers, TooManyCodes
from accounts.models import RecoveryCode, SecondFactor
from accounts.signals import account_changed
from audit.host import host_actor
from audit.models import Action
from audit.services import entry_record

RECOVERY_CODES = 10
# Without vowels and without characters that look alike: a person types this from paper.
ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZ"
RECOVERY_LENGTH = 16


def recovery_hash(code: str) -> str:
    """Hash a code with SHA-256 as it is compared: without spaces and dashes, in capitals."""
    bare = "".join(sign for sign in code.upper() if sign.isalnum())
    return hashlib.sha256(bare.encode()).hexdigest()


@transaction.atomic
def enrolment_begin(*, user: User) -> SecondFactor:
    """Make a new secret, unusable until a code confirms it; an older unconfirmed one is dropped."""
    SecondFactor.objects.filter(user=user, confirmed=False).delete()
    device: SecondFactor = SecondFactor.objects.create(
        user=user, name="Authenticator app", confirmed=False
    )
    return device


def enrolment_confirm(*, user: User, code: str) -> tuple[SecondFactor, list[str]]:
    """Confirm the secret with a code; it is required from now on. Return recovery codes.

    The codes cannot be shown again. Raises ``NotEnrolled``, ``CodeRefused``,
    ``TooManyCodes``.
    """
    with transaction.atomic():
        device = SecondFactor.objects.select_for_update().filter(user=user, confirmed=False).last()
        if device is None:
            raise NotEnrolled
        refused = _refusal(device, code)
        codes = [] if refused is not None else _enrol(device)
    if refused is not None:
        raise refused  # after the commit: a failure counts
    return device, codes


def secret_make() -> str:
    """Make a secret that no row holds yet, for ``secret_confirm``."""
    secret: str = default_key()
    return secret


def secret_shown(*, user: User, secret: str) -> SecondFactor:
    """Return a device with this secret, which is not stored, for its page to show."""
    device: SecondFactor = SecondFactor(user=user, key=secret)
    return device


def secret_confirm(*, user: User, secret: str, code: str) -> list[str] | AccountsError:
    """Set up a second factor with this secret; return recovery codes, or why the code is refused.

    For a transaction that has locked the user. A refusal is returned, and counts once that
    transaction is committed: the failures are those of the person, whatever the secret.
    """
    rows = SecondFactor.objects.select_for_update().filter(user=user, confirmed=False)
    device = rows.last() or enrolment_begin(user=user)
    device.key = secret
    return _refusal(device, code) or _enrol(device)


def wait_check(*, user: User) -> None:
    """Raise ``TooManyCodes`` while wrong codes hold up the set-up of a second factor."""
    device = SecondFactor.objects.filter(user=user, confirmed=False).last()
    held_up = None if device is None else _held_up(device)
    if held_up is not None:
        raise held_up


def _enrol(device: SecondFactor) -> list[str]:
    SecondFactor.objects.filter(user=device.user, confirmed=True).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = _recovery_codes_make(device.user)
    _note(device.user, device.user, "Set up a second factor.")
    return codes


def code_check(*, user: User, code: str) -> SecondFactor:
    """Check a code of the app, or a recovery code, and return its device.

    Raises ``NotEnrolled``, ``CodeRefused``, ``TooManyCodes``.
    """
    with transaction.atomic():
        rows = SecondFactor.objects.select_for_update().filter(user=user, confirmed=True)
        device: SecondFactor | None = rows.last()
        if device is None:
            raise NotEnrolled
        refused = _refusal(device, code)
        if refused is None:
            _note(user, user, "Showed the second factor.")
        elif isinstance(refused, CodeRefused):
            _note(user, user, "A code of the second factor was refused.")
    if refused is not None:
        raise refused
    return device


def _refusal(device: SecondFactor, code: str) -> AccountsError | None:
    """The reason why a code is refused; ``None`` when it is accepted, and then it is used up."""
    held_up = _held_up(device)
    if held_up is not None:
        return held_up
    bare = "".join(code.split()).replace("-", "")
    if device.confirmed and len(bare) == RECOVERY_LENGTH:
        return _recovery_refusal(device, bare)
    # django-otp would read "١٢٣" as 123 and "1_2" as 12: only plain digits are a code.
    good = bare.isascii() and bare.isdecimal() and len(bare) == device.digits
    if good and device.verify_token(bare):
        return None
    if not good:
        device.throttle_increment()
    return CodeRefused()


def _held_up(device: SecondFactor) -> TooManyCodes | None:
    allowed, reason = device.verify_is_allowed()
    if allowed:
        return None
    until = (reason or {}).get("locked_until")
    wait = (until - timezone.now()).total_seconds() if until is not None else 1
    return TooManyCodes(seconds=max(1, ceil(wait)))


def _recovery_refusal(device: SecondFactor, code: str) -> AccountsError | None:
    used = RecoveryCode.objects.filter(
        user=device.user, code_hash=recovery_hash(code), used_at__isnull=True
    ).update(used_at=timezone.now())
    if not used:
        device.throttle_increment()
        return CodeRefused()
    device.throttle_reset()
    left = RecoveryCode.objects.filter(user=device.user, used_at__isnull=True).count()
    _note(device.user, device.user, f"Used a recovery code; {left} are left.")
    return None


@transaction.atomic
def recovery_codes_renew(*, user: User) -> list[str]:
    """Make ten new recovery codes; the old ones become invalid."""
    codes = _recovery_codes_make(user)
    _note(user, user, "Made new recovery codes.")
    return codes


def _recovery_codes_make(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code_hash=recovery_hash(code)) for code in codes
    )
    return ["-".join(code[at : at + 4] for at in range(0, RECOVERY_LENGTH, 4)) for code in codes]


@transaction.atomic
def second_factor_remove(*, user: User) -> None:
    """Remove one's own second factor; the page asks for a code first."""
    _forget(user)
    _note(user, user, "Removed the second factor.")


@transaction.atomic
def second_factor_reset(*, user: User, by: User | None) -> None:
    """Remove another user's second factor, when telephone and recovery codes are lost.

    ``None`` is a command on the host, which is recorded as one. Raises ``OnlySuperusers``.
    """
    if by is not None and not by.is_superuser:
        raise OnlySuperusers
    _forget(user)
    entry = entry_record(
        action=Action.SECOND_FACTOR,
        message=f"Reset the second factor of {user}.",
        actor=by,
        who=host_actor() if by is None else "",
        target=user,
    )
    account_changed.send(sender=User, entry=entry)


def _forget(user: User) -> None:
    SecondFactor.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


def _note(actor: User | None, user: User, message: str) -> None:
    entry_record(action=Action.SECOND_FACTOR, message=message, actor=actor, target=user)
