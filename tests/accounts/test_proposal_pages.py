"""The pages of proposals: what they show, who has which button, and that only a POST acts."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts import proposals
from accounts.admin.proposing import waits_for
from accounts.models import Proposal
from accounts.proposal_kinds import ProposalKind, register
from tests.accounts.renaming import PARTS, propose

pytestmark = pytest.mark.django_db

Login = Callable[[User], Client]
LIST = "/admin/accounts/proposal/"
BUTTONS = ("confirm", "reject", "withdraw")


@pytest.fixture
def login(client: Client) -> Login:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    return sign_in


def at(proposal: Proposal, view: str = "change") -> str:
    return reverse(f"admin:accounts_proposal_{view}", args=[proposal.pk])


def page(client: Client, proposal: Proposal, view: str = "change") -> str:
    answer = client.get(at(proposal, view))
    assert answer.status_code == 200
    return answer.content.decode()


def buttons(html: str) -> list[str]:
    return [name for name in BUTTONS if f'id="press-{name}"' in html]


def test_page_shows_exactly_what_is_proposed_and_whom_it_waits_for(
    proposal: Proposal, checker: User, login: Login
) -> None:
    html = page(login(checker), proposal)

    for shown in ("Rename somebody", "First name", "<strong>Ada</strong>", "They married."):
        assert shown in html
    assert "Waits for checker." in html
    assert buttons(html) == ["confirm", "reject"]


def test_one_person_who_may_confirm_is_named_and_several_are_listed() -> None:
    assert waits_for(["Ann Roy"]) == "Ann Roy"
    assert waits_for(["Ann Roy", "checker"]) == "one of: Ann Roy, checker"


def test_proposer_may_withdraw_and_nothing_else(
    proposal: Proposal, maker: User, login: Login
) -> None:
    client = login(maker)
    html = page(client, proposal)
    assert buttons(html) == ["withdraw"]
    assert "another person has to confirm it" in html
    assert "Nobody else may confirm it now" in html

    answer = client.post(at(proposal, "confirm"), follow=True)
    assert "You proposed it yourself" in answer.content.decode()
    proposal.refresh_from_db()
    assert proposal.status == "open"

    client.post(at(proposal, "withdraw"))
    proposal.refresh_from_db()
    assert proposal.status == "withdrawn"


def test_other_roles_read_it_and_have_no_button(
    proposal: Proposal, auditor: User, login: Login
) -> None:
    client = login(auditor)
    assert buttons(page(client, proposal)) == []
    for view in BUTTONS:
        client.post(at(proposal, view), {"note": "Mine."})
    proposal.refresh_from_db()
    assert proposal.status == "open"


def test_confirmation_shows_it_again_acts_by_post_and_shows_the_secret_once(
    proposal: Proposal, checker: User, subject: User, login: Login
) -> None:
    client = login(checker)
    html = page(client, proposal, "confirm")
    assert "maker proposed exactly this" in html
    assert "<strong>Ada</strong>" in html
    subject.refresh_from_db()
    assert subject.first_name == ""

    answer = client.post(at(proposal, "confirm"))

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    assert '<code class="secret" id="issued-secret">whispered</code>' in answer.content.decode()
    again = client.post(at(proposal, "confirm"), follow=True).content.decode()
    assert "whispered" not in again
    assert "confirmed by checker" in again
    assert buttons(again) == []


def test_void_proposal_says_why_and_cannot_be_confirmed(
    proposal: Proposal, checker: User, subject: User, login: Login
) -> None:
    User.objects.filter(pk=subject.pk).update(first_name="Grace")
    client = login(checker)
    html = page(client, proposal)
    assert "The name in force has changed since it was proposed." in html
    assert buttons(html) == ["reject"]

    answer = client.post(at(proposal, "confirm"), follow=True)
    assert "Nothing was done; propose it again." in answer.content.decode()
    proposal.refresh_from_db()
    assert proposal.status == "void"


def test_rejection_asks_for_a_reason(proposal: Proposal, checker: User, login: Login) -> None:
    client = login(checker)
    assert client.post(at(proposal, "reject"), {"note": ""}).status_code == 200
    proposal.refresh_from_db()
    assert proposal.status == "open"
    client.post(at(proposal, "reject"), {"note": "Not without the deed."})
    html = page(client, proposal)
    assert "Rejected by <strong>checker</strong>" in html
    assert "Not without the deed." in html


def test_refusal_of_the_act_returns_with_its_sentence(
    kind: ProposalKind, maker: User, checker: User, subject: User, login: Login
) -> None:
    proposal = propose(kind, maker, subject, "refused")
    answer = login(checker).post(at(proposal, "confirm"), follow=True)
    assert "Not this name." in answer.content.decode()


def test_list_shows_all_and_the_front_page_counts_those_of_others(
    kind: ProposalKind,
    proposal: Proposal,
    maker: User,
    checker: User,
    make_user: Callable[..., User],
    login: Login,
    django_assert_num_queries: Any,
) -> None:
    propose(kind, checker, make_user("another"))
    client = login(checker)
    rows = client.get(LIST, {"status__exact": "open"}).content.decode()
    assert rows.count("Rename ") == 2

    tile = client.get("/admin/").content.decode().partition('id="tile-proposals"')[2]
    assert '<strong class="tile-figure">1</strong>' in tile
    checker.get_all_permissions()  # read once for a request
    with django_assert_num_queries(1):
        proposals.proposals_waiting_on(checker)


def test_front_page_has_no_tile_for_who_confirms_nothing(officer: User, login: Login) -> None:
    assert "tile-proposals" not in login(officer).get("/admin/").content.decode()


def test_setting_is_named_on_the_front_page_and_on_the_act(
    kind: ProposalKind, maker: User, subject: User, settings: Any, login: Login
) -> None:
    alone = register(ProposalKind(**PARTS | {"name": "tests.alone", "may_confirm_alone": True}))
    proposal = propose(alone, maker, subject)
    client = login(maker)
    assert 'id="single-admin"' not in client.get("/admin/").content.decode()
    assert buttons(page(client, proposal)) == ["withdraw"]

    settings.LOANOFFICE_SINGLE_ADMIN = True
    assert 'id="single-admin"' in client.get("/admin/").content.decode()
    html = page(client, proposal)
    assert buttons(html) == ["confirm", "withdraw"]
    assert "Waits for maker." in html
    asked = page(client, proposal, "confirm")
    assert "You do this alone: LOANOFFICE_SINGLE_ADMIN is set" in asked
    client.post(at(proposal, "confirm"))
    assert "alone, as LOANOFFICE_SINGLE_ADMIN allows" in page(client, proposal)
