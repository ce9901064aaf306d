"""Template filters for the statuses of an application."""

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from applications.admin.display import outcome_badge, status_badge
from applications.admin.pictures import income_picture, score_picture
from applications.mentions import marked_parts
from applications.models import ApplicationNote, Disbursement, RiskAssessment
from applications.pii import debt_to_income_band
from core.admin.display import badge
from lending.services import policy_published, policy_rules

register = template.Library()
register.filter(status_badge)
register.filter(outcome_badge)

PAYOUT_TONES = {
    Disbursement.Status.REQUESTED: "info",
    Disbursement.Status.PAID: "good",
    Disbursement.Status.REFUSED: "bad",
    Disbursement.Status.UNKNOWN: "alert",
    Disbursement.Status.NOT_PAID: "wait",
}


@register.filter
def payout_badge(status: str) -> SafeString:
    known = Disbursement.Status(status)
    return badge(str(known.label), PAYOUT_TONES[known])


@register.filter
def note_text(note: ApplicationNote) -> SafeString:
    """Return the text of a note with its mentions marked."""
    parts = marked_parts(note.text, names=note.names)
    mention = '<strong class="mention">{}</strong>'
    marked = (format_html(mention, part) if is_mention else part for part, is_mention in parts)
    return format_html_join("", "{}", ((part,) for part in marked))


@register.simple_tag
def share_of_income(ratio: Decimal | None, *, income_shown: bool) -> str:
    """The share in percent where the income is shown; else its band."""
    return f"{ratio} %" if income_shown and ratio is not None else debt_to_income_band(ratio)


@register.inclusion_tag("applications/admin/pictures.html")
def assessment_pictures(assessment: RiskAssessment, *, income_shown: bool) -> dict[str, Any]:
    """Draw the score among the tiers, and the payment beside the income or its band."""
    rules = policy_rules(policy_published(assessment.policy_id))
    return {
        "key": assessment.pk,
        "score": score_picture(
            score_sum=assessment.score_sum,
            score_count=assessment.score_count,
            score=assessment.mean_score,
            tier=assessment.tier,
            rules=rules,
        ),
        "income": income_picture(
            ratio=assessment.debt_to_income, rules=rules, is_exact=income_shown
        ),
    }
