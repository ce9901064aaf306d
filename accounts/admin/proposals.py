"""Proposals in the admin: the list, the page of one, and the actions that close it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString

from accounts import proposals
from accounts.admin.proposing import waits_for
from accounts.models import Proposal
from core.admin.base import ReadOnlyPageAdmin, staff
from core.admin.display import badge, person_name
from core.admin.row_actions import Button, RowAction, RowActionsAdmin, row_url, secret_page
from core.errors import DomainError, InvalidFields

Status = Proposal.Status
TONES = {
    Status.OPEN: "wait",
    Status.CONFIRMED: "good",
    Status.REJECTED: "bad",
    Status.WITHDRAWN: "quiet",
    Status.VOID: "quiet",
}


class ProposalPage:
    """One proposal as one person may see it."""

    def __init__(self, proposal: Proposal, user: User) -> None:
        self.proposal = proposal
        self.user = user

    @property
    def badge(self) -> SafeString:
        return status_badge(self.proposal)

    @property
    def kind(self) -> str:
        return proposals.kind_of(self.proposal).label

    @property
    def proposer(self) -> str:
        return proposals.proposer_name(self.proposal)

    @property
    def is_open(self) -> bool:
        return self.proposal.status == Status.OPEN

    @property
    def has_before(self) -> bool:
        """Tell whether there is a value before for any row."""
        return any(before for _, before, _ in self.proposal.rows)

    @cached_property
    def void_reason(self) -> str:
        """The reason why nobody can confirm it any more."""
        return proposals.void_reason(self.proposal) if self.is_open else ""

    @cached_property
    def confirmers(self) -> list[str]:
        """The names of whoever may confirm it; empty when nobody may."""
        if not self.is_open:
            return []
        return [person_name(person) for person in proposals.confirmers_of_proposal(self.proposal)]

    @property
    def waits_for(self) -> str:
        return waits_for(self.confirmers)

    @cached_property
    def obstacle(self) -> str:
        """The reason why nobody, or this person, may confirm it now."""
        if not self.is_open:
            return ""
        if reason := self.void_reason:
            return f"{reason} It cannot be confirmed any more: reject or withdraw it."
        try:
            proposals.confirm_check(proposal=self.proposal, user=self.user)
        except DomainError as refused:
            return str(refused)
        return ""

    @property
    def target_url(self) -> str:
        """The page of what it is about, for whoever may see that."""
        if not self.proposal.object_kind:
            return ""
        label, _, model = self.proposal.object_kind.partition(".")
        if not self.user.has_perm(f"{label}.view_{model}"):
            return ""
        try:
            return reverse(f"admin:{label}_{model}_change", args=[self.proposal.object_id])
        except NoReverseMatch:
            return ""

    @property
    def target_name(self) -> str:
        """Return what kind of thing it is about, in words."""
        return str(apps.get_model(self.proposal.object_kind)._meta.verbose_name)

    def buttons(self) -> list[Button]:
        actions = (ConfirmProposal, RejectProposal, WithdrawProposal)
        return [
            button for action in actions for button in action.button_for(self.proposal, self.user)
        ]


def status_badge(proposal: Proposal) -> SafeString:
    return badge(proposal.get_status_display(), TONES[Status(proposal.status)])


class RejectForm(forms.Form):
    note = forms.CharField(
        label="Reason",
        help_text="The proposer reads it; it is kept in the log.",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class ProposalAction(RowAction[Proposal]):
    """An action on a proposal, whose page shows the proposal itself."""

    template_name = "accounts/admin/proposal_action.html"

    def title(self) -> str:
        return f"{self.label}: {self.row.title}"

    def shown(self) -> dict[str, Any]:
        return {"shown": ProposalPage(self.row, self.user), "proposal": self.row}

    def refuse(self, refused: DomainError) -> HttpResponse:
        """Return to the proposal, which a refusal may have closed."""
        if isinstance(refused, InvalidFields):
            sentences = [text for found in refused.errors.values() for text in found]
            self.form.add_error(None, " ".join(sentences))
            return self.ask(status=refused.http_status)
        return super().refuse(refused)


class ConfirmProposal(ProposalAction):
    """Do what another person proposed."""

    name = "confirm"
    label = "Confirm"

    def check(self) -> None:
        proposals.confirm_check(proposal=self.row, user=self.user)

    def is_offered(self) -> bool:
        return super().is_offered() and not proposals.void_reason(self.row)

    def explanation(self) -> str:
        if proposals.confirm_check(proposal=self.row, user=self.user):
            return (
                "You do this alone: LOANOFFICE_SINGLE_ADMIN is set, and the audit log says so. It "
                "is done at once."
            )
        return (
            f"{proposals.proposer_name(self.row)} proposed exactly this, and your confirmation "
            "does it at once. Both of you are on record."
        )

    @contextmanager
    def around(self) -> Iterator[None]:
        self.prepared = proposals.confirmation_prepare(proposal=self.row, user=self.user)
        yield

    def act(self) -> str | HttpResponse:
        confirmation = proposals.proposal_confirm(
            proposal=self.row, user=self.user, prepared=self.prepared
        )
        outcome = confirmation.outcome
        if not outcome.secret:
            return outcome.sentence
        return secret_page(
            self,
            title=outcome.sentence.rstrip("."),
            secret=outcome.secret,
            value_name=outcome.value_name,
            element_id="issued-secret",
            back=row_url(self.row),
            back_label="Back to the proposal",
        )


class RejectProposal(ProposalAction):
    """Close a proposal of another person; nothing is done."""

    name = "reject"
    label = "Reject"
    tone = "bad"
    sentence = "It is closed and nothing is done. Whoever proposed it is told."
    form_class = RejectForm

    def check(self) -> None:
        proposals.reject_check(proposal=self.row, user=self.user)

    def act(self) -> str:
        proposals.proposal_reject(proposal=self.row, user=self.user, note=self.typed["note"])
        return f"Rejected: {self.row.title}."


class WithdrawProposal(ProposalAction):
    """Close one's own proposal; nothing is done."""

    name = "withdraw"
    label = "Withdraw"
    tone = "quiet"
    sentence = "It is closed and nothing is done."

    def check(self) -> None:
        proposals.withdraw_check(proposal=self.row, user=self.user)

    def act(self) -> str:
        proposals.proposal_withdraw(proposal=self.row, user=self.user)
        return f"Withdrawn: {self.row.title}."


