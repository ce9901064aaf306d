"""The part of reviews on an application's page: tasks, who may decide, the buttons."""

from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from applications.admin.application import LoanApplicationAdmin
from applications.admin.application_page import ApplicationPage, Claim, Panel, reason_texts
from applications.admin.changelist import ApplicationChangeList
from applications.admin.step_indicator import PersonStep
from applications.choices import Step
from applications.models import LoanApplication
from core.admin.display import badge, person_name
from core.admin.row_actions import Button
from core.errors import DomainError, NotPermitted
from lending.choices import Outcome
from reviews.admin import claims, decisions, information
from reviews.admin.approvals import Approvals, approvals_of
from reviews.admin.bulk_preview import BulkDecisionListAdmin
from reviews.admin.filters import AskedAgain, SentBack
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import AboveCeiling, FourEyesViolation
from reviews.kinds import REVIEW_KINDS, ROWS, STAFF_KINDS, Trigger
from reviews.models import InformationRequest, ReviewDecision, ReviewTask
from reviews.services.authority import claim_stands
from reviews.services.decisions import decision_check
from reviews.services.information import answer_check


class ReviewApplicationPage(ApplicationPage):
    """One application as one person may see it, with its review tasks."""

    @property
    def is_overdue(self) -> bool:  # type: ignore[override]
        task = self.open_task
        return task is not None and self.now >= task.due_at

    @cached_property
    def tasks(self) -> list[ReviewTask]:
        given = ReviewDecision.objects.select_related("decided_by", "partner", "on_behalf_of")
        asked = InformationRequest.objects.select_related("asked_by", "on_behalf_of", "answered_by")
        return list(
            self.application.review_tasks.select_related("claimed_by")
            .order_by("opened_at", "id")
            .prefetch_related(
                Prefetch("decisions", queryset=given),
                Prefetch("information_requests", queryset=asked.order_by("number")),
            )
        )

    @cached_property
    def open_task(self) -> ReviewTask | None:
        return next((task for task in self.tasks if task.status == TaskStatus.OPEN), None)

    @cached_property
    def question(self) -> InformationRequest | None:
        """The question of the open task that waits for its answer."""
        if self.open_task is None:
            return None
        asked = self.open_task.information_requests.all()
        return next((request for request in asked if request.is_open), None)

    @cached_property
    def answered(self) -> InformationRequest | None:
        """The last question of the open task, if it has its answer."""
        asked = [] if self.open_task is None else list(self.open_task.information_requests.all())
        return asked[-1] if asked and asked[-1].is_answered else None

    @cached_property
    def answer_url(self) -> str:
        """The address at which this person answers the question; empty if they may not."""
        if self.question is None or self.open_task is None:
            return ""
        self.open_task.application = self.application
        self.question.task = self.open_task
        try:
            answer_check(request=self.question, user=self.user)
        except DomainError:
            return ""
        return information.answer_url(self.question, self.application)

    @property
    def answer_form(self) -> information.AnswerForm:
        return information.AnswerForm()

    @property
    def answering(self) -> str:
        """The people who are asked to answer the open question."""
        if self.question is None:
            return ""
        return information.answering(self.application, self.question.asked_by)

    @property
    def person_steps(self) -> dict[Step, PersonStep]:
        """By what was asked in this attempt, and what the policy and the assessment rule out."""
        policy, risk = self.application.policy, self.assessment
        asked = {task.kind for task in self.tasks if task.attempt == self.application.attempt}
        found = {}
        for row in ROWS:
            if not row.own_step:
                continue
            off = bool(row.required_by) and not getattr(policy, row.required_by, False)
            accepted = row.trigger is Trigger.REFERRED and risk and risk.outcome != Outcome.REFER
            found[row.step] = PersonStep(
                asked=row.kind in asked,
                ruled_out=off or bool(accepted),
                skipped_as="" if off else row.skipped_as,
            )
        return found

    @cached_property
    def _decision(self) -> tuple[bool, str, User | None]:
        """Return whether this person may decide now, the reason if not, and on whose behalf."""
        if self.open_task is None:
            return False, "", None
        try:
            right = decision_check(
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
    def why_not(self) -> str:
        return self._decision[1]

    @property
    def on_behalf_of(self) -> User | None:
        return self._decision[2]

    @property
    def claim(self) -> Claim | None:  # type: ignore[override]
        """The claim of the open task, while it stands."""
        task = self.open_task
        if task is None or not claim_stands(task, self.now):
            return None
        if task.claimed_by is None or task.claimed_at is None:
            return None
        return Claim(by=person_name(task.claimed_by), since=task.claimed_at)

    @cached_property
    def approvals(self) -> Approvals | None:
        """The approvals that the open task needs and has."""
        task = self.open_task
        return None if task is None else approvals_of(self.application, task)

    @property
    def why(self) -> str:
        """The reasons of the open task, or those of the application."""
        return super().why if self.open_task is None else reason_texts(self.open_task.reasons)

    def decided_by(self, outcome: Outcome) -> str:
        """`` Approved by manager and senior, ...``: what people said in this attempt, and why."""
        counted = [
            decision
            for task in self.tasks
            if task.attempt == self.application.attempt and task.kind in STAFF_KINDS
            for decision in task.decisions.all()
            if decision.outcome == outcome
            and not decision.late
            and decision.voided_at is None
            and decision.decided_by is not None
        ]
        if not counted:
            return ""
        who = " and ".join(map(_who_decided, counted))
        reasons = " ".join(f"“{decision.reason}”" for decision in counted if decision.reason)
        did = "Approved" if outcome == Outcome.APPROVE else "Declined"
        return f" {did} by {who}{f': {reasons}' if reasons else '.'}"

    def reasoned(self) -> list[Any]:
        """The tasks come before the assessment."""
        return [*self.tasks, *super().reasoned()]

    def notices(self) -> list[str]:
        return [*([self.why_not] if self.why_not else []), *super().notices()]

    def buttons(self) -> list[Button]:
        return [*self._decision_buttons(), *self._claim_button(), *super().buttons()]

    def _decision_buttons(self) -> list[Button]:
        if self.open_task is None or not self.may_decide:
            return []
        row = REVIEW_KINDS[TaskKind(self.open_task.kind)]
        words = row.words
        found = [
            Button(
                key=outcome.value,
                label=words[outcome],
                url=reverse(
                    "admin:applications_loanapplication_decide",
                    args=[self.application.pk, self.open_task.pk, outcome.value],
                ),
                tone="good" if outcome == Outcome.APPROVE else "bad",
            )
            for outcome in (Outcome.APPROVE, Outcome.DECLINE)
        ]
        if row.decided_by_staff and self.question is None:
            url = information.send_back_url(self.open_task)
            found.append(Button(key="send-back", label=information.SendBack.label, url=url))
        return found

    def _claim_button(self) -> list[Button]:
        task = self.open_task
        if task is None:
            return []
        what = claims.available_claim(task, self.user, may_decide=self.may_decide)
        if not what:
            return []
        url = reverse(
            f"admin:applications_loanapplication_{what}", args=[self.application.pk, task.pk]
        )
        return [Button(key=what, label=claims.LABELS[what], url=url, tone="quiet", posts=True)]

    def panels(self) -> list[Panel]:
        shown = super().panels()
        panel = Panel("reviews", "Reviews", "reviews/admin/panels/reviews.html", self.tasks)
        if self.tasks:
            shown.insert(1 if shown[0].key == "decision" else 0, panel)
        else:  # says who would be asked, behind what is known
            shown.insert(len(shown) - 1, panel)
        return shown


class ReviewChangeList(ApplicationChangeList):
    """Loads which of the applications of the shown page that wait were sent back."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        waiting = [row.pk for row in self.result_list if row.waiting_on]
        tasks = ReviewTask.objects.filter(application__in=waiting, sent_back_at__isnull=False)
        found = set(tasks.order_by().values_list("application", flat=True)) if waiting else set()
        for row in self.result_list:
            vars(row)["is_sent_back"] = row.pk in found


class ReviewApplicationAdmin(BulkDecisionListAdmin, LoanApplicationAdmin):
    """The application's admin with its review tasks."""

    changelist_class = ReviewChangeList
    page_class = ReviewApplicationPage
    list_filter = (*LoanApplicationAdmin.list_filter, SentBack, AskedAgain)

    @admin.display(description="Waiting on", empty_value="", ordering="waiting_until")
    def waiting(self, application: LoanApplication) -> str:
        """Whom it waits for, and whether that is until a loan officer has answered."""
        shown = super().waiting(application)
        if not vars(application).get("is_sent_back"):
            return shown
        return format_html("{} {}", shown, badge("Sent back", "wait"))

    def row_state(self, row: LoanApplication) -> tuple[object, ...]:
        return (*super().row_state(row), vars(row).get("is_sent_back"))

    def application_fingerprint(
        self, application: LoanApplication, request: HttpRequest, now: datetime
    ) -> list[object]:
        """Add tasks, claims in force and late decisions."""
        tasks = ReviewTask.objects.filter(application=application).order_by("pk")
        late = Count("decisions", filter=Q(decisions__late=True))
        return [
            *super().application_fingerprint(application, request, now),
            [
                (
                    task.pk,
                    task.claimed_by_id,
                    claim_stands(task, now),
                    getattr(task, "late", 0),
                    task.undecidable_since,
                )
                for task in tasks.annotate(late=late)
            ],
        ]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "applications_loanapplication_%s"
        return [
            path(
                "<int:pk>/decide/<int:task_pk>/<str:outcome>/",
                wrap(decisions.decide_view),
                {"model_admin": self},
                name=name % "decide",
            ),
            *(
                path(
                    f"<int:pk>/tasks/<int:task_pk>/{what}/",
                    wrap(claims.claim_view),
                    {"model_admin": self, "what": what},
                    name=name % what,
                )
                for what in claims.LABELS
            ),
            *(action.url_pattern(self) for action in information.ACTIONS),
            *super().get_urls(),
        ]


def _who_decided(decision: ReviewDecision) -> str:
    """``manager2 on behalf of senior``."""
    people = (decision.decided_by, decision.on_behalf_of)
    return " on behalf of ".join(person_name(person) for person in people if person is not None)
