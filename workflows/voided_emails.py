"""Tell those who approved an application that their approval counts no more, by mail and bell.

For a task that was decided: an open one asks again, and says so itself (``task_letters``).
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import QuerySet

from applications.models import LoanApplication
from core.site_urls import site_url
from reviews.choices import NotificationKind, TaskStatus
from reviews.models import ReviewDecision
from reviews.services.notifications import Content
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to


def tell_approvers(*, application: LoanApplication) -> None:
    """Queue the notice about the voided approvals of the application's attempt."""
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"voided/{application.pk}/{application.attempt}",
        payload={"voided": application.pk, "attempt": application.attempt},
        application_id=application.pk,
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return those who gave the approvals and can sign in."""
    found: dict[int, Recipient] = {}
    for decision in _voided(payload):
        person = decision.decided_by
        if person is not None and person.is_active and person.is_staff:
            said = f"{decision.task.application.reference}: {_sentence(decision)}"
            content = Content(NotificationKind.SENT_BACK, said, _path(payload))
            found[person.pk] = Recipient(person.pk, Weight.URGENT, content)
    return [found[pk] for pk in sorted(found)]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to one person; ``None`` for one who is not active any more."""
    person = User.objects.filter(pk=payload["user"], is_active=True).first()
    decision = _voided(payload).filter(decided_by=person).first()
    if person is None or decision is None:
        return None
    application = decision.task.application
    amount = f"{application.loan_amount:,.2f} {application.currency}"
    return letter_to(
        person.email,
        f"{NotificationKind.SENT_BACK.label}: {application.reference}",
        f"{amount}. {_sentence(decision)} It is asked again.\n{site_url(_path(payload))}",
    )


def _voided(payload: dict[str, Any]) -> QuerySet[ReviewDecision]:
    rows = ReviewDecision.objects.filter(
        task__application=payload["voided"],
        task__attempt=payload["attempt"],
        task__status=TaskStatus.CANCELLED,
        voided_at__isnull=False,
    )
    return rows.select_related("task__application", "decided_by").order_by("pk")


def _sentence(decision: ReviewDecision) -> str:
    return f"Your approval counts no more. {decision.voided_because}"


def _path(payload: dict[str, Any]) -> str:
    return f"/admin/applications/loanapplication/{payload['voided']}/change/"


LETTERS["voided"] = Letter(audience, build_email)
