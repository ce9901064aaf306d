"""One proposes, another confirms, once: what is refused, what voids, and what is on record."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import IntegrityError, transaction

from accounts import proposals
from accounts.errors import OwnProposal, ProposalClosed, ProposalVoid, ProposedAlready
from accounts.models import Proposal
from accounts.proposal_kinds import ProposalKind, register
from accounts.roles import Role
from audit.models import Action, AuditEntry
from core.errors import DomainError, NotPermitted
from tests.accounts.renaming import PARTS, propose
from tests.casework import letters_at_once
from tests.hard_cases.together import together
from workflows.models import OutboxMessage
from workflows.outbox import queue

BESIDE = pytest.mark.django_db(transaction=True)
WITH = pytest.mark.django_db


def name_of(person: User) -> str:
    return str(User.objects.get(pk=person.pk).first_name)


def entry(action: Action) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


# --- Proposing --------------------------------------------------------------------------


@WITH
def test_proposal_stores_what_would_be_done_and_does_nothing(
    proposal: Proposal, maker: User, checker: User, subject: User
) -> None:
    assert name_of(subject) == ""
    assert (proposal.status, proposal.title) == ("open", "Rename somebody")
    assert proposal.rows == [["First name", "", "Ada"]]
    assert (proposal.object_kind, proposal.object_id) == ("auth.user", str(subject.pk))
    found = entry(Action.PROPOSED)
    assert (found.actor, found.message) == (maker, "Proposed: Rename somebody.")
    assert found.changes == {"First name": ["", "Ada"]}
    assert found.details == {
        "kind": "tests.rename",
        "proposed_by": "maker",
        "note": "They married.",
    }


@WITH
def test_who_may_confirm_is_told_by_mail_and_the_proposer_how_it_ended(
    proposal: Proposal, maker: User, checker: User
) -> None:
    letters_at_once()
    OutboxMessage.objects.filter(kind=OutboxMessage.Kind.EMAIL).get()
    queue.send_due()
    queue.send_due()
    (letter,) = mail.outbox
    assert letter.to == ["checker@example.com"]
    assert letter.subject == "To confirm: Rename somebody"
    assert f"/admin/accounts/proposal/{proposal.pk}/change/" in str(letter.body)
    assert "Ada" not in str(OutboxMessage.objects.values_list("payload", flat=True))

    mail.outbox.clear()
    proposals.proposal_confirm(proposal=proposal, user=checker)
    queue.send_due()
    queue.send_due()
    (letter,) = mail.outbox
    assert letter.to == ["maker@example.com"]
    assert letter.subject == "Confirmed: Rename somebody"
    assert "By checker. They are called Ada." in str(letter.body)


@WITH
def test_form_that_is_sent_twice_proposes_once(
    kind: ProposalKind, proposal: Proposal, maker: User, subject: User
) -> None:
    assert propose(kind, maker, subject) == proposal
    assert AuditEntry.objects.filter(action=Action.PROPOSED).count() == 1


@WITH
def test_another_proposal_about_the_same_is_refused_while_one_is_open(
    kind: ProposalKind, proposal: Proposal, checker: User, maker: User, subject: User
) -> None:
    for user, name in ((checker, "Ada"), (checker, "Grace"), (maker, "Grace")):
        with pytest.raises(ProposedAlready, match="maker proposed something about this already"):
            propose(kind, user, subject, name)


@WITH
def test_open_proposal_that_no_longer_holds_makes_way(
    kind: ProposalKind, proposal: Proposal, checker: User, subject: User
) -> None:
    User.objects.filter(pk=subject.pk).update(first_name="Grace")

    newer = propose(kind, checker, subject)

    proposal.refresh_from_db()
    assert (proposal.status, newer.status) == ("void", "open")
    assert proposal.result == "The name in force has changed since it was proposed."
    assert entry(Action.REJECTED).details["proposed_by"] == "maker"


@WITH
def test_who_may_not_propose_is_refused(kind: ProposalKind, officer: User, subject: User) -> None:
    with pytest.raises(NotPermitted):
        propose(kind, officer, subject)
    assert not Proposal.objects.exists()


# --- Confirming -------------------------------------------------------------------------


@WITH
def test_confirmation_does_it_and_names_both(
    proposal: Proposal, maker: User, checker: User, subject: User
) -> None:
    confirmation = proposals.proposal_confirm(proposal=proposal, user=checker)

    assert name_of(subject) == "Ada"
    assert confirmation.outcome.secret == "whispered"
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by) == ("confirmed", checker)
    assert (proposal.result, proposal.confirmed_alone) == ("They are called Ada.", False)
    found = entry(Action.CONFIRMED)
    assert found.actor == checker
    assert found.message == (
        "Confirmed: Rename somebody, which maker had proposed. They are called Ada."
    )
    assert found.details["proposed_by"] == "maker"
    assert found.details["decided_by"] == "checker"
    assert found.changes == {"First name": ["", "Ada"]}
    stored = [*Proposal.objects.values_list(), *AuditEntry.objects.values_list()]
    assert "whispered" not in str(stored)


@WITH
def test_proposer_does_not_confirm(proposal: Proposal, maker: User, subject: User) -> None:
    with pytest.raises(OwnProposal, match="You proposed it yourself: another person"):
        proposals.proposal_confirm(proposal=proposal, user=maker)
    assert name_of(subject) == ""


@WITH
@pytest.mark.parametrize("alone", [False, True])
def test_setting_lets_one_person_do_both_for_kinds_that_allow_it_only(
    kind: ProposalKind, maker: User, subject: User, settings: Any, alone: bool
) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True
    other = register(ProposalKind(**PARTS | {"name": "tests.alone", "may_confirm_alone": alone}))
    proposal = propose(other, maker, subject)

    if not alone:
        with pytest.raises(OwnProposal):
            proposals.proposal_confirm(proposal=proposal, user=maker)
        return
    proposals.proposal_confirm(proposal=proposal, user=maker)

    proposal.refresh_from_db()
    assert proposal.confirmed_alone
    found = entry(Action.CONFIRMED)
    assert "One person did both, as LOANOFFICE_SINGLE_ADMIN allows." in found.message
    assert found.details["alone"] == "LOANOFFICE_SINGLE_ADMIN"


@WITH
def test_whom_it_is_about_does_not_confirm(
    kind: ProposalKind, maker: User, checker: User, subject: User
) -> None:
    about = register(
        ProposalKind(
            **PARTS | {"name": "tests.about", "about": lambda given: frozenset({given["person"]})}
        )
    )
    proposal = propose(about, maker, checker)

    with pytest.raises(OwnProposal, match="It is about you"):
        proposals.proposal_confirm(proposal=proposal, user=checker)
    assert proposals.confirmers_of_proposal(proposal) == []


@WITH
def test_proposal_of_the_host_is_confirmed_by_any_person_with_the_right(
    kind: ProposalKind, checker: User, subject: User
) -> None:
    proposal = propose(kind, None, subject)

    proposals.proposal_confirm(proposal=proposal, user=checker)

    assert name_of(subject) == "Ada"
    assert entry(Action.CONFIRMED).details["proposed_by"] == "the host"


@WITH
def test_who_may_not_confirm_is_refused(proposal: Proposal, officer: User, subject: User) -> None:
    with pytest.raises(NotPermitted):
        proposals.proposal_confirm(proposal=proposal, user=officer)
    assert name_of(subject) == ""


@WITH
def test_second_confirmation_gets_the_first_result(
    proposal: Proposal, checker: User, make_user: Callable[..., User]
) -> None:
    proposals.proposal_confirm(proposal=proposal, user=checker)
    third = make_user("third", Role.POLICY_OWNER)

    for user in (checker, third):
        with pytest.raises(ProposalClosed, match=r"confirmed by checker at .* called Ada"):
            proposals.proposal_confirm(proposal=proposal, user=user)


@WITH
def test_what_changed_since_voids_it_on_record(
    proposal: Proposal, checker: User, subject: User
) -> None:
    User.objects.filter(pk=subject.pk).update(first_name="Grace")
    assert proposals.void_reason(proposal)

    with pytest.raises(ProposalVoid, match="The name in force has changed since it was proposed"):
        proposals.proposal_confirm(proposal=proposal, user=checker)

    assert name_of(subject) == "Grace"
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by) == ("void", checker)
    found = entry(Action.REJECTED)
    assert found.message.startswith("Void: Rename somebody, which maker had proposed.")
    assert (found.details["proposed_by"], found.details["decided_by"]) == ("maker", "checker")
    User.objects.filter(pk=subject.pk).update(first_name="")
    with pytest.raises(ProposalClosed):  # as it was is not as it is
        proposals.proposal_confirm(proposal=proposal, user=checker)


@WITH
def test_what_it_is_about_being_gone_voids_it(
    proposal: Proposal, checker: User, subject: User
) -> None:
    subject.delete()
    with pytest.raises(ProposalVoid, match="does not exist any more"):
        proposals.proposal_confirm(proposal=proposal, user=checker)


@WITH
def test_proposal_of_a_deactivated_person_does_not_count(
    proposal: Proposal, maker: User, checker: User, subject: User
) -> None:
    assert proposals.proposals_waiting_on(checker) == [proposal]
    User.objects.filter(pk=maker.pk).update(is_active=False)

    assert proposals.proposals_waiting_on(checker) == []
    with pytest.raises(ProposalVoid, match="maker, who proposed it, was deactivated since"):
        proposals.proposal_confirm(proposal=proposal, user=checker)
    assert name_of(subject) == ""


@WITH
def test_proposal_of_somebody_who_lost_the_right_is_void(
    proposal: Proposal, maker: User, checker: User, subject: User
) -> None:
    maker.groups.clear()
    with pytest.raises(ProposalVoid, match="maker, who proposed it, may not do so any more"):
        proposals.proposal_confirm(proposal=proposal, user=checker)
    assert name_of(subject) == ""


@WITH
def test_refusal_of_the_act_leaves_the_proposal_open(
    kind: ProposalKind, maker: User, checker: User, subject: User
) -> None:
    proposal = propose(kind, maker, subject, "refused")
    with pytest.raises(NotPermitted, match="Not this name"):
        proposals.proposal_confirm(proposal=proposal, user=checker)
    proposal.refresh_from_db()
    assert proposal.status == "open"


@pytest.mark.both_databases
@WITH
def test_database_refuses_a_confirmation_by_the_proposer(proposal: Proposal, maker: User) -> None:
    as_confirmed = {"status": "confirmed", "decided_at": proposal.proposed_at}
    for by in (maker, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            Proposal.objects.filter(pk=proposal.pk).update(decided_by=by, **as_confirmed)
    Proposal.objects.filter(pk=proposal.pk).update(
        decided_by=maker, confirmed_alone=True, **as_confirmed
    )


# --- Rejecting and withdrawing ------------------------------------------------------------


@WITH
def test_rejection_closes_it_with_a_reason(
    proposal: Proposal, maker: User, checker: User, subject: User
) -> None:
    with pytest.raises(OwnProposal):
        proposals.proposal_reject(proposal=proposal, user=maker, note="No.")
    proposals.proposal_reject(proposal=proposal, user=checker, note="Not without the deed.")

    assert name_of(subject) == ""
    found = entry(Action.REJECTED)
    assert (found.actor, found.details["proposed_by"]) == (checker, "maker")
    assert "Not without the deed." in found.message
    with pytest.raises(ProposalClosed, match="rejected by checker"):
        proposals.proposal_confirm(proposal=proposal, user=checker)


@WITH
def test_proposer_alone_withdraws(proposal: Proposal, maker: User, checker: User) -> None:
    with pytest.raises(NotPermitted):
        proposals.proposal_withdraw(proposal=proposal, user=checker)
    proposals.proposal_withdraw(proposal=proposal, user=maker)
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by) == ("withdrawn", maker)


# --- At the same moment -------------------------------------------------------------------


@pytest.mark.both_databases
@BESIDE
def test_confirmations_at_the_same_moment_do_it_once(
    proposal: Proposal, checker: User, make_user: Callable[..., User], subject: User
) -> None:
    others = [make_user(f"other{number}", Role.POLICY_OWNER) for number in range(3)]
    confirm = partial(proposals.proposal_confirm, proposal=proposal)

    found = together([partial(confirm, user=user) for user in (checker, checker, *others)])

    done = [each for each in found if isinstance(each, proposals.Confirmation)]
    assert len(done) == 1
    assert all(isinstance(each, ProposalClosed) for each in found if each not in done)
    assert AuditEntry.objects.filter(action=Action.CONFIRMED).count() == 1


@pytest.mark.both_databases
@BESIDE
def test_proposals_at_the_same_moment_open_one(
    kind: ProposalKind, maker: User, checker: User, subject: User
) -> None:
    found = together([partial(propose, kind, user, subject) for user in (maker, checker) * 2])

    opened = Proposal.objects.get()
    same = [each for each in found if isinstance(each, Proposal)]
    assert same == [opened, opened]
    assert sum(isinstance(each, ProposedAlready) for each in found) == 2


@BESIDE
@pytest.mark.parametrize("change", ["role", "active", "state"])
def test_what_changes_while_the_confirmation_waits_is_seen(
    kind: ProposalKind, maker: User, checker: User, subject: User, change: str
) -> None:
    """Another transaction has it between the first look and the lock of the second."""

    def meanwhile(_: Mapping[str, Any]) -> None:
        if change == "role":
            Group.objects.get(name=Role.POLICY_OWNER.value).user_set.remove(checker)
        elif change == "active":
            User.objects.filter(pk=checker.pk).update(is_active=False)
        else:
            User.objects.filter(pk=subject.pk).update(first_name="Grace")

    slow = register(ProposalKind(**PARTS | {"name": "tests.slow", "prepare": meanwhile}))
    proposal = propose(slow, maker, subject)
    expected: type[DomainError] = ProposalVoid if change == "state" else NotPermitted

    with pytest.raises(expected):
        proposals.proposal_confirm(proposal=proposal, user=checker)

    assert name_of(subject) != "Ada"
    proposal.refresh_from_db()
    assert proposal.status == ("void" if change == "state" else "open")
