"""Badges of executions, callbacks, messages and incidents."""

from django.utils.safestring import SafeString

from core.admin.display import badge
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

EXECUTION_TONES = {
    Execution.Status.QUEUED: "quiet",
    Execution.Status.RUNNING: "info",
    Execution.Status.SUCCEEDED: "good",
    Execution.Status.FAILED: "bad",
    Execution.Status.TIMED_OUT: "bad",
    Execution.Status.STOPPED: "quiet",
}
CALLBACK_TONES = {
    PendingCallback.Status.OPEN: "info",
    PendingCallback.Status.ANSWERED: "wait",
    PendingCallback.Status.DELIVERED: "good",
    PendingCallback.Status.EXPIRED: "bad",
    PendingCallback.Status.CANCELLED: "quiet",
}
MESSAGE_TONES = {
    OutboxMessage.Status.PENDING: "wait",
    OutboxMessage.Status.SENT: "good",
    OutboxMessage.Status.DEAD: "bad",
    OutboxMessage.Status.CANCELLED: "quiet",
}
INCIDENT_TONES = {
    Incident.Status.OPEN: "alert",
    Incident.Status.ACKNOWLEDGED: "wait",
    Incident.Status.RESOLVED: "quiet",
}


def execution_badge(execution: Execution) -> SafeString:
    if execution.paused_at is not None and execution.ended_at is None:
        return badge("Paused", "wait")
    known = Execution.Status(execution.status)
    return badge(str(known.label), EXECUTION_TONES[known])


def callback_badge(callback: PendingCallback, *, given_up: bool = False) -> SafeString:
    known = PendingCallback.Status(callback.status)
    if known == PendingCallback.Status.ANSWERED:
        return badge("Not delivered", "bad") if given_up else badge("Delivery pending", "wait")
    return badge(str(known.label), CALLBACK_TONES[known])


def message_badge(message: OutboxMessage) -> SafeString:
    known = OutboxMessage.Status(message.status)
    if known == OutboxMessage.Status.SENT and message.note:
        return badge(message.note.partition(":")[0], "quiet")
    return badge(str(known.label), MESSAGE_TONES[known])


def incident_badge(incident: Incident) -> SafeString:
    known = Incident.Status(incident.status)
    return badge(str(known.label), INCIDENT_TONES[known])
