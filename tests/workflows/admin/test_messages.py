"""The result of each message, on its own page and on the page of its application."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from accounts.services.invitations import invitation_send
from applications.models import ApplicationEvent, LoanApplication
from core.admin.row_actions import row_url
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.services import decisions
from tests.applications.admin.conftest import Login, page
from tests.casework import letters_at_once, run_of, waiting_for_manager
from workflows import executions
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.steps import review

pytestmark = pytest.mark.django_db
NO_MAIL_SERVER = {"default": {"BACKEND": "tests.workflows.admin.test_messages.AbsentBackend"}}


class AbsentBackend(BaseEmailBackend):
    """A mail server that nobody reaches."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise ConnectionRefusedError("nobody listens")


def declined(officer: User, manager: User, email: str) -> LoanApplication:
    """Declined by the manager; the notice waits in the outbox."""
    application = waiting_for_manager(officer, email=email)
    send()
    decisions.task_decide(
        task=application.review_tasks.get(),
        user=manager,
        outcome=Outcome.DECLINE,
        reason="The income is not proven.",
    )
    review.declined_on_review(run_of(application), TaskKind.MANAGER_APPROVAL)
    executions.closing_notice(run_of(application))
    application.refresh_from_db()
    return application


def notice() -> OutboxMessage:
    return OutboxMessage.objects.get(key__startswith="closed/")


def text_of(html: str) -> str:
    """The page without its tags, each run of spaces as one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def send() -> None:
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()


def test_page_of_a_sent_mail_shows_all_of_it_and_no_address(
    officer: User, manager: User, auditor: User, login: Login
) -> None:
    application = declined(officer, manager, "okapi@quagga.example")
    client = login(auditor)
    before = text_of(client.get(row_url(notice())).text)
    assert "since" in before
    assert "it is sent within a minute" in before

    send()

    html = client.get(row_url(notice())).text
    shown = text_of(html)
    (letter,) = [letter for letter in mail.outbox if letter.to == ["okapi@quagga.example"]]
    assert "the applicant (o••••@q••••.example)" in shown
    assert letter.subject in shown
    for line in letter.body.splitlines():
        assert line in shown
    assert "Accepted by the mail server" in shown
    assert page("change", application) in html
    assert "okapi" not in html


def test_page_of_an_application_says_whether_the_applicant_got_it(
    officer: User, manager: User, auditor: User, login: Login
) -> None:
    letters_at_once()
    application = declined(officer, manager, "okapi@quagga.example")
    send()
    html = login(auditor).get(page("change", application)).text
    panel = text_of(html.split('id="panel-emails"')[1].split("</section>")[0])
    assert re.search(
        rf"Your application {application.reference} Sent "
        r"to the applicant \(o••••@q••••\.example\): Accepted by the mail server",
        panel,
    )
    assert "to manager (m••••@e••••.com): Accepted by the mail server" in panel
    address = page("timeline", application)
    timeline = login(auditor).get(f"{address}?show=delivery").text
    assert "the applicant (o••••@q••••.example)" in timeline
    assert "okapi" not in html + timeline


def test_decline_of_an_applicant_without_an_address_leaves_a_trace(
    officer: User, manager: User, auditor: User, login: Login
) -> None:
    application = declined(officer, manager, "")
    send()
    message = notice()
    assert message.note == "Nothing sent: no e-mail address"
    event = ApplicationEvent.objects.get(kind="applicant_not_told")
    assert event.message == (
        "The applicant could not be told by e-mail (declined): there is no e-mail address. "
        "Tell them by telephone or by post."
    )
    assert (event.is_internal, event.level) == (True, "warning")
    client = login(auditor)
    assert "Nothing sent no e-mail address" in text_of(client.get(row_url(message)).text)
    shown = text_of(client.get(page("change", application)).text)
    assert "How the application ended Nothing sent to the applicant: no e-mail address" in shown
    assert "could not be told by e-mail" in shown
    assert not mail.outbox[1:], "only the manager was written to"


@pytest.mark.parametrize("status", OutboxMessage.Status)
@pytest.mark.parametrize("attempts", [0, 3])
def test_result_of_a_message_in_any_state_is_said_on_both_pages(
    officer: User,
    manager: User,
    auditor: User,
    login: Login,
    status: OutboxMessage.Status,
    attempts: int,
) -> None:
    application = declined(officer, manager, "okapi@quagga.example")
    message = notice()
    error = "ConnectionRefusedError: nobody listens" if attempts else ""
    OutboxMessage.objects.filter(pk=message.pk).update(
        status=status, attempts=attempts, last_error=error
    )
    result = {
        OutboxMessage.Status.CANCELLED: "before it was sent",
        OutboxMessage.Status.DEAD: f"after {attempts} tries",
        OutboxMessage.Status.SENT: "Accepted by the mail server",
    }.get(status, f"failed after {attempts} tries" if attempts else "it is sent within a minute")
    client = login(auditor)
    for address in (row_url(message), page("change", application)):
        assert result in text_of(client.get(address).text), address


def test_each_failed_try_is_listed_with_its_time_and_the_next_one(
    officer: User, manager: User, auditor: User, login: Login, settings: Any
) -> None:
    declined(officer, manager, "okapi@quagga.example")
    settings.MAILERS = NO_MAIL_SERVER
    OutboxMessage.objects.exclude(pk=notice().pk).delete()
    for _ in range(2):
        OutboxMessage.objects.update(due_at=timezone.now(), leased_until=None)
        queue.send_due()
    message = notice()
    assert [failure["error"] for failure in message.failures] == [
        "ConnectionRefusedError: nobody listens"
    ] * 2
    client = login(auditor)
    shown = text_of(client.get(row_url(message)).text)
    assert "failed after 2 tries; next try" in shown
    assert shown.count("failed. ConnectionRefusedError: nobody listens") == 2

    OutboxMessage.objects.update(due_at=timezone.now(), leased_until=None, attempts=queue.TRIES - 1)
    queue.send_due()

    assert "Given up after 20 tries" in text_of(client.get(row_url(message)).text)


def test_text_that_holds_a_secret_is_not_kept(root: User, manager: User) -> None:
    manager.set_unusable_password()
    manager.save()
    invitation_send(user=manager, by=root)
    queue.send_due()
    queue.send_due()
    sent = OutboxMessage.objects.filter(kind="email", letter__isnull=False)
    assert sent.exists()
    assert {message.letter["text"] for message in sent} == {None}
    assert any("/account/" in letter.body for letter in mail.outbox)


def test_letter_to_many_is_said_to_be_split(officer: User, manager: User, senior: User) -> None:
    letters_at_once()
    waiting_for_manager(officer)
    send()
    parent = OutboxMessage.objects.get(note__startswith="Split")
    assert parent.note == "Split into one letter to each of 2 people"
