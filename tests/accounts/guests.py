"""A guest who follows the link of an invitation, and what a test looks at afterwards."""

import re
from base64 import b32decode
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from accounts.models import SecondFactor
from accounts.services.invitations import invitation_send
from tests.accounts.access import NEW_PASSWORD
from tests.accounts.codes import code_of
from tests.hard_cases.stored import Row, everything_stored
from workflows.outbox.queue import send_due

PAGE = "/admin/account/invitation/"
SHOWN = re.compile(r'id="secret">([A-Z2-7 ]+)<')


def link_of(user: User) -> str:
    """The path of the link in the newest letter to this person."""
    mail.outbox.clear()
    for _ in range(2):  # a letter to many becomes one for each
        send_due()
    [letter] = [each for each in mail.outbox if each.subject == "You are invited to Loan Office"]
    assert letter.to == [user.email]
    found = re.search(rf"{re.escape(settings.SITE_URL)}(\S+)", str(letter.body))
    assert found
    return found[1]


class Guest:
    """A browser that follows the link, with an app that has the secret of the page."""

    def __init__(self, link: str) -> None:
        self.client = Client()
        self.link = link
        self.device = SecondFactor()

    def come(self) -> Any:
        answer = self.client.get(self.link, follow=True)
        secret = SHOWN.search(answer.content.decode())
        if secret:
            self.device = SecondFactor(key=b32decode(secret[1].replace(" ", "")).hex())
        return answer

    def send(self, *, password: str = NEW_PASSWORD, again: str = "", code: str = "") -> Any:
        typed = {"new_password1": password, "new_password2": again or password}
        return self.client.post(PAGE, {**typed, "code": code or code_of(self.device)})


def is_over(answer: Any) -> bool:
    return answer.status_code == 410 and "ask an administrator" in answer.content.decode()


def change(**changes: Any) -> None:
    User.objects.filter(username="newcomer").update(**changes)


def enrolled(user: User) -> None:
    SecondFactor.objects.create(user=user, name="App", confirmed=True)


def invite_again() -> None:
    """Send the newcomer another invitation."""
    invited, by = (User.objects.get(username=name) for name in ("newcomer", "root"))
    invitation_send(user=invited, by=by)


def stored_without_sessions() -> dict[str, list[Row]]:
    return {name: rows for name, rows in everything_stored().items() if "Session" not in name}
