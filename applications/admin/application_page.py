"""What the page of one submitted case shows: read here, drawn by the templates.

``Case`` is made anew for each request. Whatever it shows is also in ``fingerprint``, so
that a page that polls is told in a few small queries that nothing changed.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import Count, Max, Prefetch, Q
from django.urls import reverse
from django.utils import timezone

from applications.admin.display import TONES
from applications.admin.step_indicator import StepShown, steps_shown
from applications.choices import Status
from applications.models import (
    ApplicationEvent,
    Disbursement,
    Document,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.services import documents, intake
from applications.transitions import is_terminal
from core.errors import DomainError, NotPermitted
from lending.choices import Outcome
from reviews.admin import claims
from reviews.admin.approvals import Approvals, approvals_of
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import AboveCeiling, FourEyesViolation
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions as review_decisions
from reviews.services.authority import claim_stands

DECIDED_BY_STAFF = (TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW)
RELATED = ("partner", "policy", "created_by", "submitted_by", "last_edited_by")


@dataclass(frozen=True)
class Button:
    """A link to a page that asks once more, or a form (``posts``) that is posted at once."""

    key: str
    label: str
    url: str
    tone: str
    posts: bool = False


@dataclass(frozen=True)
class Panel:
    """One block of the page: ``template`` draws ``rows``."""

    key: str
    title: str
    template: str
    rows: object


def case_fingerprint(*, application: LoanApplication, user: User, now: datetime) -> list[object]:
    """What changes whenever something changes that this page shows to this person."""
    last_event = ApplicationEvent.objects.filter(application=application).aggregate(last=Max("pk"))
    tasks = ReviewTask.objects.filter(application=application).order_by("pk")
    late = Count("decisions", filter=Q(decisions__late=True))
    until = application.waiting_until
    return [
        user.pk,
        sorted(user.get_all_permissions()),
        application.updated_at,
        application.version,
        last_event["last"],
        [
            (task.pk, task.claimed_by_id, claim_stands(task, now), getattr(task, "late", 0))
            for task in tasks.annotate(late=late)
        ],
        until is not None and now >= until,
    ]


def etag_of(parts: list[object]) -> str:
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


class ApplicationPage:
    """One case as one person may see it."""

    def __init__(self, application: LoanApplication, user: User) -> None:
        self.application = application
        self.user = user
        self.now = timezone.now()

    @property
    def status(self) -> Status:
        return Status(self.application.status)

    @property
    def tone(self) -> str:
        return TONES[self.status]

    @property
    def is_live(self) -> bool:
        """Something may still change by itself."""
        return self.status != Status.DRAFT and not is_terminal(self.status)

    @property
    def is_overdue(self) -> bool:
        task = self.open_task
        return task is not None and self.now >= task.due_at

    @cached_property
    def tasks(self) -> list[ReviewTask]:
        decisions = ReviewDecision.objects.select_related("decided_by", "partner", "on_behalf_of")
        return list(
            self.application.review_tasks.select_related("claimed_by")
            .order_by("opened_at", "id")
            .prefetch_related(Prefetch("decisions", queryset=decisions))
        )

    @cached_property
    def open_task(self) -> ReviewTask | None:
        return next((task for task in self.tasks if task.status == TaskStatus.OPEN), None)

    @cached_property
    def assessments(self) -> list[RiskAssessment]:
        return list(self.application.risk_assessments.select_related("policy"))

    @cached_property
    def assessment(self) -> RiskAssessment | None:
        """That of the attempt which carries the case now."""
        now = [a for a in self.assessments if a.attempt == self.application.attempt]
        return now[0] if now else None

    @cached_property
    def events(self) -> list[ApplicationEvent]:
        return list(self.application.events.select_related("actor", "partner"))

    @property
    def steps(self) -> list[StepShown]:
        policy = self.application.policy
        return steps_shown(
            status=self.application.status,
            current_step=self.application.current_step,
            outcome_at_risk=self.assessment.outcome if self.assessment else "",
            asked_manager=any(
                task.kind == TaskKind.MANAGER_APPROVAL and task.attempt == self.application.attempt
                for task in self.tasks
            ),
            acceptance_required=policy is not None and policy.offer_acceptance_required,
        )

    @cached_property
    def _decision(self) -> tuple[bool, str, User | None]:
        """May this person decide now; the sentence that says why not; on whose behalf."""
        if self.open_task is None:
            return False, "", None
        try:
            right = review_decisions.decision_check(
                application=self.application, task=self.open_task, user=self.user, now=self.now
            )
        except (FourEyesViolation, AboveCeiling) as refused:
            return False, str(refused), None
        except NotPermitted:
            return False, "", None  # not theirs to decide: nothing to explain
        except DomainError as refused:
            return False, str(refused), None
        return True, "", right

    @property
    def may_decide(self) -> bool:
        return self._decision[0]

    @property
    def on_behalf_of(self) -> User | None:
        return self._decision[2]

    @property
    def claimed(self) -> ReviewTask | None:
        """The open task while somebody's claim of it stands."""
        task = self.open_task
        return task if task is not None and claim_stands(task, self.now) else None

    @cached_property
    def approvals(self) -> Approvals | None:
        """What the open task still needs, and who may give it."""
        task = self.open_task
        return None if task is None else approvals_of(self.application, task)

    @property
    def why(self) -> str:
        """Why the case stands where it stands, in a sentence or two; empty if nothing says so."""
        if self.open_task is not None:
            return _texts(self.open_task.reasons)
        if self.status == Status.DECLINED:
            return _texts(self.application.decision_reasons) + self._decided_by(Outcome.DECLINE)
        if self.status in {Status.APPROVED, Status.FUNDED}:
            return self._approved()
        if self.status == Status.WITHDRAWN:
            said = next((row for row in reversed(self.events) if row.kind == "withdrawn"), None)
            return str(said.data.get("reason", "")) if said is not None else ""
        if self.status == Status.EXPIRED:
            return "Nobody decided in time; the end of the time to decide never approves."
        return ""

    def _approved(self) -> str:
        risk, by = self.assessment, self._decided_by(Outcome.APPROVE).strip()
        graded = "" if risk is None else f"{risk.get_tier_display()} at {risk.annual_rate} %"
        if by:
            return f"{graded}. {by}" if graded else by
        return f"{graded}, within {risk.policy}; nobody had to be asked." if risk else ""

    def _decided_by(self, outcome: Outcome) -> str:
        """`` Approved by manager and senior, ...``: what people said in this attempt, and why."""
        counted = [
            decision
            for task in self.tasks
            if task.attempt == self.application.attempt and task.kind in DECIDED_BY_STAFF
            for decision in task.decisions.all()
            if decision.outcome == outcome and not decision.late and decision.decided_by is not None
        ]
        if not counted:
            return ""
        who = " and ".join(
            decision.decided_by.get_username() for decision in counted if decision.decided_by
        )
        said = " ".join(f"“{decision.reason}”" for decision in counted if decision.reason)
        did = "Approved" if outcome == Outcome.APPROVE else "Declined"
        return f" {did} by {who}{f': {said}' if said else '.'}"

    @cached_property
    def may_upload(self) -> bool:
        try:
            documents.upload_check(application=self.application, user=self.user)
        except DomainError:
            return False
        return True

    @property
    def why_not(self) -> str:
        return self._decision[1]

    def notices(self) -> list[str]:
        """Sentences above everything else."""
        return [self.why_not] if self.why_not else []

    def buttons(self) -> list[Button]:
        found = []
        if self.open_task is not None and self._decision[0]:
            said = decision_words(TaskKind(self.open_task.kind))
            found = [
                Button(
                    key=outcome.value,
                    label=said[outcome],
                    url=reverse(
                        "admin:applications_loanapplication_decide",
                        args=[self.application.pk, self.open_task.pk, outcome.value],
                    ),
                    tone="good" if outcome == Outcome.APPROVE else "bad",
                )
                for outcome in (Outcome.APPROVE, Outcome.DECLINE)
            ]
        found += self._claim_button()
        try:
            intake.withdrawal_check(application=self.application, user=self.user)
        except DomainError:
            return found
        url = reverse("admin:applications_loanapplication_withdraw", args=[self.application.pk])
        return [*found, Button(key="withdraw", label="Withdraw", url=url, tone="quiet")]

    def _claim_button(self) -> list[Button]:
        task = self.open_task
        if task is None:
            return []
        what = claims.pressable(task, self.user, may_decide=self.may_decide)
        if not what:
            return []
        url = reverse(
            f"admin:applications_loanapplication_{what}", args=[self.application.pk, task.pk]
        )
        return [Button(key=what, label=claims.LABELS[what], url=url, tone="quiet", posts=True)]

    def log_links(self) -> list[tuple[str, str]]:
        """Label and address of pages that tell more than the log does."""
        return []

    def panels(self) -> list[Panel]:
        """The blocks that have something to say, in the order of the workflow."""
        shown: dict[str, tuple[str, object]] = {
            "decision": ("Decision", self.application.decided_at),
            "reviews": ("Reviews", self.tasks),
            "risk": ("Risk assessment", self.assessments),
            "credit": ("Credit reports", list(self.application.credit_reports.all())),
            "offer": ("Offer", self.offers),
            "disbursement": ("Disbursement", self.disbursement),
            "documents": ("Documents", self.documents),
        }
        always = {"documents"} if self.may_upload else set()
        return [
            Panel(
                key=key,
                title=title,
                template=f"applications/admin/panels/{key}.html",
                rows=rows,
            )
            for key, (title, rows) in shown.items()
            if rows or key in always
        ]

    @cached_property
    def offers(self) -> list[LoanOffer]:
        return list(self.application.offers.prefetch_related("instalments"))

    @cached_property
    def documents(self) -> list[Document]:
        return list(self.application.documents.select_related("partner", "uploaded_by"))

    @cached_property
    def disbursement(self) -> Disbursement | None:
        return Disbursement.objects.filter(application=self.application).first()


def _texts(reasons: list[dict[str, str]]) -> str:
    return " ".join(reason["text"] for reason in reasons)


def decision_words(kind: TaskKind) -> dict[Outcome, str]:
    """What the two buttons of a task say."""
    if kind == TaskKind.FRAUD_REVIEW:
        return {Outcome.APPROVE: "Clear the flag", Outcome.DECLINE: "Decline"}
    if kind == TaskKind.OFFER_ACCEPTANCE:
        return {Outcome.APPROVE: "Offer accepted", Outcome.DECLINE: "Offer declined"}
    return {Outcome.APPROVE: "Approve", Outcome.DECLINE: "Decline"}
