"""Internal notes: who may write one, whom it mentions, what is kept of it and where it is not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from accounts.roles import Role
from applications.errors import InvalidNote
from applications.mentions import marked_parts, mentions_in
from applications.models import ApplicationNote, LoanApplication
from applications.services.notes import (
    ADD,
    LONGEST_NOTE,
    MOST_MENTIONS,
    mentionable,
    note_add,
    notes_of,
)
from audit.models import Action, AuditEntry
from core.errors import NotPermitted
from reviews.models import Notification
from tests.permissions import permit
from tests.plans import SORTS, plans
from workflows.models import OutboxMessage


def add(application: LoanApplication, user: User, text: str) -> ApplicationNote:
    return note_add(reference=application.reference, user=user, text=text)


def refused(application: LoanApplication, user: User, text: str) -> str:
    """Try to add a note, of which nothing may stay; returns why it is refused."""
    before = AuditEntry.objects.count()
    with pytest.raises(InvalidNote) as raised:
        add(application, user, text)
    assert not ApplicationNote.objects.exists()
    assert not Notification.objects.exists()
    assert AuditEntry.objects.count() == before
    assert not application.events.filter(kind="noted").exists()
    assert list(raised.value.errors) == ["text"]
    return " ".join(raised.value.errors["text"])


# --- Who and what -------------------------------------------------------------------------


@pytest.mark.django_db
def test_note_is_kept_with_its_author_and_their_role_and_is_on_record(
    waiting: LoanApplication, make_user: Callable[..., User]
) -> None:
    kim = make_user("kim", Role.MANAGER, Role.RISK_ANALYST)
    before = (waiting.version, waiting.status)

    note = add(waiting, kim, "  The employer confirmed the income.\r\nSee the letter.  ")

    (stored,) = notes_of(application=waiting)
    assert stored.text == "The employer confirmed the income.\nSee the letter."
    assert (stored.author, stored.author_roles) == (kim, "Manager, Risk analyst")
    assert stored.mentions == []
    event = waiting.events.latest("pk")
    assert (event.kind, event.message, event.actor) == ("noted", "Added a note.", kim)
    assert event.is_internal
    assert event.data == {"note": note.pk}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.actor, entry.reference) == (Action.CREATED, kim, waiting.reference)
    assert entry.details == {"event": "noted", "note": note.pk}
    waiting.refresh_from_db()
    assert (waiting.version, waiting.status) == before
    assert not Notification.objects.exists()
    assert not OutboxMessage.objects.filter(key__startswith="note/").exists()


@pytest.mark.django_db
def test_every_role_but_the_auditor_writes_and_who_may_not_is_refused(
    waiting: LoanApplication, make_user: Callable[..., User]
) -> None:
    writers = [role for role in Role if ADD in role.grants]
    assert set(Role) - set(writers) == {Role.AUDITOR}
    add(waiting, make_user("officer2", Role.LOAN_OFFICER), "Seen.")
    blind = make_user("blind")
    permit(blind, "add_applicationnote")  # and not what shows the application
    root = make_user("root", is_superuser=True)
    left = make_user("left", Role.MANAGER)
    User.objects.filter(pk=left.pk).update(is_active=False)
    demoted = make_user("demoted", Role.MANAGER)
    assert demoted.has_perm(ADD)  # read, and kept by the request
    demoted.groups.set([Group.objects.get(name=Role.AUDITOR)])

    for user in (make_user("auditor", Role.AUDITOR), blind, root, left, demoted):
        with pytest.raises(NotPermitted):
            add(waiting, user, "Mine.")

    assert ApplicationNote.objects.count() == 1


@pytest.mark.django_db
def test_note_keeps_no_contact_details_of_the_applicant(
    waiting: LoanApplication, manager: User
) -> None:
    note = add(waiting, manager, "Call 613 555 0101 or ALICE@example.com.")

    note.refresh_from_db()
    assert note.text == "Call 6••-•••-••01 or a••••@e••••.com."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (" \r\n ", "Write a note."),
        ("x" * (LONGEST_NOTE + 1), "Write at most 2,000 characters; these are 2,001."),
    ],
    ids=["empty", "long"],
)
def test_note_has_a_text_of_bounded_length(
    waiting: LoanApplication, manager: User, text: str, why: str
) -> None:
    assert refused(waiting, manager, text) == why


# --- Mentions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@kim look", ["kim"]),
        ("Ask @kim, @lee.", ["kim", "lee."]),
        ("(@kim) @kim's and/@lee", ["kim", "kim", "lee"]),
        ("lines\n@kim", ["kim"]),
        ("@ana@example.com", ["ana@example.com"]),
        ("ana@example.com, a.b+c@example.com, a••@e••.com", []),
        ("@ kim, @@kim, @-kim, 5 @ 3", []),
    ],
)
def test_mention_is_a_name_behind_an_at_sign_that_is_in_no_address(
    text: str, found: list[str]
) -> None:
    assert mentions_in(text) == found


def test_mentions_are_marked_and_nothing_else_is() -> None:
    text = "@Kim. Ask @kim.lee or x@kim, not @other"

    parts = list(marked_parts(text, names=["kim", "kim.lee"]))

    assert "".join(part for part, _ in parts) == text
    assert [part for part, is_mention in parts if is_mention] == ["@Kim", "@kim.lee"]


@pytest.mark.django_db
def test_each_mentioned_person_is_notified_once_and_the_author_is_not(
    waiting: LoanApplication, manager: User, make_user: Callable[..., User]
) -> None:
    lee, dot = make_user("lee", Role.RISK_ANALYST), make_user("a.b", Role.AUDITOR)
    User.objects.filter(pk=manager.pk).update(first_name="Mia", last_name="Ng")

    note = add(waiting, manager, "@Lee and @a.b. Please look, @lee; I (@manager) am away.")

    assert note.mentions == [
        {"user": lee.pk, "name": "lee"},
        {"user": dot.pk, "name": "a.b"},
        {"user": manager.pk, "name": "manager"},
    ]
    found = list(Notification.objects.order_by("pk"))
    assert [each.user for each in found] == [lee, dot]
    assert {each.kind for each in found} == {"mention"}
    assert {each.sentence for each in found} == {
        f"{waiting.reference}: Mia Ng mentioned you in a note."
    }
    assert {each.path for each in found} == {
        f"/admin/applications/loanapplication/{waiting.pk}/change/#note-{note.pk}"
    }


@pytest.mark.django_db
def test_note_that_mentions_somebody_it_cannot_reach_is_refused_and_names_them(
    waiting: LoanApplication, manager: User, make_user: Callable[..., User]
) -> None:
    make_user("lee", Role.RISK_ANALYST)
    make_user("roleless")
    gone, guest = make_user("gone", Role.MANAGER), make_user("guest", Role.MANAGER)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    User.objects.filter(pk=guest.pk).update(is_staff=False)
    make_user("root", is_superuser=True)

    why = refused(waiting, manager, "@lee @nobody, @roleless @gone @guest @root @nobody.")

    assert why == (
        "No colleague who may see this application has the user name @nobody, @roleless, @gone, "
        "@guest, @root. Correct it, or leave out the @ if nobody is meant."
    )


@pytest.mark.django_db
def test_two_names_that_differ_by_case_are_told_apart(
    waiting: LoanApplication, manager: User, make_user: Callable[..., User]
) -> None:
    small, big = make_user("lee", Role.MANAGER), make_user("Lee", Role.MANAGER)
    assert "@LEE" in refused(waiting, manager, "@LEE")

    note = add(waiting, manager, "@Lee")

    assert note.mentions == [{"user": big.pk, "name": "Lee"}]
    assert not Notification.objects.filter(user=small).exists()


@pytest.mark.django_db
def test_note_mentions_a_bounded_number_of_people(
    waiting: LoanApplication, manager: User, make_user: Callable[..., User]
) -> None:
    names = [f"p{number}" for number in range(MOST_MENTIONS + 1)]
    for name in names:
        make_user(name, Role.AUDITOR)

    assert refused(waiting, manager, " ".join(f"@{name}" for name in names)) == (
        "A note mentions at most 20 people; these are 21."
    )


@pytest.mark.django_db
def test_who_can_be_mentioned_is_who_sees_applications(
    waiting: LoanApplication,
    officer: User,
    auditor: User,
    root: User,
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(1):
        assert mentionable() == [auditor, officer]


# --- The database ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_notes_of_an_application_are_read_by_one_statement_the_newest_first(
    waiting: LoanApplication, manager: User, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        add(waiting, manager, f"Note {number}.")

    with django_assert_num_queries(1):
        found = [(note.text, note.author.username) for note in notes_of(application=waiting)]

    assert found == [(f"Note {number}.", "manager") for number in (2, 1, 0)]


@pytest.mark.django_db
@pytest.mark.both_databases
def test_notes_are_found_in_their_index_in_its_order(
    waiting: LoanApplication, manager: User
) -> None:
    ApplicationNote.objects.bulk_create(
        ApplicationNote(application=waiting, author=manager, text="x") for _ in range(200)
    )

    ((_, plan),) = plans(
        ApplicationNote._meta.db_table, lambda: list(notes_of(application=waiting))
    )

    assert "note_by_application" in plan
    assert not any(sort in plan for sort in SORTS)
