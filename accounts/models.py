"""Models of sign-in: groups that need a second factor, recovery codes, proxies for the admin."""

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


class FailedSignIn(AccessAttempt):  # type: ignore[misc]
    """Failed sign-ins under one name from one address and browser. The row is django-axes' own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = "failed sign-in"
        ordering = ["-attempt_time"]

    def __str__(self) -> str:
        return f"{self.username} from {self.ip_address}"
