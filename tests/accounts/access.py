"""Changes somebody's access, through the page and through the service, and reads the e-mails."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from accounts.services.access import Access, access_of, fingerprint
from accounts.services.access_grants import AccessChange, access_change
from workflows.outbox.queue import send_due

NEW_PASSWORD = "a long walk by the river"


def page(name: str, user: User) -> str:
    return reverse(f"admin:auth_user_{name}", args=[user.pk])


def change_roles(client: Client, user: User, *roles: Role, **flags: bool) -> Any:
    """Send the form of the page as a browser does; flags that are not given stay."""
    now = access_of(User.objects.get(pk=user.pk))
    flags = {"is_superuser": now.is_superuser, "is_active": now.is_active} | flags
    typed: dict[str, Any] = {name: "on" for name, ticked in flags.items() if ticked}
    typed["roles"] = [group.pk for group in Group.objects.filter(name__in=roles)]
    typed["read"] = fingerprint(now)
    return client.post(page("access", user), typed, follow=True)


def give(user: User, by: User, *roles: Role, **flags: bool) -> AccessChange:
    now = access_of(User.objects.get(pk=user.pk))
    state = {"is_superuser": now.is_superuser, "is_active": now.is_active} | flags
    wanted = Access(groups=frozenset(role.value for role in roles), **state)
    return access_change(user=user, by=by, wanted=wanted, read=fingerprint(now))


def told() -> dict[str, str]:
    """Send what the outbox holds; return all that each address got, in any order."""
    mail.outbox.clear()
    send_due()  # a letter to many becomes one for each
    send_due()
    texts: dict[str, str] = {}
    for letter in mail.outbox:
        for address in letter.to:
            texts[address] = texts.get(address, "") + str(letter.body)
    return texts