class WaitingOnMe(admin.SimpleListFilter):
    """Filter by what the person who looks may confirm."""

    title = "waiting on me"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open, and mine to confirm")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> QuerySet[Proposal]:
        if self.value() != "yes":
            return queryset
        waiting = proposals.proposals_waiting_on(staff(request))
        return queryset.filter(pk__in=[each.pk for each in waiting])


class ProposalAdmin(RowActionsAdmin[Proposal], ReadOnlyPageAdmin[Proposal]):
    """The proposals, the newest first; the tile of the front page leads to one's own to confirm."""

    list_display = (
        "title",
        "status_shown",
        "proposer",
        "proposed_at",
        "decided_by",
        "decided_at",
    )
    list_filter = (WaitingOnMe, "status")
    list_select_related = ("proposed_by", "decided_by")
    sortable_by = ()
    empty_list_text = (
        "What one person proposes and another has to confirm waits here: publishing a lending "
        "policy, settling a payout of unknown outcome, partner keys that may write."
    )
    page_template = "accounts/admin/proposal.html"
    row_actions = (ConfirmProposal, RejectProposal, WithdrawProposal)

    @admin.display(description="Status")
    def status_shown(self, proposal: Proposal) -> SafeString:
        return status_badge(proposal)

    @admin.display(description="Proposed by")
    def proposer(self, proposal: Proposal) -> str:
        return proposals.proposer_name(proposal)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Proposals", **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Proposal]:
        return super().get_queryset(request).select_related("proposed_by", "decided_by")

    def page_context(self, request: HttpRequest, row: Proposal) -> dict[str, Any]:
        shown = ProposalPage(row, staff(request))
        return {"title": row.title, "shown": shown, "buttons": shown.buttons(), "proposal": row}
