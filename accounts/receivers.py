"""Receivers of one line: each calls a service. A failed sign-in is recorded in ``lockouts``."""

from typing import Any

from axes.signals import user_locked_out
from django.apps.registry import Apps
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.services import role_grants, sign_in


@receiver(user_logged_in)
def on_signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    sign_in.signed_in(request=request, user=user)


@receiver(user_logged_out)
def on_signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        sign_in.signed_out(user=user, why=getattr(request, "session_ended", ""))


@receiver(user_locked_out)
def on_locked_out(username: str | None = None, **_: Any) -> None:
    sign_in.locked_out(username=username or "")


def on_migrated(apps: Apps, using: str, verbosity: int, **_: Any) -> None:
    role_grants.apply_after_migrate(apps=apps, using=using, say=print if verbosity else None)
