"""The table of review kinds. Everything that differs between the kinds is defined here, once.

A new kind of human step is a member of ``TaskKind`` (and of ``Step``, if it has a step of its
own), a row of ``ROWS``, the policy field that holds its wait, a grant of its permission in
``accounts.roles``, a line in ``functions.loan_approval.carry`` and one in the oracle of the chaos
run. A kind without a row, or with two, fails when this module is imported; a policy field or a
role that does not fit is an error of ``manage.py check`` (``reviews.checks``); any other omission
fails in ``tests.reviews.test_kinds``. Imports enumerations only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from accounts.roles import APPROVERS, Role, role_above, roles_deciding
from applications.choices import Status, Step, WaitingOn
from lending.choices import Outcome, ReasonCode
from reviews.choices import TaskKind


class Trigger(Enum):
    """The event on which the workflow opens a task of a kind."""

    REFERRED = auto()  # the policy refers the application; the assessment's reasons say why
    FLAGGED = auto()  # the fraud check flags it
    OFFERED = auto()  # the offer is made


class Assignee(NamedTuple):
    """The role a task waits for, its name on lists and pages, and the roles that get the e-mail."""

    role: str
    described: str
    recipients: tuple[Role, ...] = ()


class ApplicantMail(NamedTuple):
    """The e-mail that asks the applicant; formatted with ``reference`` and ``last_day``."""

    subject: str
    body: str


DONE = MappingProxyType({Outcome.APPROVE: "approved", Outcome.DECLINE: "declined"})


@dataclass(frozen=True, kw_only=True)
class ReviewKind:
    """One kind of review task.

    With several ``assignees``, in order of authority, the first one whose ceiling covers the
    amount is asked. ``wait``, ``due``, ``two_approvals_from`` and ``required_by`` name fields of
    ``LendingPolicy``.
    """

    kind: TaskKind
    step: Step
    own_step: bool = True  # else part of a step that the workflow also performs without a person
    status: Status  # of the application while the task is open
    trigger: Trigger
    assignees: tuple[Assignee, ...]
    permission: str
    permission_name: str
    wait: str
    due: str = "approval_due"
    two_approvals_from: str = ""  # an amount; empty: one approval is enough
    required_by: str = ""  # a switch: without it nobody is asked; empty: there is no switch
    four_eyes: bool = True  # whoever created, submitted or edited the application may not decide
    escalated: bool = True  # after half of its time, to ``accounts.roles.roles_above``
    words: Mapping[Outcome, str]  # the labels of the buttons
    done: Mapping[Outcome, str] = DONE  # what was done, in messages and on the timeline
    declined_as: ReasonCode  # the reason shown to the applicant and the partner
    opening_reasons: tuple[tuple[ReasonCode, str], ...] = ()
    skipped_as: str = "not needed"  # shown for the step when no task was needed
    answers_offer: bool = False  # stored on the offer too, in whose time it has to come
    applicant_mail: ApplicantMail | None = None  # set: the applicant decides, staff only record it

    @property
    def named(self) -> str:
        """Return the kind with its article, for sentences: "a manager approval"."""
        label = self.kind.label.lower()
        return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"

    @property
    def decided_by_staff(self) -> bool:
        """True if staff decide it (admin, bulk decision, API); else the applicant does."""
        return self.applicant_mail is None

    @property
    def has_ceiling(self) -> bool:
        return len(self.assignees) > 1

    def assignee(self, role: str) -> Assignee:
        return next(found for found in self.assignees if found.role == role)

    def next_assignee(self, role: str, *, approved_before: bool) -> Assignee:
        """Return the assignee of the next approval: ``role``, or the role above after the first."""
        above = self.has_ceiling and approved_before
        return self.assignee(role_above(role).key if above else role)


def by_kind(rows: Iterable[ReviewKind]) -> Mapping[TaskKind, ReviewKind]:
    """Index the rows by kind, in order. Raises ``ImproperlyConfigured`` unless each has one."""
    found = list(rows)
    count = Counter(row.kind for row in found)
    for kind in TaskKind:
        if count[kind] != 1:
            raise ImproperlyConfigured(
                f"reviews/kinds.py has {count[kind]} rows for TaskKind.{kind.name}; "
                "every kind needs exactly one ReviewKind in ROWS."
            )
    return MappingProxyType({row.kind: row for row in found})


def approver(role: Role) -> Assignee:
    """Return the assignee for ``role``; roles of a higher rank may decide the task as well."""
    deciding = roles_deciding(role.key)
    *others, last = [f"a {each.lower()}" for each in deciding]
    return Assignee(role.key, " or ".join(filter(None, (", ".join(others), last))), deciding)


RISK_ANALYST = Assignee(WaitingOn.RISK_ANALYST, "a risk analyst", (Role.RISK_ANALYST,))
APPLICANT = Assignee(
    WaitingOn.APPLICANT,
    "the applicant, whose answer the partner sends or the staff write down",
)

# In the order of the workflow.
ROWS = (
    ReviewKind(
        kind=TaskKind.MANAGER_APPROVAL,
        step=Step.MANAGER_APPROVAL,
        status=Status.PENDING_APPROVAL,
        trigger=Trigger.REFERRED,
        assignees=tuple(map(approver, APPROVERS)),
        permission="reviews.decide_manager_approval",
        permission_name="Can decide manager approvals",
        wait="approval_expires",
        two_approvals_from="second_approval_threshold",
        words={Outcome.APPROVE: "Approve", Outcome.DECLINE: "Decline"},
        declined_as=ReasonCode.MANAGER_DECLINED,
    ),
    ReviewKind(
        kind=TaskKind.FRAUD_REVIEW,
        step=Step.FRAUD_CHECK,
        own_step=False,
        status=Status.IN_REVIEW,
        trigger=Trigger.FLAGGED,
        assignees=(RISK_ANALYST,),
        permission="reviews.decide_fraud_review",
        permission_name="Can decide fraud reviews",
        wait="approval_expires",
        words={Outcome.APPROVE: "Clear the flag", Outcome.DECLINE: "Decline"},
        done=DONE | {Outcome.APPROVE: "flag cleared"},
        declined_as=ReasonCode.FRAUD_SUSPECTED,
        opening_reasons=((ReasonCode.FRAUD_SUSPECTED, "The fraud check flagged it."),),
    ),
    ReviewKind(
        kind=TaskKind.OFFER_ACCEPTANCE,
        step=Step.OFFER_ACCEPTANCE,
        status=Status.APPROVED,
        trigger=Trigger.OFFERED,
        assignees=(APPLICANT,),
        permission="reviews.record_offer_acceptance",
        permission_name="Can record an applicant's answer to an offer",
        wait="offer_life",
        required_by="offer_acceptance_required",
        four_eyes=False,  # the applicant decides; staff only record the answer
        escalated=False,  # no role ranks above an applicant
        words={Outcome.APPROVE: "Offer accepted", Outcome.DECLINE: "Offer declined"},
        done=DONE | {Outcome.APPROVE: "accepted"},
        declined_as=ReasonCode.OFFER_DECLINED,
        answers_offer=True,
        applicant_mail=ApplicantMail(
            "Your loan offer {reference} is ready",
            "Please accept or decline it by the end of {last_day}.",
        ),
    ),
)
REVIEW_KINDS = by_kind(ROWS)
STAFF_KINDS = tuple(row.kind for row in ROWS if row.decided_by_staff)
REFERRED_KINDS = tuple(row.kind for row in ROWS if row.trigger is Trigger.REFERRED)
FOUR_EYES_KINDS = tuple(row.kind for row in ROWS if row.four_eyes)
CEILING_KINDS = tuple(row.kind for row in ROWS if row.has_ceiling)
ESCALATED_KINDS = tuple(row.kind for row in ROWS if row.escalated)
