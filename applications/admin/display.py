"""Badges of an application's status and outcome."""

from django.utils.safestring import SafeString

from applications.choices import Status
from core.admin.display import badge
from lending.choices import Outcome

TONES = {
    Status.DRAFT: "quiet",
    Status.SUBMITTED: "info",
    Status.IN_REVIEW: "info",
    Status.PENDING_APPROVAL: "wait",
    Status.APPROVED: "fresh",
    Status.FUNDED: "good",
    Status.DECLINED: "bad",
    Status.WITHDRAWN: "quiet",
    Status.EXPIRED: "quiet",
    Status.NEEDS_ATTENTION: "alert",
}


OUTCOME_TONES = {Outcome.APPROVE: "good", Outcome.REFER: "wait", Outcome.DECLINE: "bad"}


def status_badge(status: str) -> SafeString:
    known = Status(status)
    return badge(known.label, TONES[known])


def outcome_badge(outcome: str) -> SafeString:
    known = Outcome(outcome)
    return badge(known.label, OUTCOME_TONES[known])
