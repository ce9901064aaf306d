"""Lead from the page of an act that two people have to do to its proposal."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts import proposals
from accounts.models import Proposal
from core.admin.display import person_name
from core.admin.row_actions import Button, row_url


def leave_to_proposal(
    model_admin: "ModelAdmin[Any]", request: HttpRequest, proposal: Proposal
) -> HttpResponse:
    """Go to the page of a proposal that was just made, and say who may confirm it."""
    names = [person_name(person) for person in proposals.confirmers_of_proposal(proposal)]
    waits = f"It waits for {waits_for(names)}" if names else "Nobody else may confirm it"
    model_admin.message_user(request, f"Proposed: {proposal.title}. {waits}.", messages.SUCCESS)
    return HttpResponseRedirect(row_url(proposal))


def waits_for(names: Sequence[str]) -> str:
    """Return whom a proposal waits for, after the words "waits for"."""
    return names[0] if len(names) == 1 else f"one of: {', '.join(names)}"


def proposal_button(proposal: Proposal | None, user: User) -> list[Button]:
    """The button that leads to an open proposal; none without one, or who may not see it."""
    if proposal is None or not user.has_perm("accounts.view_proposal"):
        return []
    url = row_url(proposal)
    return [Button("proposal", "Show the open proposal", url, tone="wait", acts=False)]
