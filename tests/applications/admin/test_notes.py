"""The notes on an application's page: who reads and writes them there, and how they are shown."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from applications.admin.notes import FIRST_SHOWN
from applications.models import ApplicationNote, LoanApplication
from applications.services import intake
from applications.services.notes import note_add
from reviews.models import Notification
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.casework import ALICE
from tests.sent_forms import AGAIN, browser, open_form

pytestmark = pytest.mark.django_db

REGION = re.compile(r'<div id="application-notes" data-region>(.*?)</div>\s*</section>', re.DOTALL)
LOG = re.compile(r'<ol id="application-log".*?</ol>', re.DOTALL)


def add(application: LoanApplication, user: User, text: str) -> ApplicationNote:
    return note_add(reference=application.reference, user=user, text=text)


def notes_in(html: str) -> str:
    """Return the part of a page that has the notes."""
    found = REGION.findall(html)
    assert len(found) == 1
    return str(found[0])


def test_note_is_written_on_the_page_and_shown_there_with_author_role_and_time(
    login: Login, waiting: LoanApplication, manager: User, auditor: User
) -> None:
    User.objects.filter(pk=manager.pk).update(first_name="Mia", last_name="Ng")
    client = login(manager)
    opened = client.get(page("change", waiting)).text
    assert "No note yet." in notes_in(opened)
    assert f'action="{page("note", waiting)}"' in opened

    answer = client.post(page("note", waiting), {"text": "Employer <b>called</b>.\n\nDone."})

    note = ApplicationNote.objects.get()
    assert answer.url == f"{page('change', waiting)}#note-{note.pk}"
    html = login(auditor).get(page("change", waiting)).text
    shown = notes_in(html)
    assert f'id="note-{note.pk}"' in shown
    assert "<strong>Mia Ng</strong>" in shown
    assert "@manager, Manager, " in shown
    assert f'<time datetime="{note.at.astimezone().isoformat()[:10]}' in shown
    assert "Employer &lt;b&gt;called&lt;/b&gt;.\n\nDone." in shown
    assert "<b>called" not in html
    # The log leads to it, and says it once.
    assert f'href="#note-{note.pk}"' in LOG.findall(html)[0]
    assert html.count("&lt;b&gt;called") == 1


def test_form_is_for_who_may_write_and_the_others_read(
    login: Login, waiting: LoanApplication, auditor: User, manager: User
) -> None:
    add(waiting, manager, "Look here.")
    client = login(auditor)

    html = client.get(page("change", waiting)).text

    assert "Look here." in notes_in(html)
    assert "note-form" not in html
    answer = client.post(page("note", waiting), {"text": "Mine."}, follow=True)
    assert "You may not add a note." in answer.text
    assert ApplicationNote.objects.count() == 1


def test_refused_note_is_shown_in_place_with_its_error_and_what_was_typed(
    login: Login, waiting: LoanApplication, manager: User
) -> None:
    client = login(manager)

    answer = client.post(page("note", waiting), {"text": "Ask @nobody <i>soon</i>"})

    assert answer.status_code == 200
    html = answer.text
    assert 'id="application-log"' in html  # the application's page
    form = html[html.index('class="note-form"') :].partition("</form>")[0]
    assert "has the user name @nobody." in form
    assert "Ask @nobody &lt;i&gt;soon&lt;/i&gt;</textarea>" in form
    field = re.findall(r"<textarea[^>]*>", form)[0]
    assert 'aria-invalid="true"' in field
    assert "autofocus" in field
    assert "id_text_error" in re.findall('aria-describedby="([^"]*)"', field)[0]
    assert 'id="id_text_error"' in form
    assert not ApplicationNote.objects.exists()
    # The other form of the page is sent where it was.
    assert f'action="{page("change", waiting)}"' in html
    assert "Write a note." in client.post(page("note", waiting), {"text": " "}).text


def test_form_that_is_sent_twice_writes_one_note(
    waiting: LoanApplication, manager: User, auditor: User
) -> None:
    client = browser(manager)
    form = open_form(client, page("change", waiting), {"text": "@auditor, look."})

    first = client.post(page("note", waiting), form)
    again = client.post(page("note", waiting), form, follow=True)

    assert first.status_code == 302
    assert AGAIN in again.text
    assert ApplicationNote.objects.count() == 1
    assert Notification.objects.filter(user=auditor).count() == 1


def test_who_is_mentioned_is_marked_and_the_bell_leads_to_the_note(
    login: Login, waiting: LoanApplication, manager: User, auditor: User
) -> None:
    note = add(waiting, manager, "@auditor, see <x> and a@manager")
    client = login(auditor)

    shown = notes_in(client.get(page("change", waiting)).text)
    bell = client.get("/admin/notifications/").text

    assert '<strong class="mention">@auditor</strong>, see &lt;x&gt; and a@manager' in shown
    assert "You were mentioned" in bell
    assert f'href="{page("change", waiting)}#note-{note.pk}"' in bell
    assert f"{waiting.reference}: manager mentioned you in a note." in bell


def test_page_of_the_form_says_who_can_be_mentioned(
    login: Login, waiting: LoanApplication, manager: User, officer: User, make_user: Any
) -> None:
    User.objects.filter(pk=officer.pk).update(first_name="Ola", last_name="Berg")
    make_user("roleless")

    html = login(manager).get(page("note", waiting)).text

    assert "@officer" in html
    assert "Ola Berg" in html
    assert "Loan officer" in html
    assert "@roleless" not in html
    assert 'name="text"' in html


def test_part_of_the_page_is_live_and_leaves_alone_what_somebody_types(
    login: Login, waiting: LoanApplication, manager: User, auditor: User
) -> None:
    client = login(auditor)
    etag = client.get(page("live", waiting)).headers["ETag"]
    add(waiting, manager, "Just now.")

    answer = client.get(page("live", waiting), headers={"If-None-Match": etag})

    assert answer.status_code == 200
    assert "Just now." in notes_in(answer.text)
    # The form is in no part that is replaced: what is typed there would hold it back.
    html = login(manager).get(page("change", waiting)).text
    assert "<textarea" not in notes_in(html)
    before = html[: html.index('class="note-form"')]
    assert before.count("<section") - before.count("</section") == 1
    assert "data-region" not in before[before.rindex("<section") :]


def test_notes_are_one_statement_of_the_page_and_none_of_a_poll_without_news(
    login: Login,
    waiting: LoanApplication,
    draft: LoanApplication,
    manager: User,
    django_assert_num_queries: Any,
) -> None:
    client = login(manager)
    client.get(page("change", waiting))  # the look is on record

    def about_notes(address: str, **headers: str) -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(address, headers=headers)
        assert answer.status_code in {200, 304}
        return [query["sql"] for query in asked if "applicationnote" in query["sql"].lower()]

    without = len(about_notes(page("change", waiting)))
    for number in range(FIRST_SHOWN + 2):
        add(waiting, manager, f"@manager, number {number}.")
    etag = client.get(page("live", waiting)).headers["ETag"]

    assert without == 1
    assert len(about_notes(page("change", waiting))) == 1
    assert len(about_notes(page("change", draft))) == 1
    assert about_notes(page("live", waiting), **{"If-None-Match": etag}) == []
    shown = notes_in(client.get(page("change", waiting)).text)
    assert "Earlier notes (2)" in shown
    assert shown.index("number 11.") < shown.index("number 2.") < shown.index("Earlier notes")
    assert shown.index("Earlier notes") < shown.index("number 1.") < shown.index("number 0.")


def test_note_may_be_written_on_a_draft_and_on_a_closed_application(
    login: Login, officer: User, manager: User
) -> None:
    draft = intake.application_create(user=officer, **ALICE)
    closed = casework.submit(officer)
    intake.application_withdraw(reference=closed.reference, user=officer)
    client = login(manager)
    for application in (draft, closed):
        assert "note-form" in client.get(page("change", application)).text
        client.post(page("note", application), {"text": "For later."})
        assert "For later." in notes_in(client.get(page("change", application)).text)


def test_note_stands_in_the_timeline_with_its_text(
    login: Login, waiting: LoanApplication, manager: User, auditor: User
) -> None:
    add(waiting, manager, "Employer <b>called</b>.")
    client = login(auditor)

    html = client.get(page("timeline", waiting)).text

    assert "Note: Employer &lt;b&gt;called&lt;/b&gt;." in html
    assert "staff only" in html


def test_each_role_that_may_write_does_so_in_place(
    login: Login, waiting: LoanApplication, make_user: Callable[..., User]
) -> None:
    for role in (Role.LOAN_OFFICER, Role.OPERATIONS, Role.PARTNER_MANAGER):
        client = login(make_user(role.key, role))
        client.post(page("note", waiting), {"text": f"By {role.key}."})
    texts = set(ApplicationNote.objects.values_list("text", flat=True))
    assert texts == {"By loan_officer.", "By operations.", "By partner_manager."}
