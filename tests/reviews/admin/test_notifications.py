"""The bell in the header of every page, and the page behind it, which is each person's own."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from audit.models import AuditEntry
from lending.choices import Outcome
from reviews.models import MailChoice, Notification, ReviewTask
from reviews.services import decisions
from tests.applications.admin.conftest import page
from tests.casework import waiting_for_manager
from workflows.models import OutboxMessage
from workflows.outbox import queue

pytestmark = pytest.mark.django_db

PAGE = "/admin/notifications/"
HOME = "/admin/account/"


def notify(user: User, key: str, **fields: Any) -> Notification:
    return Notification.objects.create(
        **{
            "user": user,
            "key": key,
            "kind": "sent_back",
            "sentence": f"Look at {key}.",
            "path": "/admin/",
            **fields,
        }
    )


def bell(client: Client, address: str = HOME) -> str:
    """Return the words of the bell on a page."""
    html = client.get(address).text
    found = re.search(r'<span id="bell">.*?visually-hidden">([^<]*)<', html)
    assert found is not None
    return found[1]


def send() -> None:
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()


def test_bell_counts_what_is_new_for_this_person_alone(
    login: Any, officer: User, manager: User, auditor: User
) -> None:
    notify(manager, "one")
    notify(manager, "two")
    assert bell(login(manager)) == "Notifications: 2 not read"
    assert bell(login(auditor)) == "Notifications: nothing new"
    assert "Look at" not in login(auditor).get(PAGE).text
    assert 'href="/admin/notifications/"' in login(officer).get("/admin/").text


def test_bell_is_one_statement_that_reads_a_hundred_rows_at_most(login: Any, manager: User) -> None:
    client = login(manager)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as before:
        client.get(HOME)
    Notification.objects.bulk_create(
        Notification(user=manager, key=str(number), kind="sent_back", path="/admin/")
        for number in range(120)
    )
    with CaptureQueriesContext(connection) as after:
        assert bell(client) == "Notifications: 99+ not read"
    assert len(after) == len(before)
    counted = [query["sql"] for query in after if "reviews_notification" in query["sql"]]
    assert len(counted) == 1
    assert "LIMIT 100" in counted[0]
    with CaptureQueriesContext(connection) as listed:
        client.get(PAGE)
    assert sum("reviews_notification" in query["sql"] for query in listed) == 2


def test_one_is_marked_as_read_then_all_and_the_log_says_so(login: Any, manager: User) -> None:
    first, _, _ = (notify(manager, key) for key in ("one", "two", "three"))
    client = login(manager)

    answer = client.post(PAGE, {"read": first.pk}, follow=True)

    assert "Marked as read: 1." in answer.text
    assert bell(client) == "Notifications: 2 not read"
    shown = client.get(PAGE).text
    assert shown.count(">Mark as read<") == 2
    client.post(PAGE, {"read": "all"})
    assert bell(client) == "Notifications: nothing new"
    assert ">Mark as read<" not in client.get(PAGE).text
    entries = AuditEntry.objects.filter(action="changed").order_by("pk")
    assert [(entry.actor, entry.message) for entry in entries] == [
        (manager, "Marked 1 notifications as read."),
        (manager, "Marked 2 notifications as read."),
    ]


@pytest.mark.parametrize("typed", ["", "x", "\N{SUPERSCRIPT TWO}", "9" * 30, "theirs"])
def test_nothing_else_is_marked(login: Any, manager: User, auditor: User, typed: str) -> None:
    theirs = notify(auditor, "theirs")
    read = str(theirs.pk) if typed == "theirs" else typed
    response = login(manager).post(PAGE, {"read": read}, follow=True)
    assert "There was nothing to mark as read." in response.text
    assert not Notification.objects.filter(read_at__isnull=False).exists()


def test_page_is_for_staff_and_get_changes_nothing(login: Any, manager: User) -> None:
    assert Client().get(PAGE).status_code == 302
    notify(manager, "one")
    login(manager).get(PAGE)
    assert Notification.objects.get().read_at is None


def test_notification_ends_with_its_task(
    login: Any, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    senior2, senior3 = (make_user(name, Role.SENIOR_MANAGER) for name in ("s2", "s3"))
    task = waiting_for_manager(officer, loan_amount=700_000).review_tasks.get()
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    send()
    client = login(senior3)
    assert bell(client) == "Notifications: 1 not read"
    shown = client.get(PAGE).text
    assert f"{task.application.reference}: 700,000.00 CAD has its first approval." in shown
    assert f'href="{page("change", task.application)}"' in shown
    assert bell(login(senior)) == "Notifications: nothing new"

    decisions.task_decide(task=task, user=senior2, outcome=Outcome.APPROVE)

    assert bell(client) == "Notifications: nothing new"
    assert ">Over<" in client.get(PAGE).text


def test_approval_that_counts_no_more_rings_with_the_reason(
    login: Any, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    make_user("senior2", Role.SENIOR_MANAGER)
    application = waiting_for_manager(officer, loan_amount=700_000)
    task = ReviewTask.objects.get()
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    edit(application, officer)
    send()
    found = Notification.objects.get(user=senior, kind="sent_back")
    assert found.sentence == (
        f"{application.reference}: An approval counts no more. The application was changed "
        "after it: phone."
    )
    assert bell(login(senior)) == "Notifications: 1 not read"


def edit(application: LoanApplication, officer: User) -> None:
    application.refresh_from_db()
    intake.application_edit(
        reference=application.reference,
        user=officer,
        version=application.version,
        phone="613-555-0199",
    )


def test_approval_of_a_decided_task_that_counts_no_more_is_sent_back_to_who_gave_it(
    login: Any, officer: User, manager: User
) -> None:
    application = waiting_for_manager(officer)
    decisions.task_decide(task=ReviewTask.objects.get(), user=manager, outcome=Outcome.APPROVE)
    edit(application, officer)
    send()
    found = Notification.objects.get()
    assert (found.user, found.kind) == (manager, "sent_back")
    assert found.sentence == (
        f"{application.reference}: Your approval counts no more. The application was changed "
        "after it: phone."
    )
    (letter,) = [each for each in mail.outbox if each.subject.startswith("Sent back: ")]
    assert letter.to == [manager.email]
    assert "It is asked again." in letter.body
    assert bell(login(manager)) == "Notifications: 1 not read"


def test_setting_is_one_s_own_is_on_record_and_begins_with_the_digest(
    login: Any, manager: User, auditor: User
) -> None:
    client = login(manager)
    assert 'value="digest" checked' in client.get(PAGE).text
    assert PAGE in client.get(HOME).text
    answer = client.post(PAGE, {"mails": "urgent"}, follow=True)
    assert 'value="urgent" checked' in answer.text
    assert MailChoice.objects.get().user == manager
    entry = AuditEntry.objects.get(action="changed")
    assert (entry.actor, entry.message) == (manager, "Chose which e-mails about work to get.")
    assert client.post(PAGE, {"mails": "no such"}, follow=True).status_code == 200
    assert MailChoice.objects.get().mode == "urgent"
    assert 'value="digest" checked' in login(auditor).get(PAGE).text
