"""People who sign in as a browser does, with authenticator apps; superusers; proposals."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Proposal, RequiredSecondFactor, SecondFactor
from accounts.proposal_kinds import KINDS, ProposalKind, register
from accounts.roles import Role
from accounts.services import second_factor
from accounts.services.invitations import invitation_send
from tests.accounts.codes import code_of
from tests.accounts.guests import Guest, link_of
from tests.accounts.renaming import PARTS, propose

LOGIN = "/admin/login/"
HOME = "/admin/"
CODE, ENROL = "/admin/account/code/", "/admin/account/second-factor/"
API = "/api/v1/applications/"

Enrol = Callable[[User], tuple[SecondFactor, list[str]]]


class Clock:
    """The time as the office and the app see it; it goes on when a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def go_on(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    now, seconds = timezone.now, time.time
    monkeypatch.setattr(timezone, "now", lambda: now() + clock.ahead)
    monkeypatch.setattr(time, "time", lambda: seconds() + clock.ahead.total_seconds())
    # django-axes took the name when it was loaded.
    monkeypatch.setattr("axes.handlers.proxy.now", lambda: now() + clock.ahead)
    return clock


def sign_in(
    client: Client, username: str, password: str = "demo", *, address: str = "198.51.100.1"
) -> Any:
    """Send the sign-in form and return the response."""
    return client.post(
        LOGIN, {"username": username, "password": password, "next": HOME}, REMOTE_ADDR=address
    )


@pytest.fixture
def signed_in(manager: User) -> Client:
    client = Client()
    sign_in(client, "manager")
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("account:home")).status_code == 200


def wrong_code_of(device: SecondFactor) -> str:
    return f"{(int(code_of(device)) + 500_000) % 1_000_000:06}"


@pytest.fixture
def enrol() -> Enrol:
    """Set up somebody's second factor; the code that did it is used up."""

    def set_up(user: User) -> tuple[SecondFactor, list[str]]:
        device = second_factor.enrolment_begin(user=user)
        return second_factor.enrolment_confirm(user=user, code=code_of(device))

    return set_up


@pytest.fixture
def needs_second_factor() -> Callable[[User], None]:
    """The role of this person needs one from now on."""

    def require(user: User) -> None:
        for group in Group.objects.filter(user=user):
            RequiredSecondFactor.objects.create(group=group)

    return require


# --- Access ----------------------------------------------------------------------------


@pytest.fixture
def other(make_user: Callable[..., User]) -> User:
    return make_user("other", is_superuser=True)


@pytest.fixture
def office(root: User) -> Client:
    """The superuser's browser."""
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def single_admin(settings: Any) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True


# --- Invitations ------------------------------------------------------------------------


@pytest.fixture
def newcomer(make_user: Callable[..., User]) -> User:
    """Somebody with a role who has not signed in, and who has no password."""
    user = make_user("newcomer", Role.LOAN_OFFICER)
    user.set_unusable_password()
    user.save()
    return user


@pytest.fixture
def link(newcomer: User, root: User) -> str:
    invitation_send(user=newcomer, by=root)
    return link_of(newcomer)


@pytest.fixture
def guest(link: str) -> Guest:
    guest = Guest(link)
    assert guest.come().status_code == 200
    return guest


# --- Proposals ---------------------------------------------------------------------------


@pytest.fixture
def kind() -> Iterator[ProposalKind]:
    """A kind of the tests; whatever kinds a test registers beside it are forgotten after it."""
    before = {**KINDS}
    yield register(ProposalKind(**PARTS))
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def maker(make_user: Callable[..., User]) -> User:
    return make_user("maker", Role.POLICY_OWNER)


@pytest.fixture
def checker(make_user: Callable[..., User]) -> User:
    return make_user("checker", Role.POLICY_OWNER)


@pytest.fixture
def subject(make_user: Callable[..., User]) -> User:
    return make_user("somebody")


@pytest.fixture
def proposal(kind: ProposalKind, maker: User, subject: User) -> Proposal:
    return propose(kind, maker, subject, note="They married.")
