"""The office in which a scenario causes its change, and who acts in it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from applications.models import LoanApplication
from tests import casework

REASON = {"reason": "The bureau is down."}
NEW_PASSWORD = "a long walk by the river"


@dataclass
class Office:
    """``user(role)`` makes somebody; ``client(user)`` logs them in and makes them the actor."""

    make_user: Callable[..., User]
    monkeypatch: pytest.MonkeyPatch
    actor: User | None = None

    def user(self, *roles: Role, name: str = "", root: bool = False) -> User:
        return self.make_user(name or f"user{User.objects.count()}", *roles, is_superuser=root)

    def client(self, *roles: Role, root: bool = False, user: User | None = None) -> Client:
        self.actor = user or self.user(*roles, root=root)
        client = Client()
        client.force_login(self.actor)
        return client

    def officer(self) -> User:
        return self.user(Role.LOAN_OFFICER)

    def waiting(self) -> LoanApplication:
        return casework.waiting_for_manager(self.officer())


def address(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)
