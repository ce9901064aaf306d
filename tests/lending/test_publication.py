"""A policy version is published by two owners, exactly as it was proposed."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import proposals
from accounts.errors import OwnProposal, ProposalClosed, ProposalVoid
from accounts.models import Proposal
from accounts.proposal_kinds import Confirmed
from accounts.roles import Role
from audit.models import Action, AuditEntry
from core.errors import NotPermitted
from lending.admin import policies
from lending.errors import InvalidPolicy, PolicyPublished
from lending.models import LendingPolicy
from lending.proposals import publication_propose
from lending.services import policy_current, policy_in_force, policy_publish, publish_check
from tests import casework
from tests.applications.admin.test_other_pages import typed_from
from tests.hard_cases.together import together
from tests.lending.publishing import copy_in_force, policy_owner, publish

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker(make_user: Callable[..., User]) -> User:
    return make_user("policy", Role.POLICY_OWNER)


@pytest.fixture
def checker(make_user: Callable[..., User]) -> User:
    return make_user("policy2", Role.POLICY_OWNER)


@pytest.fixture
def draft() -> LendingPolicy:
    return copy_in_force(approval_threshold="120000.00")


@pytest.fixture
def proposal(draft: LendingPolicy, maker: User) -> Proposal:
    return publication_propose(policy=draft, user=maker, note="As the board decided.")


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_second_owner_puts_it_in_force_and_both_are_on_record(
    proposal: Proposal, draft: LendingPolicy, maker: User, checker: User
) -> None:
    assert policy_current().version == 1
    assert proposal.title == "Publish policy version 2"
    assert proposal.rows == [["Approval threshold", "100,000.00", "120,000.00"]]

    proposals.proposal_confirm(proposal=proposal, user=checker)

    assert policy_current() == draft
    draft.refresh_from_db()
    assert draft.published_by == checker
    entry = AuditEntry.objects.get(action=Action.PUBLISHED)
    assert entry.actor == checker
    assert entry.details == {"proposed_by": "policy", "confirmed_by": "policy2"}
    assert entry.changes["approval_threshold"] == ["100000.00", "120000.00"]


def test_no_one_publishes_alone(
    proposal: Proposal,
    draft: LendingPolicy,
    maker: User,
    checker: User,
    officer: User,
    settings: Any,
) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True
    with pytest.raises(OwnProposal):
        proposals.proposal_confirm(proposal=proposal, user=maker)
    with pytest.raises(ValueError, match="One person cannot propose and confirm"):
        Confirmed(proposer=maker, confirmer=maker, alone=False)
    for given in (
        Confirmed(proposer=maker, confirmer=maker, alone=True),
        Confirmed(proposer=None, confirmer=checker, alone=False),
        Confirmed(proposer=officer, confirmer=checker, alone=False),
    ):
        with pytest.raises(NotPermitted, match="one alone cannot"):
            policy_publish(policy=draft, confirmed=given)
    assert policy_current().version == 1


@pytest.mark.parametrize("what", ["draft", "tier", "ceiling", "notes", "in force"])
def test_draft_or_policy_in_force_that_changed_voids_the_proposal(
    proposal: Proposal, draft: LendingPolicy, checker: User, what: str
) -> None:
    if what == "draft":
        LendingPolicy.objects.filter(pk=draft.pk).update(approval_expires=timedelta(days=8))
    elif what == "tier":
        draft.tiers.filter(tier="prime").update(annual_rate="0.10")
    elif what == "ceiling":
        draft.authorities.filter(role="manager").update(ceiling="900000.00")
    elif what == "notes":
        LendingPolicy.objects.filter(pk=draft.pk).update(notes="Otherwise.")
    else:
        third = LendingPolicy.objects.get(pk=draft.pk)
        rows = [*draft.tiers.all(), *draft.authorities.all()]
        third.pk, third.version = None, 3
        third.save()
        for row in rows:
            row.pk, row.policy = None, third
            row.save()
        publish(third)
    in_force = policy_current().version

    with pytest.raises(ProposalVoid, match="The draft or the policy in force has changed since"):
        proposals.proposal_confirm(proposal=proposal, user=checker)

    assert policy_current().version == in_force


def test_draft_that_breaks_a_rule_or_is_published_is_not_proposed(maker: User) -> None:
    with pytest.raises(InvalidPolicy, match="needs every tier"):
        publication_propose(policy=LendingPolicy.objects.create(version=2), user=maker)
    with pytest.raises(PolicyPublished):
        publication_propose(policy=policy_current(), user=maker)
    assert not Proposal.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"smallest_loan": "25000.01"},
            "subprime: largest_amount: The smallest loan is above the largest one of Subprime, "
            "25,000.00 CAD.",
        ),
    ],
)
def test_smallest_loan_that_a_tier_cannot_lend_is_not_proposed(
    maker: User, changes: dict[str, str], said: str
) -> None:
    draft = copy_in_force(**changes)
    draft.refresh_from_db()
    with pytest.raises(InvalidPolicy) as refused:
        publication_propose(policy=draft, user=maker)
    assert str(refused.value) == said


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("field", "value"),
    [("smallest_loan", "0"), ("smallest_instalment", "0"), ("smallest_instalment", "500.01")],
)
def test_smallest_amounts_that_make_no_sense_are_not_published(
    draft: LendingPolicy, field: str, value: str
) -> None:
    setattr(draft, field, Decimal(value))
    with pytest.raises(InvalidPolicy, match=field):
        publish_check(policy=draft)
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.save()


def test_form_says_in_words_which_smallest_amount_makes_no_sense(
    draft: LendingPolicy, maker: User
) -> None:
    change = reverse("admin:lending_lendingpolicy_change", args=[draft.pk])
    client = as_user(maker)
    typed = typed_from(client.get(change))
    assert typed["smallest_loan"] == Decimal("500.00")
    assert typed["smallest_instalment"] == Decimal("15.00")

    html = client.post(change, typed | {"smallest_instalment": "600.00"}).content.decode()

    assert "The smallest instalment is above the smallest loan." in html
    assert "policy_smallest" not in html
    draft.refresh_from_db()
    assert draft.smallest_instalment == 15


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_two_drafts_confirmed_at_the_same_moment_publish_one(
    draft: LendingPolicy, maker: User, checker: User
) -> None:
    rows = [*draft.tiers.all(), *draft.authorities.all()]
    third = LendingPolicy.objects.create(version=3)
    for row in rows:
        row.pk, row.policy = None, third
        row.save()
    both = [publication_propose(policy=each, user=maker) for each in (draft, third)]

    found = together(
        [partial(proposals.proposal_confirm, proposal=each, user=checker) for each in both * 2]
    )

    assert sum(isinstance(each, proposals.Confirmation) for each in found) == 1
    assert sum(isinstance(each, ProposalVoid) for each in found) == 1
    assert sum(isinstance(each, ProposalClosed) for each in found) == 2
    assert LendingPolicy.objects.filter(published_at__isnull=False).count() == 2


# --- The pages --------------------------------------------------------------------------


def test_page_proposes_and_leads_to_the_proposal(
    draft: LendingPolicy, maker: User, checker: User
) -> None:
    publish_page = reverse("admin:lending_lendingpolicy_publish", args=[draft.pk])
    client = as_user(maker)
    assert client.get(publish_page).context["changes"] == [
        ("Approval threshold", "100,000.00", "120,000.00")
    ]

    answer = client.post(publish_page, {"note": "As the board decided."}, follow=True)

    proposal = Proposal.objects.get()
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:accounts_proposal_change", args=[proposal.pk]
    )
    html = answer.content.decode()
    assert "Proposed: Publish policy version 2. It waits for policy2." in html
    assert "As the board decided." in html
    assert 'id="to-target">Show the lending policy</a>' in html
    assert policy_current().version == 1
    changed = client.get(reverse("admin:lending_lendingpolicy_change", args=[draft.pk]))
    assert "press-publish" not in changed.content.decode()
    assert f'href="/admin/accounts/proposal/{proposal.pk}/change/"' in changed.content.decode()
    assert client.post(publish_page).status_code == 302  # sent again: the same proposal
    assert Proposal.objects.count() == 1

    other = as_user(checker)
    assert "120,000.00" in other.get(answer.redirect_chain[-1][0]).content.decode()
    other.post(reverse("admin:accounts_proposal_confirm", args=[proposal.pk]))
    assert policy_current() == draft


def test_edit_that_waits_for_the_publication_does_not_change_what_was_confirmed(
    draft: LendingPolicy, maker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = reverse("admin:lending_lendingpolicy_change", args=[draft.pk])
    client = as_user(maker)
    typed = typed_from(client.get(change)) | {"approval_threshold": "999999999.00"}
    real = policies.locked

    def waits_for_it(rows: Any) -> Any:
        """The confirmation holds the lock; it is committed by the time that this one has it."""
        publish(draft)
        return real(rows)

    monkeypatch.setattr(policies, "locked", waits_for_it)

    answer = client.post(change, typed | {"second_approval_threshold": "999999999.00"})

    assert answer.status_code == 403
    draft.refresh_from_db()
    assert draft.published_at is None or draft.approval_threshold == 120_000
    assert policy_owner("proposes").has_perm("lending.change_lendingpolicy")


# --- What is in force ---------------------------------------------------------------------


def drafted(version: int, **changes: object) -> LendingPolicy:
    """A draft of the rules of version 1, under this number."""
    draft = copy_in_force(**changes)
    LendingPolicy.objects.filter(pk=draft.pk).update(version=version)
    draft.refresh_from_db()
    return draft


def states(client: Client) -> dict[int, str]:
    """Return what the list says of each version."""
    rows = client.get(reverse("admin:lending_lendingpolicy_changelist")).context["cl"]
    return {row.version: rows.model_admin.state(row) for row in rows.result_list}


def test_version_that_was_published_last_is_in_force_whatever_its_number(
    maker: User, officer: User
) -> None:
    """Version 2, published after 3, said that it is in force, and 3 decided."""
    third = publish(drafted(3))
    second = publish(drafted(2, approval_threshold="60000.00"))

    assert policy_current() == policy_in_force() == second
    assert AuditEntry.objects.filter(action=Action.PUBLISHED).latest("pk").message == (
        "Policy version 2 is in force."
    )
    said = states(as_user(maker))
    assert ["In force" in said[version] for version in (1, 2, 3)] == [False, True, False]
    assert "Replaced" in said[3]
    for policy in (second, third):
        change = reverse("admin:lending_lendingpolicy_change", args=[policy.pk])
        assert "Policy version 2 is in force since" in as_user(maker).get(change).content.decode()
    application = casework.submit(officer, loan_amount=Decimal(60000))
    casework.assess(application)
    application.refresh_from_db()
    assert application.policy == second
    assert application.risk_assessments.get().outcome == "refer"


def test_version_published_last_is_in_force_though_a_clock_is_behind(
    draft: LendingPolicy,
) -> None:
    with casework.triggers_lifted():
        LendingPolicy.objects.filter(version=1).update(published_at=timezone.now() + HOUR)
    publish(draft)
    assert policy_current() == draft


def test_draft_says_that_it_is_not_in_force(draft: LendingPolicy, maker: User) -> None:
    client = as_user(maker)
    for address in (
        reverse("admin:lending_lendingpolicy_change", args=[draft.pk]),
        reverse("admin:lending_lendingpolicy_add"),
    ):
        html = client.get(address).content.decode()
        assert "This is a draft and not in force yet. Policy version 1 is in force since" in html
    assert "Draft, not in force" in states(client)[2]


def test_new_draft_starts_from_any_version(draft: LendingPolicy, maker: User) -> None:
    draft.tiers.filter(tier="prime").update(annual_rate="4.99")
    draft.authorities.filter(role="manager").update(ceiling="300000.00")
    client = as_user(maker)
    page = client.get(reverse("admin:lending_lendingpolicy_change", args=[draft.pk]))
    address = reverse("admin:lending_lendingpolicy_add", query={"from": 2})
    assert f'href="{address}"' in page.content.decode()
    typed = typed_from(client.get(address))
    assert (typed["approval_threshold"], typed["approval_due"]) == (Decimal(120_000), "1 day")

    saved = client.post(address, typed, follow=True)

    third = LendingPolicy.objects.get(version=3)
    its_page = reverse("admin:lending_lendingpolicy_change", args=[third.pk])
    assert saved.redirect_chain == [(its_page, 302)]
    assert 'id="next-step">Propose publication</a>' in saved.content.decode()
    assert client.post(its_page, typed_from(saved)).headers["Location"] == its_page
    assert third.approval_threshold == 120_000
    assert third.tiers.get(tier="prime").annual_rate == Decimal("4.99")
    assert third.authorities.get(role="manager").ceiling == 300_000
    in_force = typed_from(client.get(reverse("admin:lending_lendingpolicy_add")))
    assert in_force["approval_threshold"] == Decimal("100000.00")
    for nothing in ("9", "x", "99999999999999999999"):
        answer = client.get(reverse("admin:lending_lendingpolicy_add", query={"from": nothing}))
        assert answer.status_code == 404


def test_pages_say_so_when_no_version_is_in_force(maker: User) -> None:
    casework.change_policies(published_at=None)
    client = as_user(maker)
    assert "Draft, not in force" in states(client)[1]
    html = client.get(reverse("admin:lending_lendingpolicy_add")).content.decode()
    assert "No version is in force." in html


def test_list_shows_amounts_with_their_currency(draft: LendingPolicy, maker: User) -> None:
    page = as_user(maker).get(reverse("admin:lending_lendingpolicy_changelist"))
    html = page.content.decode()
    for amount in ("120,000.00", "500,000.00", "250,000.00"):
        assert f'<span class="money">{amount} <span class="currency">CAD</span></span>' in html
    assert "500000.00" not in html


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_two_publications_at_the_same_moment_leave_the_last_in_force(
    maker: User, checker: User
) -> None:
    """Past the proposals, which let one of two through: the service itself."""
    both = [drafted(3), drafted(2)]
    confirmed = Confirmed(proposer=maker, confirmer=checker, alone=False)

    found = together(
        [partial(policy_publish, policy=each, confirmed=confirmed) for each in both * 4]
    )

    assert sum(isinstance(each, LendingPolicy) for each in found) == 2
    assert sum(isinstance(each, PolicyPublished) for each in found) == 6
    entries = AuditEntry.objects.filter(action=Action.PUBLISHED).order_by("pk")
    assert len(entries) == 2
    last = entries[1]
    assert last.message == f"{policy_current()} is in force."
    first, second = LendingPolicy.objects.filter(version__gt=1).order_by("published_at")
    assert policy_current() == second
    assert first.published_at < second.published_at
    assert last.changes["version"] == [first.version, second.version]
