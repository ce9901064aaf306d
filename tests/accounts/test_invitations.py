"""Somebody new is invited by mail, and sets password and second factor together or not at all."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.errors import NotToInvite, OnlySuperusers
from accounts.models import Invitation, RecoveryCode, SecondFactor
from accounts.roles import Role
from accounts.services.invitations import invitation_send
from audit import times
from audit.models import Action, AuditEntry
from tests.accounts.access import NEW_PASSWORD, change_roles, page, told
from tests.accounts.conftest import (
    CODE,
    HOME,
    Clock,
    Enrol,
    code_of,
    is_signed_in,
    sign_in,
    wrong_code_of,
)
from tests.accounts.guests import (
    PAGE,
    SHOWN,
    Guest,
    change,
    enrolled,
    link_of,
    stored_without_sessions,
)
from tests.hard_cases.stored import everything_stored
from workflows.models import OutboxMessage
from workflows.outbox.queue import send_due

pytestmark = pytest.mark.django_db


def notes(action: Action) -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(action=action).order_by("id")
    return list(rows.values_list("who", "message"))


# --- Inviting -----------------------------------------------------------------------------


def test_superuser_adds_a_person_without_a_password_and_invites_them(
    office: Client, single_admin: None
) -> None:
    typed = {"username": "ann", "first_name": "Ann", "last_name": "Roy", "email": "ann@example.com"}
    asked = office.get(reverse("admin:auth_user_add")).content.decode()
    assert 'type="password"' not in asked
    added = office.post(reverse("admin:auth_user_add"), typed, follow=True)
    ann = User.objects.get(username="ann")
    assert not ann.has_usable_password()
    assert added.redirect_chain == [(page("access", ann), 302)]
    assert "Ann Roy is added. Next: choose a role, then invite them." in added.content.decode()
    assert page("invite", ann) not in office.get(page("change", ann)).content.decode()
    given = change_roles(office, ann, Role.MANAGER)

    assert given.redirect_chain == [(page("invite", ann), 302)]
    assert page("invite", ann) in office.get(page("change", ann)).content.decode()
    asked = given.content.decode()
    assert "Ann Roy gets the role Manager." in asked
    assert "ann@example.com gets a link" in asked
    answer = office.post(page("invite", ann), follow=True)

    assert "Ann Roy is invited" in answer.content.decode()
    assert "By root, open until" in answer.content.decode()


def test_letter_says_who_invited_until_when_and_the_two_steps(root: User, newcomer: User) -> None:
    root.first_name, root.last_name = "Ann", "Root"
    root.save()
    invitation = invitation_send(user=newcomer, by=root)

    letters = told()

    body = letters["newcomer@example.com"]
    until = times.moment(invitation.expires_at)
    assert "Ann Root invites you to Loan Office. Your username is newcomer." in body
    assert f"until {until}, which is 4 days after" in body
    assert "1. Choose a password." in body
    assert "2. Scan the picture" in body


def test_owner_and_superusers_are_told_that_somebody_was_invited(
    office: Client, other: User, newcomer: User
) -> None:
    office.post(page("invite", newcomer))

    for _ in range(2):
        send_due()

    about = [each for each in mail.outbox if "access of newcomer" in each.subject]
    assert {address for each in about for address in each.to} == {
        "newcomer@example.com",
        "root@example.com",
        "other@example.com",
    }
    assert all("was invited to set a password" in str(each.body) for each in about)
    assert notes(Action.INVITED) == [
        ("root", "newcomer was invited to set a password and a second factor.")
    ]


def test_token_is_nowhere_but_in_the_letter(link: str) -> None:
    token = link.split("/")[-2]
    assert len(token) > 30

    assert token not in repr(everything_stored())
    payloads = list(OutboxMessage.objects.filter(key__startswith="inv").values_list("payload"))
    [invitation] = Invitation.objects.all()
    assert payloads == [
        ({"invitation": invitation.pk},),
        ({"invitation": invitation.pk, "user": invitation.user_id},),
    ]


def in_use(user: User) -> None:
    user.set_password(NEW_PASSWORD)
    user.last_login = timezone.now()
    user.save()


REFUSED: dict[str, Callable[[User], Any]] = {
    "is not active": lambda _: change(is_active=False),
    "has no role yet": lambda _: change(is_staff=False),
    "has no e-mail address": lambda _: change(email=""),
    "has a second factor, which an invitation would replace": enrolled,
    "signs in with a password, which an invitation would replace": in_use,
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_invitation_that_is_of_no_use_or_takes_an_account_over_is_refused(
    office: Client, root: User, newcomer: User, sentence: str
) -> None:
    REFUSED[sentence](newcomer)

    answer = office.post(page("invite", newcomer), follow=True)

    assert f"Newcomer {sentence}" in answer.content.decode()  # as messages are written
    assert page("invite", newcomer) not in office.get(page("change", newcomer)).content.decode()
    with pytest.raises(NotToInvite):
        invitation_send(user=newcomer, by=root)
    assert not Invitation.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_who_has_a_password_and_never_signed_in_or_lost_it_is_invited(
    root: User, newcomer: User
) -> None:
    newcomer.set_password(NEW_PASSWORD)
    newcomer.save()
    invitation_send(user=newcomer, by=root)
    newcomer.set_unusable_password()
    newcomer.last_login = timezone.now()
    newcomer.save()

    invitation_send(user=newcomer, by=root)

    assert Invitation.objects.count() == 1


def test_who_lost_password_and_factor_is_invited_after_both_are_taken_away(
    office: Client, manager: User, enrol: Enrol
) -> None:
    device, _ = enrol(manager)
    sign_in(Client(), "manager")
    for address, typed in (
        (reverse("admin:accounts_secondfactor_reset", args=[device.pk]), {}),
        (page("password_change", manager), {"usable_password": "false", "unset-password": "yes"}),
        (page("invite", manager), {}),
    ):
        assert not Invitation.objects.exists()
        office.post(address, typed)

    guest = Guest(link_of(manager))
    guest.come()
    guest.send()

    told_of = {str(each.body).partition("\n")[0] for each in mail.outbox}
    assert told_of >= {
        "Reset the second factor of manager.",
        "The user “manager” has no password now.",
        "manager was invited to set a password and a second factor.",
    }
    manager.refresh_from_db()
    assert manager.check_password(NEW_PASSWORD)
    assert SecondFactor.objects.get().confirmed


def test_only_a_superuser_invites(manager: User, root: User, newcomer: User) -> None:
    client = Client()
    client.force_login(manager)
    assert client.post(page("invite", newcomer)).status_code == 403
    User.objects.filter(pk=root.pk).update(is_superuser=False)

    for by in (manager, root):
        with pytest.raises(OnlySuperusers):
            invitation_send(user=newcomer, by=by)


# --- Accepting ----------------------------------------------------------------------------


def test_guest_sets_both_and_signs_in_with_both(guest: Guest, clock: Clock) -> None:
    answer = guest.send()

    codes = re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", answer.content.decode())
    assert len(set(codes)) == 10
    assert not is_signed_in(guest.client)
    newcomer = User.objects.get(username="newcomer")
    assert newcomer.check_password(NEW_PASSWORD)
    assert notes(Action.INVITED)[-1] == (
        "newcomer",
        "Accepted the invitation of root: set a password and a second factor.",
    )
    assert notes(Action.SECOND_FACTOR) == [("newcomer", "Set up a second factor.")]
    form = guest.client.get("/admin/login/").context["form"]
    assert form["username"].value() == "newcomer"
    assert "autofocus" in form.fields["password"].widget.attrs
    assert "autofocus" not in form.fields["username"].widget.attrs
    sign_in(guest.client, "newcomer", NEW_PASSWORD)
    assert guest.client.get(HOME).url.startswith(CODE)
    clock.go_on(seconds=30)
    guest.client.post(CODE, {"code": code_of(guest.device)})
    assert is_signed_in(guest.client)


def test_link_moves_its_token_into_the_session_and_changes_nothing(link: str) -> None:
    client = Client()
    before = stored_without_sessions()

    answers = [client.get(link), client.head(link), client.get(PAGE)]

    assert [answer.status_code for answer in answers] == [302, 302, 200]
    assert answers[0].url == PAGE
    token = link.split("/")[-2]
    assert token not in answers[2].content.decode()
    for answer in answers:
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "same-origin"
    after = stored_without_sessions()
    assert after == before


def test_each_browser_gets_a_secret_of_its_own_and_keeps_it(link: str) -> None:
    one, two = Guest(link), Guest(link)
    one.come()
    two.come()
    first = one.device.key
    one.come()

    assert one.device.key == first
    assert two.device.key != first


def test_wrong_code_sets_nothing_and_counts(guest: Guest, clock: Clock) -> None:
    answer = guest.send(code=wrong_code_of(guest.device))

    assert "That code is not right" in answer.content.decode()
    device = SecondFactor.objects.get()
    assert (device.confirmed, device.throttling_failure_count) == (False, 1)
    assert "Too many wrong codes" in guest.send().content.decode()
    assert not User.objects.get(username="newcomer").has_usable_password()
    assert not RecoveryCode.objects.exists()
    assert Invitation.objects.exists()
    clock.go_on(seconds=2)
    assert "recovery-codes" in guest.send().content.decode()


def test_wrong_codes_count_for_the_person_whatever_browser_sends_them(link: str) -> None:
    one, two = Guest(link), Guest(link)
    one.come()
    two.come()

    one.send(code=wrong_code_of(one.device))

    assert "Too many wrong codes" in two.send().content.decode()


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("short", "", "too short"),
        ("loanoffice-newcomer", "", "too similar"),
        (NEW_PASSWORD, "a long walk by the sea", "match"),
        ("", "", "required"),
    ],
)
def test_refused_password_sets_nothing_and_uses_up_no_code(
    guest: Guest, password: str, again: str, sentence: str
) -> None:
    assert sentence in guest.send(password=password, again=again).content.decode()
    assert not SecondFactor.objects.exists()
    assert not User.objects.get(username="newcomer").has_usable_password()

    assert "recovery-codes" in guest.send().content.decode()


def test_page_shows_neither_password_nor_code_again(guest: Guest) -> None:
    html = guest.send(code="123").content.decode()

    assert NEW_PASSWORD not in html
    assert SHOWN.search(html)


def test_open_sessions_of_the_account_end(guest: Guest) -> None:
    newcomer = User.objects.get(username="newcomer")
    elsewhere = Client()
    elsewhere.force_login(newcomer)
    change(last_login=None)
    key = elsewhere.session.session_key

    guest.send()

    assert not Session.objects.filter(session_key=key).exists()
    assert not is_signed_in(elsewhere)


def test_both_are_written_or_neither(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the last step failed")

    monkeypatch.setattr("accounts.services.invitations.sessions_end_others", fail)
    with pytest.raises(RuntimeError):
        guest.send()

    assert not SecondFactor.objects.exists()
    assert not User.objects.get(username="newcomer").has_usable_password()
    assert Invitation.objects.exists()


def test_somebody_elses_session_without_its_second_factor_is_not_in_the_way(
    link: str, manager: User, enrol: Enrol
) -> None:
    enrol(manager)
    guest = Guest(link)
    sign_in(guest.client, "manager")

    assert guest.come().status_code == 200
    assert "recovery-codes" in guest.send().content.decode()
