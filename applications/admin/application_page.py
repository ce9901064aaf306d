"""Read what the page of one submitted application shows.

An ``ApplicationPage`` lives for one request. Everything it shows is also covered by
``application_fingerprint``, so that a poll finds out in a few small queries that nothing
changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from applications.admin.contact_reveal import contact_context, contact_rows, is_shown
from applications.admin.display import TONES
from applications.admin.documents import Upload
from applications.admin.forms import NoteForm
from applications.admin.notes import AddNote, NotesOfPage
from applications.admin.step_indicator import PersonStep, StepShown, steps_shown
from applications.admin.withdrawal import Withdraw
from applications.choices import BUREAU_ATTEMPTS, Status, Step
from applications.models import (
    ApplicationEvent,
    Disbursement,
    Document,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.selectors import similar_applications
from applications.services import access_log
from applications.services.intake import editable_fields
from applications.transitions import is_terminal
from core.admin.base import NoDeleteAdmin, staff
from core.admin.polling import etag_of
from core.admin.row_actions import Button
from core.errors import NotPermitted
from lending.choices import Outcome

RELATED = ("partner", "policy", "created_by", "submitted_by", "last_edited_by")


@dataclass(frozen=True)
class Panel:
    """One block of the page: ``template`` renders ``rows``."""

    key: str
    title: str
    template: str
    rows: object


@dataclass(frozen=True)
class MissingReport:
    """A bureau that did not answer in one attempt of the workflow."""

    bureau: str
    attempt: int
    tries: int = BUREAU_ATTEMPTS


@dataclass(frozen=True)
class Claim:
    """The claim of the open review task: its owner, and since when."""

    by: str
    since: datetime


class ApplicationPage(NotesOfPage):
    """One application as one person may see it. The apps above add to it by a subclass."""

    # Set by the subclass of ``reviews``; the template reads them on every page.
    is_overdue = False
    claim: Claim | None = None

    def __init__(
        self, application: LoanApplication, user: User, *, income_shown: bool = False
    ) -> None:
        self.application = application
        self.user = user
        self.income_shown = income_shown
        self.now = timezone.now()

    @property
    def question(self) -> object | None:
        """The question that waits for an answer; ``reviews`` reads it."""
        return None

    @property
    def answered(self) -> object | None:
        """The last question, if it has its answer and the decision waits; ``reviews`` reads it."""
        return None

    @property
    def fraud_answers(self) -> Sequence[object]:
        """The answers of the fraud check; ``workflows`` reads them."""
        return ()

    @property
    def status(self) -> Status:
        return Status(self.application.status)

    @property
    def tone(self) -> str:
        return TONES[self.status]

    @property
    def is_live(self) -> bool:
        """Tell whether the application may still change without anybody editing it."""
        return is_live(self.application)

    @cached_property
    def assessments(self) -> list[RiskAssessment]:
        return list(self.application.risk_assessments.select_related("policy"))

    @cached_property
    def assessment(self) -> RiskAssessment | None:
        """The assessment of the current attempt."""
        now = [a for a in self.assessments if a.attempt == self.application.attempt]
        return now[0] if now else None

    @cached_property
    def similar(self) -> list[LoanApplication]:
        """Other applications that may ask the same; nothing is refused because of them."""
        return similar_applications([self.application]).get(self.application.pk, [])

    @cached_property
    def events(self) -> list[ApplicationEvent]:
        return list(self.application.events.select_related("actor", "partner"))

    @property
    def _attempt_events(self) -> list[ApplicationEvent]:
        """The timeline since the last restart, which begins an attempt anew."""
        starts = [at for at, row in enumerate(self.events) if row.kind == "restarted"]
        return self.events[starts[-1] :] if starts else self.events

    @property
    def steps(self) -> list[StepShown]:
        return list(
            steps_shown(
                status=self.application.status,
                current_step=self.application.current_step,
                recorded=[row.step for row in self._attempt_events],
                person_steps=self.person_steps,
                incomplete=self._incomplete,
            )
        )

    @property
    def _incomplete(self) -> dict[Step, str]:
        """The steps of the current attempt that went on without something, and without what."""
        missing = self.assessment.missing_labels if self.assessment else []
        return {Step.CREDIT_CHECK: f"without {', '.join(missing)}"} if missing else {}

    @property
    def person_steps(self) -> dict[Step, PersonStep]:
        """The steps at which people are asked; the app that asks them knows."""
        return {}

    @property
    def why(self) -> str:
        """Explain the application's status in a sentence or two; empty if nothing says so."""
        if self.status == Status.DECLINED:
            reasons = reason_texts(self.application.decision_reasons)
            by = self.decided_by(Outcome.DECLINE)
            for quoted in re.findall("“(.+?)”", by):  # what the applicant reads holds it as well
                reasons = reasons.replace(quoted, "").strip()
            return reasons + by
        if self.status in {Status.APPROVED, Status.FUNDED}:
            return self._approved()
        if self.status == Status.WITHDRAWN:
            withdrawal = next(
                (row for row in reversed(self.events) if row.kind == "withdrawn"), None
            )
            return str(withdrawal.data.get("reason", "")) if withdrawal is not None else ""
        if self.status == Status.EXPIRED:
            return "Nobody decided in time; the end of the time to decide never approves."
        return ""

    def _approved(self) -> str:
        risk, by = self.assessment, self.decided_by(Outcome.APPROVE).strip()
        graded = "" if risk is None else f"{risk.get_tier_display()} at {risk.annual_rate} %"
        if by:
            return f"{graded}. {by}" if graded else by
        return f"{graded}, within {risk.policy}; nobody had to be asked." if risk else ""

    def decided_by(self, outcome: Outcome) -> str:
        """`` Approved by manager and senior, ...``; empty where nobody had to decide."""
        return ""

    def reasoned(self) -> list[Any]:
        """Return the rows with reasons, in the order of the page."""
        return list(self.assessments)

    def mark_unsaid_reasons(self) -> None:
        """Give each of those rows, and the application, the reasons that the page still has to say.

        The same reason comes from the assessment to the task and to the decision. It is said where
        it is read first: at the top of the page, else in the first of these panels.
        """
        application = self.application
        said = {application.attempt: self.why}
        vars(application)["unsaid"] = self._unsaid(application.decision_reasons, said)
        for row in self.reasoned():
            vars(row)["unsaid"] = self._unsaid(row.reasons, said, row.attempt)

    def _unsaid(
        self, reasons: list[dict[str, str]], said: dict[int, str], attempt: int | None = None
    ) -> list[dict[str, str]]:
        """Return the reasons that were not said about this attempt yet, and note them as said."""
        key = self.application.attempt if attempt is None else attempt
        text = said.get(key, "")
        found = [row for row in reasons if not all(part in text for part in sentences(row["text"]))]
        said[key] = f"{text} {reason_texts(found)}"
        return found

    @cached_property
    def may_upload(self) -> bool:
        return bool(Upload.button_for(self.application, self.user))

    @cached_property
    def may_download(self) -> bool:
        try:
            access_log.download_check(user=self.user)
        except NotPermitted:
            return False
        return True

    def notices(self) -> list[str]:
        """Return the sentences at the top of the page."""
        return []

    def buttons(self) -> list[Button]:
        return Withdraw.button_for(self.application, self.user, tone="quiet")

    def log_links(self) -> list[tuple[str, str]]:
        """Return label and address of the pages with more detail than the log."""
        return []

    def panels(self) -> list[Panel]:
        """Return the blocks that are not empty, in the order of the workflow, and the documents."""
        shown: dict[str, tuple[str, object]] = {
            "decision": ("Decision", self.application.decided_at),
            "risk": ("Risk assessment", self.assessments),
            "credit": ("Credit reports", self._credit()),
            "offer": ("Offer", self.offers),
            "disbursement": ("Disbursement", self.disbursement),
            "documents": ("Documents", self.documents),
        }
        return [
            Panel(
                key=key,
                title=title,
                template=f"applications/admin/panels/{key}.html",
                rows=rows,
            )
            for key, (title, rows) in shown.items()
            if rows or key == "documents"
        ]

    def _credit(self) -> dict[str, Any]:
        """Return the reports and the bureaus that did not answer; empty without any."""
        reports = list(self.application.credit_reports.all())
        missing = [
            MissingReport(bureau=label, attempt=assessment.attempt)
            for assessment in self.assessments
            for label in assessment.missing_labels
        ]
        return {"reports": reports, "missing": missing} if reports or missing else {}

    @cached_property
    def offers(self) -> list[LoanOffer]:
        return list(self.application.offers.prefetch_related("instalments"))

    @cached_property
    def documents(self) -> list[Document]:
        return list(self.application.documents.select_related("partner", "uploaded_by"))

    @cached_property
    def disbursement(self) -> Disbursement | None:
        return Disbursement.objects.filter(application=self.application).first()


