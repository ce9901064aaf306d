"""The allowed moves of an application's ``status``. Pure.

A move that is not listed here does not happen, whoever asks for it. ``needs_attention``
is where a case waits for Operations; from there it may go on wherever its next attempt
or its mend leads.
"""

from applications.choices import Status
from applications.errors import TransitionRefused

TERMINAL = frozenset({Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED})

ALLOWED: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.SUBMITTED, Status.WITHDRAWN}),
    Status.SUBMITTED: frozenset(
        {Status.IN_REVIEW, Status.DECLINED, Status.WITHDRAWN, Status.NEEDS_ATTENTION}
    ),
    Status.IN_REVIEW: frozenset(
        {
            Status.PENDING_APPROVAL,
            Status.APPROVED,
            Status.DECLINED,
            Status.WITHDRAWN,
            Status.EXPIRED,
            Status.NEEDS_ATTENTION,
        }
    ),
    Status.PENDING_APPROVAL: frozenset(
        {
            Status.IN_REVIEW,
            Status.DECLINED,
            Status.WITHDRAWN,
            Status.EXPIRED,
            Status.NEEDS_ATTENTION,
        }
    ),
    Status.APPROVED: frozenset(
        {
            Status.FUNDED,
            Status.DECLINED,
            Status.WITHDRAWN,
            Status.EXPIRED,
            Status.NEEDS_ATTENTION,
        }
    ),
    Status.NEEDS_ATTENTION: frozenset(
        {Status.SUBMITTED, Status.IN_REVIEW, Status.FUNDED, Status.DECLINED, Status.WITHDRAWN}
    ),
    Status.FUNDED: frozenset(),
    Status.DECLINED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    # By a restart alone, which a decision that came too late can ask for.
    Status.EXPIRED: frozenset({Status.SUBMITTED}),
}


def is_terminal(status: str) -> bool:
    """True when nothing more will happen to the case by itself."""
    return Status(status) in TERMINAL


def check_transition(*, reference: str, current: str, new: str) -> None:
    """Raise ``TransitionRefused`` unless ``current`` may become ``new``; staying is allowed."""
    if current != new and Status(new) not in ALLOWED[Status(current)]:
        raise TransitionRefused(reference=reference, current=Status(current), new=Status(new))
