"""Outgoing messages in the admin, and what became of each, in words.

An address is shown masked, as it was kept: whoever may read it reveals it on the application.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from applications.admin.view_helpers import ApplicationColumn
from applications.models import LoanApplication
from core.admin.base import ReadOnlyAdmin
from core.admin.display import moment
from core.admin.orders import BY_STATUS, Order
from core.admin.row_actions import RowAction, RowActionsAdmin
from workflows import operations
from workflows.admin.badges import message_badge
from workflows.admin.links import came_from
from workflows.models import Incident, OutboxMessage
from workflows.outbox.emails import to_applicant
from workflows.outbox.splitting import SPLIT
from workflows.outbox.task_letters import Notice

MOST = 20  # e-mails on the page of an application
THE_APPLICANT = "the applicant"
# What letters are about that were not sent, by what their payload names.
ABOUT = {
    "undecidable": "Nobody can decide",
    "voided": "An approval counts no more",
    "mention": "A mention in a note",
    "information": "A question, or its answer",
}
Status = OutboxMessage.Status


@dataclass(frozen=True)
class Sent:
    """An e-mail about an application: to whom, what about, and what became of it."""

    message: OutboxMessage
    to: str
    about: str
    badge: SafeString
    result: SafeString

    @property
    def is_to_applicant(self) -> bool:
        return to_applicant(self.message.payload)


def result_of(message: OutboxMessage) -> SafeString:
    """Say what became of a message, and when, after its badge, which begins the note."""
    tries = f"{message.attempts} {'try' if message.attempts == 1 else 'tries'}"
    match Status(message.status):
        case Status.SENT:
            at = moment(message.sent_at or message.created_at)
            word = done_word(message)
            return format_html("{} {}", word.partition(": ")[2] or word, at)
        case Status.DEAD:
            return format_html("after {}, the next one was due {}", tries, moment(message.due_at))
        case Status.CANCELLED:
            return format_html("{}", "before it was sent")
    if message.attempts and message.last_error:
        return format_html("failed after {}; next try {}", tries, moment(message.due_at))
    return format_html("since {}; it is sent within a minute", moment(message.created_at))


def done_word(message: OutboxMessage) -> str:
    """Return what was done with a message that is done with."""
    if message.note:
        return message.note
    return "Accepted by the mail server" if message.kind == message.Kind.EMAIL else "Delivered"


def recipient_of(message: OutboxMessage, names: dict[int, str]) -> str:
    """Return whom an e-mail goes to, with the masked addresses once it was sent."""
    if message.kind != message.Kind.EMAIL:
        return ""
    if to_applicant(message.payload):
        who = THE_APPLICANT
    elif "user" in message.payload:
        who = (message.letter or {}).get("who") or names.get(message.payload["user"], "")
    else:
        return "the staff, each by a letter of their own"
    addresses = ", ".join((message.letter or {}).get("to", ()))
    return f"{who} ({addresses})" if addresses else who


def names_of(messages: Collection[OutboxMessage]) -> dict[int, str]:
    """Return the usernames of those whom e-mails that were not sent yet go to; at most a query."""
    waiting = [message.payload for message in messages if message.letter is None]
    people = {payload["user"] for payload in waiting if "user" in payload}
    return dict(User.objects.filter(pk__in=people).values_list("pk", "username"))


def sent_about(application: LoanApplication) -> list[Sent]:
    """Return the latest e-mails about an application, those to the applicant first."""
    rows = OutboxMessage.objects.filter(application=application, kind=OutboxMessage.Kind.EMAIL)
    rows = rows.exclude(note__startswith=SPLIT)
    messages = list(rows.order_by("-pk")[:MOST])
    names = names_of(messages)
    found = [
        Sent(
            message=message,
            to=recipient_of(message, names),
            about=(message.letter or {}).get("subject") or _subject(message),
            badge=message_badge(message),
            result=result_of(message),
        )
        for message in messages
    ]
    return sorted(found, key=lambda each: not each.is_to_applicant)


def _subject(message: OutboxMessage) -> str:
    """Return what a letter that was not sent is about."""
    payload = message.payload
    if "notice" in payload:
        return f"Decision: {Notice(payload['notice']).label.lower()}"
    return next((ABOUT[name] for name in ABOUT if name in payload), "How the application ended")


class ResendMessage(RowAction[OutboxMessage]):
    """Give a message that was given up all its attempts again."""

    name = "resend"
    label = "Resend"

    def check(self) -> None:
        operations.resend_check(message=self.row, user=self.user)

    def explanation(self) -> str:
        return (
            f"It was tried {self.row.attempts} times and given up. It gets all its tries again, "
            "the first of them now; its incident is resolved, and another one opens if it fails "
            "again."
        )

    def back(self) -> str:
        """The page of the message, or of the incident that led here."""
        incidents = Incident.objects.filter(message=self.row)
        return came_from(self.request, incidents) or super().back()

    def act(self) -> str:
        operations.message_resend(message=self.row, user=self.user)
        return f"{self.row.get_kind_display()}: it is on its way again."


class OutboxMessageAdmin(
    RowActionsAdmin[OutboxMessage], ApplicationColumn, ReadOnlyAdmin[OutboxMessage]
):
    list_display = (
        "key",
        "kind",
        "application_shown",
        "status_shown",
        "attempts",
        "due_at",
        "sent_at",
        "last_error_short",
    )
    list_filter = ("status", "kind")
    list_select_related = ("execution__application", "application")
    counts_status = True
    ordering = ("-id",)
    orders = {"status_shown": Order(("status", "-id"), beside=BY_STATUS)}
    empty_list_text = (
        "Every outgoing message is stored here first: starts of workflows, answers that people "
        "gave, emails. It is retried until it is delivered."
    )
    row_actions = (ResendMessage,)
    application_path = "about"
    fields = (
        "kind",
        "application_shown",
        "result",
        "recipients_shown",
        "subject",
        "text",
        "tries",
        "created_at",
        "execution",
        "callback",
        "key",
        "payload_as_stored",
    )

    @admin.display(description="Status", ordering="status")
    def status_shown(self, message: OutboxMessage) -> SafeString:
        return message_badge(message)

    @admin.display(description="What became of it")
    def result(self, message: OutboxMessage) -> SafeString:
        return format_html("{} {}", message_badge(message), result_of(message))

    @admin.display(description="To", empty_value="-")
    def recipients_shown(self, message: OutboxMessage) -> str:
        return recipient_of(message, names_of([message]))

    @admin.display(description="Subject", empty_value="-")
    def subject(self, message: OutboxMessage) -> str:
        return str((message.letter or {}).get("subject", ""))

    @admin.display(description="Text as sent", empty_value="-")
    def text(self, message: OutboxMessage) -> SafeString | str:
        if message.letter is None:
            return ""
        if message.letter["text"] is None:
            return "Not kept: it holds what only its recipient may read."
        return format_html('<pre class="verbatim" tabindex="0">{}</pre>', message.letter["text"])

    @admin.display(description="Payload")
    def payload_as_stored(self, message: OutboxMessage) -> SafeString:
        stored = json.dumps(message.payload, indent=2, ensure_ascii=False)
        return format_html('<pre class="verbatim" tabindex="0">{}</pre>', stored)

    @admin.display(description="Tries", empty_value="None yet")
    def tries(self, message: OutboxMessage) -> SafeString | str:
        rows = [(parse_datetime(each["at"]), each["error"]) for each in message.failures]
        lines = [format_html("{}: failed. {}", moment(at), error) for at, error in rows if at]
        if message.sent_at is not None:
            lines.append(format_html("{}: {}", moment(message.sent_at), done_word(message)))
        return format_html_join("", "<p>{}</p>", ((line,) for line in lines))

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxMessage]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @admin.display(description="Last error", empty_value="")
    def last_error_short(self, message: OutboxMessage) -> str:
        return message.last_error[:100]
