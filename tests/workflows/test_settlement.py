"""A payout of unknown outcome is settled by two people, on what the rail says at both times."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts import proposals
from accounts.errors import OwnProposal, ProposalClosed, ProposalVoid, ProposedAlready
from accounts.models import Proposal
from accounts.proposal_kinds import Confirmed
from accounts.roles import Role
from applications.models import Disbursement, LoanApplication
from core.errors import DomainError, NotPermitted
from tests.hard_cases.together import together
from tests.workflows import trouble
from workflows import operations as ops
from workflows.errors import PayoutFound, RailUnreachable
from workflows.models import OutboxMessage, SimulatedPayout
from workflows.proposals import settlement_propose

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unknown(officer: User) -> LoanApplication:
    return trouble.payout_unknown(officer).application


@pytest.fixture
def propose(unknown: LoanApplication, operations: User) -> Callable[..., Proposal]:
    return partial(settlement_propose, reference=unknown.reference, user=operations)


def book(application: LoanApplication, reference: str) -> None:
    """The rail says from now on that it paid."""
    SimulatedPayout.objects.create(
        idempotency_key=f"payout-{application.reference}",
        reference=reference,
        amount=application.loan_amount,
        currency=application.currency,
    )


def ledger() -> str:
    return str(Disbursement.objects.get().status)


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.name)
def test_operations_or_a_senior_manager_confirms_and_nobody_else(
    propose: Callable[..., Proposal], make_user: Callable[..., User], role: Role
) -> None:
    proposal = propose(paid=True, rail_reference="R-1")
    other = make_user("other", role)

    if role in {Role.OPERATIONS, Role.SENIOR_MANAGER}:
        proposals.proposal_confirm(proposal=proposal, user=other)
        assert ledger() == "paid"
    else:
        with pytest.raises(NotPermitted):
            proposals.proposal_confirm(proposal=proposal, user=other)
        assert ledger() == "unknown"


def test_no_setting_lets_one_person_settle(
    propose: Callable[..., Proposal],
    unknown: LoanApplication,
    operations: User,
    senior: User,
    settings: Any,
) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True
    proposal = propose(paid=True, rail_reference="R-1")
    with pytest.raises(OwnProposal):
        proposals.proposal_confirm(proposal=proposal, user=operations)
    for given in (
        Confirmed(proposer=operations, confirmer=operations, alone=True),
        Confirmed(proposer=None, confirmer=senior, alone=False),
    ):
        with pytest.raises(NotPermitted, match="one alone cannot"):
            ops.payout_settle(
                reference=unknown.reference, confirmed=given, paid=True, rail_reference="R", note=""
            )
    assert ledger() == "unknown"


def test_rail_that_paid_meanwhile_refuses_not_paid_and_another_reference(
    propose: Callable[..., Proposal], unknown: LoanApplication, operations: User, senior: User
) -> None:
    proposal = propose(paid=False)
    book(unknown, "PAY-9")
    with pytest.raises(PayoutFound, match="PAY-9"):
        proposals.proposal_confirm(proposal=proposal, user=senior)
    proposals.proposal_withdraw(proposal=proposal, user=operations)
    assert ledger() == "unknown"

    SimulatedPayout.objects.all().delete()
    proposal = propose(paid=True, rail_reference="typed")
    book(unknown, "PAY-9")
    with pytest.raises(PayoutFound, match="PAY-9"):
        proposals.proposal_confirm(proposal=proposal, user=senior)
    assert ledger() == "unknown"
    proposals.proposal_reject(proposal=proposal, user=senior, note="The rail says PAY-9.")

    proposals.proposal_confirm(proposal=propose(paid=True), user=senior)
    assert Disbursement.objects.get().rail_reference == "PAY-9"


def test_rail_that_cannot_be_asked_at_the_confirmation_leaves_not_paid_open(
    propose: Callable[..., Proposal], senior: User, settings: Any
) -> None:
    proposal = propose(paid=False)
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": "http://127.0.0.1:9", "token": "t"},
    }
    with pytest.raises(RailUnreachable):
        proposals.proposal_confirm(proposal=proposal, user=senior)
    proposal.refresh_from_db()
    assert (proposal.status, ledger()) == ("open", "unknown")


def test_payout_that_was_settled_otherwise_voids_the_proposal(
    propose: Callable[..., Proposal], senior: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens between the rail's answer and the lock."""
    proposal = propose(paid=False)
    ask = ops.payout_ask

    def settled_meanwhile(**given: Any) -> str | None:
        found = ask(**given)
        Disbursement.objects.update(status="paid", funded_at=timezone.now())
        return found

    monkeypatch.setattr(ops, "payout_ask", settled_meanwhile)
    with pytest.raises(ProposalVoid, match="The payout or the application has changed since"):
        proposals.proposal_confirm(proposal=proposal, user=senior)
    assert ledger() == "paid"


def test_contradicting_proposals_are_not_open_together(
    propose: Callable[..., Proposal], make_user: Callable[..., User]
) -> None:
    proposal = propose(paid=False)
    second = make_user("operations2", Role.OPERATIONS)
    with pytest.raises(ProposedAlready, match="operations proposed something about this already"):
        propose(paid=True, rail_reference="R", user=second)
    assert Proposal.objects.get() == proposal


@pytest.mark.both_databases
def test_confirmations_at_the_same_moment_settle_once(
    propose: Callable[..., Proposal],
    unknown: LoanApplication,
    senior: User,
    make_user: Callable[..., User],
) -> None:
    proposal = propose(paid=True, rail_reference="R-1")
    others = [senior, *(make_user(f"other{number}", Role.OPERATIONS) for number in range(3))]

    found = together(
        [partial(proposals.proposal_confirm, proposal=proposal, user=user) for user in others]
    )

    assert sum(isinstance(each, proposals.Confirmation) for each in found) == 1
    refused = [each for each in found if isinstance(each, DomainError)]
    assert len(refused) == 3
    assert not [each for each in refused if isinstance(each, ProposalVoid)]
    assert OutboxMessage.objects.filter(key=f"closed/{unknown.reference}-1").count() == 1
    with pytest.raises(ProposalClosed):
        proposals.proposal_confirm(proposal=proposal, user=senior)
