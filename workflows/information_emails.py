"""E-mails about questions with which tasks are sent back: to who answers, and to who asked.

The text of a question or an answer is on the application's page alone. The bell rings in the
transaction that asks or answers (``reviews.services.information``).
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage

from audit.times import moment
from core.site_urls import site_url
from reviews.choices import NotificationKind, TaskStatus
from reviews.models import InformationRequest
from reviews.services.information import people_to_answer
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to


def tell(*, request: InformationRequest) -> None:
    """Queue the notice that a question was asked, or that it was answered."""
    application = request.task.application_id
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"information/{request.pk}/{request.status}",
        payload={"information": request.pk, "status": request.status},
        application_id=application,
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return who is asked to answer, or who asked; nobody once that is over."""
    return [Recipient(person.pk, Weight.URGENT) for person in _people(_request(payload), payload)]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to one person; ``None`` when it is over by now, or about somebody else."""
    request = _request(payload)
    person = next((each for each in _people(request, payload) if each.pk == payload["user"]), None)
    if person is None:
        return None
    task, application = request.task, request.task.application
    amount = f"{application.loan_amount:,.2f} {application.currency}"
    if request.is_answered:
        kind, said = NotificationKind.ANSWERED, "Your question was answered."
        due = f"It is due {moment(task.due_at)}, expires {moment(task.expires_at)}."
    else:
        kind, said = NotificationKind.SENT_BACK, "It was sent back with a question to you."
        due = f"The time to decide goes on: it expires {moment(task.expires_at)}."
    path = f"/admin/applications/loanapplication/{application.pk}/change/"
    return letter_to(
        person.email,
        f"{kind.label}: {application.reference}",
        f"{amount}. {said} {due}\n{site_url(path)}",
    )


def _request(payload: dict[str, Any]) -> InformationRequest:
    rows = InformationRequest.objects.select_related("task__application", "asked_by")
    return rows.get(pk=payload["information"])


def _people(request: InformationRequest, payload: dict[str, Any]) -> list[User]:
    """Return whom the letter is for, as long as the question stands as it did then."""
    if request.task.status != TaskStatus.OPEN or request.status != payload["status"]:
        return []
    if not request.is_answered:
        return people_to_answer(application=request.task.application, asker=request.asked_by)
    asker = request.asked_by
    return [asker] if asker.is_active and asker.is_staff else []


LETTERS["information"] = Letter(audience, build_email)
