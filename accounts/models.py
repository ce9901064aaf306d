"""Models of sign-in and of proposals: second factors, invitations, what waits for another."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

# After failed codes the next one is accepted after 1, 2, 4 ... seconds, at most after this:
# otherwise anybody who knows a password could keep its owner out for days.
LONGEST_THROTTLE = timedelta(minutes=15)


class RequiredSecondFactor(models.Model):
    """A group whose members need a second factor, and set one up before anything else."""

    group = models.OneToOneField(
        Group, on_delete=models.CASCADE, related_name="second_factor_requirement"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["group__name"]
        verbose_name = "group that needs a second factor"
        verbose_name_plural = "groups that need a second factor"

    def __str__(self) -> str:
        return self.group.name


class AppliedGrant(models.Model):
    """A grant of the table of roles that its group was given once, after a migrate.

    It is not given again: a grant that an administrator took away since then stays away.
    """

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")
    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["group", "permission"], name="applied_grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.permission}"


class RecoveryCode(models.Model):
    """A code that replaces the telephone once. Shown once; only its SHA-256 is stored.

    A code is 76 random bits, and attempts are throttled: there is nothing to guess.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    code_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")
        ]

    def __str__(self) -> str:
        return f"Recovery code of {self.user}"


class SecondFactor(TOTPDevice):  # type: ignore[misc]
    """A user's authenticator app. The row is django-otp's own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = "second factor"

    def __str__(self) -> str:
        return f"Second factor of {self.user}"

    def verify_is_allowed(self) -> tuple[bool, dict[str, Any] | None]:
        allowed, reason = super().verify_is_allowed()
        since = self.throttling_failure_timestamp
        if not allowed and since is not None and timezone.now() - since >= LONGEST_THROTTLE:
            return True, None
        return allowed, reason


class Invitation(models.Model):
    """An open invitation to set a password and a second factor together.

    A newer one takes its place, and accepting it deletes it. Its token is stored nowhere: see
    ``accounts.invitation_tokens``.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitation"
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Invitation of {self.user}"


class FailedSignIn(AccessAttempt):  # type: ignore[misc]
    """Failed sign-ins under one name from one address and browser. The row is django-axes' own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = "failed sign-in"
        ordering = ["-attempt_time"]

    def __str__(self) -> str:
        return f"{self.username} from {self.ip_address}"


class Proposal(models.Model):
    """An act that one person proposed and another has to confirm before it is done.

    ``kind`` names a row of ``proposal_kinds``. What would be done is stored as it was shown
    (``title``, ``sentence``, ``rows``) and as ``parameters``; ``state_hash`` is the SHA-256 of
    what it is based on. None of them ever holds a secret. Without a proposer it was proposed by
    a command on the host.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        VOID = "void", "Void"

    kind = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    title = models.CharField("proposal", max_length=200)
    sentence = models.TextField()
    rows = models.JSONField(default=list, help_text="Label, value before, value after.")
    parameters = models.JSONField(default=dict)
    state_hash = models.CharField(max_length=64)
    note = models.TextField(blank=True)
    object_kind = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    reference = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.OPEN)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="proposals"
    )
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    result = models.TextField(blank=True, help_text="What was done, or why it was not.")
    confirmed_alone = models.BooleanField(
        default=False, help_text="One person did both, as LOANOFFICE_SINGLE_ADMIN allows."
    )

    class Meta:
        ordering = ["-proposed_at", "-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["status", "-proposed_at", "-id"], name="proposal_by_status")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=models.Q(status="open"),
                name="proposal_open_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="confirmed")
                | models.Q(confirmed_alone=True)
                | models.Q(proposed_by__isnull=True)
                | ~models.Q(decided_by=models.F("proposed_by")),
                name="proposal_confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="confirmed")
                | models.Q(decided_by__isnull=False, decided_at__isnull=False),
                name="proposal_confirmed_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_alone=False) | models.Q(status="confirmed"),
                name="proposal_alone_means_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return self.title
