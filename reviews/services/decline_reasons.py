"""Read and show the reason of a decline: from the catalogue, in the decider's words, or both."""

from collections.abc import Collection
from typing import NamedTuple

from reviews.choices import TaskKind
from reviews.errors import ReasonRequired, UnknownReason
from reviews.kinds import REVIEW_KINDS
from reviews.models import DeclineReason, ReviewDecision

OWN_WORDS = "Say in your own words why."


class Reason(NamedTuple):
    """The reason of a decision. ``whole`` is the text that the applicant reads.

    ``code`` and ``text`` are those of the catalogue, or empty.
    """

    whole: str
    code: str = ""
    text: str = ""


def reasons_for(kinds: Collection[TaskKind]) -> list[DeclineReason]:
    """Return the active decline reasons that fit any of these review kinds."""
    in_use = DeclineReason.objects.filter(active=True)
    return [reason for reason in in_use if any(reason.fits(kind) for kind in kinds)]


def reason_chosen(code: str) -> DeclineReason | None:
    """Return the reason of the catalogue with this code, if there is one."""
    return DeclineReason.objects.filter(code=code).first() if code else None


def reason_read(
    *, reference: str, kind: TaskKind, code: str, chosen: DeclineReason | None, words: str
) -> Reason:
    """Return the reason for declining a task of this kind.

    ``chosen`` is that of the catalogue with this code. Raises ``ReasonRequired`` and
    ``UnknownReason``.
    """
    words = words.strip()
    if not code:
        if not words:
            raise ReasonRequired(reference=reference)
        return Reason(words)
    why_not = _why_not(chosen, kind)
    if chosen is None or why_not:
        raise UnknownReason(reference=reference, reason_code=code, why=why_not)
    if chosen.asks_for_text:
        if not words:
            raise ReasonRequired(reference=reference, why=OWN_WORDS)
        return Reason(words, chosen.code, chosen.text)
    return Reason(f"{chosen.text} {words}".strip(), chosen.code, chosen.text)


def _why_not(chosen: DeclineReason | None, kind: TaskKind) -> str:
    if chosen is None:
        return "The catalogue has no such reason."
    if not chosen.active:
        return "This reason is retired."
    if not chosen.fits(kind):
        return f"This is no reason to decline {REVIEW_KINDS[kind].named}."
    return ""


def reasons_shown(*, kind: TaskKind, decision: ReviewDecision) -> list[dict[str, str]]:
    """Return the codes and texts of a decline that the applicant and the partner read.

    The first code depends on the review kind, for compatibility; a reason of the catalogue
    follows.
    """
    first = REVIEW_KINDS[kind].declined_as
    if not decision.reason_code:
        return [{"code": first.value, "text": f"{first.label} {decision.reason}".strip()}]
    return [
        {"code": first.value, "text": str(first.label)},
        {"code": decision.reason_code, "text": decision.reason},
    ]
