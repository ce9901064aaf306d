"""The people named as confirmers are those whose confirmation is accepted."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import ProposalKind, register
from core.errors import DomainError
from tests.accounts.renaming import PARTS, propose
from tests.casework import letters_at_once
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("may_alone", [False, True])
@pytest.mark.parametrize("about", ["", "maker", "checker"])
@pytest.mark.parametrize("is_void", [False, True])
def test_those_who_are_named_and_written_to_are_those_whose_confirmation_is_accepted(
    kind: ProposalKind,
    maker: User,
    checker: User,
    subject: User,
    settings: Any,
    single: bool,
    may_alone: bool,
    about: str,
    is_void: bool,
) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = single
    people = {"maker": maker, "checker": checker, "subject": subject}
    whom = frozenset({people[about].pk} if about else ())
    parts = {"name": "tests.named", "may_confirm_alone": may_alone, "about": lambda _: whom}
    proposal = propose(register(ProposalKind(**PARTS | parts)), maker, subject)
    if is_void:
        User.objects.filter(pk=subject.pk).update(first_name="Grace")
    accepted = set()
    for name, person in people.items():
        with transaction.atomic():
            try:
                proposals.proposal_confirm(
                    proposal=Proposal.objects.get(pk=proposal.pk), user=person
                )
            except DomainError:
                assert name not in accepted
            else:
                accepted.add(name)
            transaction.set_rollback(True)

    proposal.refresh_from_db()
    named = proposals.confirmers_of_proposal(proposal)
    assert {person.get_username() for person in named} == accepted
    letters_at_once()
    queue.send_due()
    queue.send_due()
    assert {letter.to[0] for letter in mail.outbox} == {f"{name}@example.com" for name in accepted}
    assert accepted or is_void or about == "checker"
