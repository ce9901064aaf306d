"""Check the allowed transitions of an application's ``status``. Pure.

A transition that is not listed here is refused, whoever asks for it. In ``needs_attention`` an
application waits for Operations; from there it may go to every status that its next attempt or
a repair leads to.
"""

from applications.choices import Status
from applications.errors import TransitionRefused

TERMINAL = frozenset({Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED})

# How an application that a workflow carries may end at any moment, or get stuck.
STOPS = frozenset({Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED, Status.NEEDS_ATTENTION})

ALLOWED: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.SUBMITTED, Status.WITHDRAWN}),
    # Nobody has been asked yet, so nobody can be too late.
    Status.SUBMITTED: STOPS - {Status.EXPIRED} | {Status.IN_REVIEW},
    # To submitted: an edit voided an approval, so that a new attempt asks again.
    Status.IN_REVIEW: STOPS | {Status.SUBMITTED, Status.PENDING_APPROVAL, Status.APPROVED},
    Status.PENDING_APPROVAL: STOPS | {Status.SUBMITTED, Status.IN_REVIEW},
    Status.APPROVED: STOPS | {Status.SUBMITTED, Status.FUNDED},
    Status.NEEDS_ATTENTION: frozenset(
        {Status.SUBMITTED, Status.IN_REVIEW, Status.FUNDED, Status.DECLINED, Status.WITHDRAWN}
    ),
    Status.FUNDED: frozenset(),
    Status.DECLINED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    # Only by a restart, which is possible after a late decision.
    Status.EXPIRED: frozenset({Status.SUBMITTED}),
}


def is_terminal(status: str) -> bool:
    """True when the status is final, apart from a restart of an expired application."""
    return Status(status) in TERMINAL


def check_transition(*, reference: str, current: str, new: str) -> None:
    """Raise ``TransitionRefused`` unless ``current`` may become ``new``; staying is allowed."""
    if current != new and Status(new) not in ALLOWED[Status(current)]:
        raise TransitionRefused(reference=reference, current=Status(current), new=Status(new))
