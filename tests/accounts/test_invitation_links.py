"""The link of an invitation: how long it works, what ends it, what a stranger reaches."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.errors import HashingBusy
from accounts.invitation_tokens import token_of
from accounts.models import Invitation, SecondFactor
from accounts.services import second_factor
from accounts.services.invitations import invitation_send
from tests.accounts.access import NEW_PASSWORD
from tests.accounts.conftest import (
    Clock,
    code_of,
    wrong_code_of,
)
from tests.accounts.guests import (
    PAGE,
    Guest,
    change,
    enrolled,
    invite_again,
    is_over,
    link_of,
    stored_without_sessions,
)
from workflows.models import OutboxMessage
from workflows.outbox.queue import send_due

pytestmark = pytest.mark.django_db


def accept(link: str) -> None:
    guest = Guest(link)
    guest.come()
    guest.send()


ENDS: dict[str, Callable[[str], Any]] = {
    "accepted": accept,
    "a newer invitation": lambda _: invite_again(),
    "deactivated": lambda _: change(is_active=False),
    "the last role taken": lambda _: change(is_staff=False),
    "another address": lambda _: change(email="elsewhere@example.com"),
    "a password set": lambda _: change(password="md5$a$b"),
    "signed in": lambda _: change(last_login=timezone.now()),
    "a second factor set up": lambda _: enrolled(User.objects.get(username="newcomer")),
    "deleted": lambda _: Invitation.objects.all().delete(),
}


@pytest.mark.parametrize("end", ENDS)
def test_invitation_ends(guest: Guest, link: str, end: str) -> None:
    """For who follows the link, who has the page open, and who sends it."""
    ENDS[end](link)
    before = stored_without_sessions()

    assert is_over(Client().get(link))
    assert is_over(guest.client.get(PAGE))
    assert is_over(guest.send())

    after = stored_without_sessions()
    assert after == before


def test_invitation_ends_with_its_time(guest: Guest, link: str, clock: Clock) -> None:
    life = settings.LOANOFFICE_INVITATION_LIFE
    clock.go_on(seconds=(life - timedelta(minutes=1)).total_seconds())
    assert Client().get(link).status_code == 302

    clock.go_on(minutes=1)

    assert is_over(Client().get(link))
    assert not Invitation.objects.filter(expires_at__gt=timezone.now()).exists()


def test_letter_of_an_invitation_that_is_over_is_not_sent(root: User, newcomer: User) -> None:
    invitation_send(user=newcomer, by=root)
    send_due()  # one for each
    change(is_active=False)
    mail.outbox.clear()

    send_due()

    assert not [each for each in mail.outbox if "invited to Loan Office" in each.subject]


def test_letter_waits_for_the_function_whose_key_the_page_has(
    root: User, newcomer: User, clock: Clock, settings: Any
) -> None:
    invitation_send(user=newcomer, by=root)
    settings.LOANOFFICE_FUNCTION = "manage"
    for _ in range(2):
        send_due()
    waiting = OutboxMessage.objects.exclude(status=OutboxMessage.Status.SENT)
    assert [message.payload["user"] for message in waiting] == [newcomer.pk]
    assert "Only the web function" in waiting[0].last_error

    settings.LOANOFFICE_FUNCTION = "web"
    clock.go_on(minutes=1)

    assert Client().get(link_of(newcomer)).status_code == 302


@pytest.mark.parametrize(
    "wrong", ["x", "abc-def", "\uff43-\uff44", "0" * 20 + "-1", "zzzzzz-" + "0" * 32, "a-b-c"]
)
def test_wrong_link_opens_nothing_and_no_session(link: str, wrong: str) -> None:
    invitation = Invitation.objects.get()
    client = Client()
    of_another_number = link.replace(f"/{invitation.pk}/", f"/{invitation.pk + 1}/")
    for pk in (invitation.pk, 10**30):
        path = reverse("account:invitation_link", args=[pk, wrong])
        assert is_over(client.get(path))

    assert is_over(client.get(of_another_number))
    assert is_over(client.get(PAGE))
    assert is_over(client.post(PAGE, {"new_password1": NEW_PASSWORD}))
    assert not client.cookies.get("sessionid")
    assert not Session.objects.exists()


def test_token_of_a_password_reset_is_none_of_an_invitation(link: str) -> None:
    invitation = Invitation.objects.get()
    token = default_token_generator.make_token(invitation.user)

    assert is_over(Client().get(reverse("account:invitation_link", args=[invitation.pk, token])))
    assert token_of(invitation) != token


def test_stranger_causes_no_password_hash_nor_does_who_has_to_wait(
    guest: Guest, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    encode = MD5PasswordHasher.encode

    def noted(self: Any, *args: Any, **kwargs: Any) -> str:
        hashed.append(1)
        return encode(self, *args, **kwargs)

    monkeypatch.setattr(MD5PasswordHasher, "encode", noted)
    stranger = Client()
    typed = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD, "code": "123456"}
    stranger.get(f"{link[:-2]}/")
    stranger.post(f"{link[:-2]}/", typed)
    stranger.post(link, typed)
    stranger.post(PAGE, typed)
    assert hashed == []

    guest.send(code=wrong_code_of(guest.device))
    assert hashed
    hashed.clear()
    assert "Too many wrong codes" in guest.send().content.decode()
    assert hashed == []
    invite_again()
    guest.send()
    assert hashed == []


def test_bound_on_hashes_under_way_holds_here_too(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> str:
        raise HashingBusy

    monkeypatch.setattr(MD5PasswordHasher, "encode", busy)

    answer = guest.send()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert not SecondFactor.objects.exists()


def test_secret_begun_elsewhere_is_not_the_one_of_the_invitation(guest: Guest) -> None:
    newcomer = User.objects.get(username="newcomer")
    begun = second_factor.enrolment_begin(user=newcomer)

    assert "That code is not right" in guest.send(code=code_of(begun)).content.decode()
    assert not SecondFactor.objects.filter(confirmed=True).exists()
