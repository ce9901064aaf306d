"""Mentions by mail: at once for who chose that, in the digest of the others, never the text."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services.notes import note_add
from reviews.choices import MailMode
from reviews.models import MailChoice, Notification
from reviews.services.mail_choices import digest_at
from workflows import digests
from workflows.admin.messages import sent_about
from workflows.models import OutboxMessage, PeriodicRun
from workflows.outbox import queue

pytestmark = pytest.mark.django_db
TEXT = "the employer called"


def send() -> list[str]:
    """Send the e-mails that wait; returns the recipient, subject and text of each."""
    mail.outbox.clear()
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    return [f"{letter.to[0]} {letter.subject}\n{letter.body}" for letter in mail.outbox]


@pytest.fixture
def people(waiting: LoanApplication, make_user: Callable[..., User]) -> dict[MailMode, User]:
    """Somebody of each choice; without a choice it is the digest."""
    send()
    found = {mode: make_user(mode, Role.OPERATIONS) for mode in MailMode}
    for mode, person in found.items():
        if mode != MailMode.DIGEST:
            MailChoice.objects.create(user=person, mode=mode)
    return found


def mention(waiting: LoanApplication, officer: User, people: dict[MailMode, User]) -> None:
    names = " ".join(f"@{person.username}" for person in people.values())
    note_add(reference=waiting.reference, user=officer, text=f"{names} @officer {TEXT}")


def test_who_chose_each_mail_gets_it_at_once_and_everybody_has_it_behind_the_bell(
    waiting: LoanApplication, officer: User, people: dict[MailMode, User]
) -> None:
    mention(waiting, officer, people)
    rung = set(Notification.objects.filter(kind="mention").values_list("user", flat=True))

    (letter,) = send()

    assert rung == {person.pk for person in people.values()}
    assert letter.startswith(f"at_once@example.com You were mentioned: {waiting.reference}\n")
    assert f"{waiting.reference}: officer mentioned you in a note." in letter
    note = waiting.notes.get()
    assert f"/admin/applications/loanapplication/{waiting.pk}/change/#note-{note.pk}" in letter
    assert TEXT not in letter
    assert "Alice" not in letter
    assert send() == []
    assert Notification.objects.filter(kind="mention").count() == len(people)


def test_no_letter_is_queued_when_nobody_wants_it_at_once(
    waiting: LoanApplication, officer: User, people: dict[MailMode, User]
) -> None:
    del people[MailMode.AT_ONCE]

    mention(waiting, officer, people)

    assert Notification.objects.filter(kind="mention").count() == len(people)
    assert not OutboxMessage.objects.filter(key__startswith="note/").exists()


def test_digest_has_the_mentions_that_were_not_read(
    waiting: LoanApplication, officer: User, people: dict[MailMode, User]
) -> None:
    mention(waiting, officer, people)
    send()
    day = timezone.localdate() + timedelta(days=1)

    PeriodicRun.objects.create(name=digests.NAME)
    digests.digests_write(now=digest_at(day))
    (letter,) = [each for each in send() if each.startswith("digest@example.com")]

    assert f"- You were mentioned: {waiting.reference}: officer mentioned you in a note." in letter
    assert TEXT not in letter


def test_who_may_not_see_the_application_any_more_gets_no_letter(
    waiting: LoanApplication, officer: User, people: dict[MailMode, User]
) -> None:
    mention(waiting, officer, people)
    people[MailMode.AT_ONCE].groups.remove(Group.objects.get(name=Role.OPERATIONS))

    assert send() == []


def test_page_of_the_application_says_what_such_a_letter_is_about(
    waiting: LoanApplication, officer: User, operations: User, people: dict[MailMode, User]
) -> None:
    mention(waiting, officer, people)

    assert next(each.about for each in sent_about(waiting)) == "A mention in a note"
    send()
    assert f"You were mentioned: {waiting.reference}" in {
        each.about for each in sent_about(waiting)
    }