class ApplicationPageAdmin(NoDeleteAdmin[LoanApplication]):
    """The admin that renders the page; the apps above set their own ``page_class``."""

    page_class: type[ApplicationPage] = ApplicationPage

    def page_of(self, request: HttpRequest, application: LoanApplication) -> ApplicationPage:
        return self.page_class(
            application, staff(request), income_shown=is_shown(request, application)
        )

    def application_context(self, request: HttpRequest, page: ApplicationPage) -> dict[str, Any]:
        """Return the context of ``applications/admin/application_page.html``."""
        application = page.application
        page.mark_unsaid_reasons()
        may_note = AddNote.button_for(application, page.user)
        return {
            **contact_context(request, application),
            "contact": contact_rows(request, application),
            "can_change_contact": page.income_shown
            and self.has_change_permission(request, application)
            and bool(editable_fields(status=application.status)),
            "page": page,
            "original": application,
            "buttons": page.buttons(),
            "panels": page.panels(),
            "note_form": NoteForm() if may_note else None,
            "notices": page.notices(),
        }

    def live_etag(self, application: LoanApplication, request: HttpRequest) -> str:
        """Return the ETag that the page begins to poll with; empty where it does not poll."""
        if not is_live(application):
            return ""
        return etag_of(self.application_fingerprint(application, request, timezone.now()))

    def application_fingerprint(
        self, application: LoanApplication, request: HttpRequest, now: datetime
    ) -> list[object]:
        """Return values that differ whenever the page would look different to this person."""
        user = staff(request)
        events = ApplicationEvent.objects.filter(application=application)
        until = application.waiting_until
        return [
            user.pk,
            sorted(user.get_all_permissions()),
            is_shown(request, application),
            application.updated_at,
            application.version,
            events.aggregate(last=Max("pk"))["last"],
            until is not None and now >= until,
        ]


def is_live(application: LoanApplication) -> bool:
    return application.status != Status.DRAFT and not is_terminal(application.status)


def sentences(text: str) -> list[str]:
    """Split a reason into its sentences, without the points at their ends."""
    return [part.strip().removesuffix(".") for part in text.split(". ")]


def reason_texts(reasons: list[dict[str, str]]) -> str:
    return " ".join(reason["text"] for reason in reasons)
