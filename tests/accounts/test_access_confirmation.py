"""One superuser alone grants no power: another one has to confirm it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.errors import (
    AccessChangedMeanwhile,
    LastSuperuser,
    OwnProposal,
    ProposalVoid,
    ProposedAlready,
)
from accounts.models import Proposal
from accounts.proposals import proposal_confirm
from accounts.roles import Role
from accounts.services.access import Access, access_of, fingerprint
from accounts.services.access_grants import access_change
from audit.models import Action, AuditEntry
from core.errors import NotPermitted
from tests.accounts.access import change_roles, give, page, told
from tests.accounts.conftest import HOME, sign_in

pytestmark = pytest.mark.django_db


def test_roles_that_decide_are_those_that_commit_the_office() -> None:
    assert {role for role in Role if not role.decides} == {Role.LOAN_OFFICER, Role.AUDITOR}


def test_one_superuser_alone_gives_what_decides_nothing_and_takes_everything(
    root: User, manager: User
) -> None:
    change = give(manager, root, Role.AUDITOR, Role.LOAN_OFFICER)

    assert change.now == change.wanted
    assert access_of(manager).groups == {"Auditor", "Loan officer"}
    entry = AuditEntry.objects.get(action=Action.CHANGED)
    assert (entry.actor, entry.object_name) == (root, "manager")
    assert entry.message == (
        "manager gets the role Auditor, gets the role Loan officer, loses the role Manager."
    )
    assert entry.changes == {"roles": [["Manager"], ["Auditor", "Loan officer"]]}


@pytest.mark.parametrize("role", [role for role in Role if role.decides], ids=lambda role: role.key)
def test_one_superuser_alone_gives_no_role_that_decides(
    root: User, officer: User, role: Role
) -> None:
    for user in (officer, root):
        kept = access_of(user).groups
        change = give(user, root, *(Role(name) for name in kept), role)

        assert access_of(user).groups == kept
        assert change.wanted.groups == kept | {role.value}
        assert "Another superuser has to confirm" in change.sentence
    assert not AuditEntry.objects.filter(action=Action.CHANGED).exists()


def test_one_superuser_alone_makes_no_superuser_and_lets_nobody_powerful_return(
    root: User, officer: User, manager: User
) -> None:
    give(officer, root, Role.LOAN_OFFICER, is_superuser=True)
    give(manager, root, Role.MANAGER, is_active=False)
    give(manager, root, Role.MANAGER, is_active=True)
    give(officer, root, Role.LOAN_OFFICER, is_active=False)
    give(officer, root, Role.LOAN_OFFICER, is_active=True)

    assert not access_of(User.objects.get(pk=manager.pk)).is_active
    assert access_of(User.objects.get(pk=officer.pk)) == Access(
        groups=frozenset({"Loan officer"}), is_superuser=False, is_active=True
    )


def test_second_superuser_confirms_what_the_first_proposed(
    office: Client, root: User, other: User, officer: User
) -> None:
    client = Client()
    sign_in(client, "officer")

    shown = change_roles(office, officer, Role.AUDITOR, Role.MANAGER, is_superuser=True)

    said = "officer gets the role Manager, is a superuser now"
    assert f"Another superuser has to confirm that {said}." in shown.content.decode()
    assert access_of(User.objects.get(pk=officer.pk)).groups == {"Auditor"}
    proposal = Proposal.objects.get()
    assert (proposal.title, proposal.proposed_by) == (said, root)
    assert proposal.rows == [["Roles", "Auditor", "Auditor, Manager"], ["Superuser", "no", "yes"]]
    assert not client.get("/admin/").context["user"].has_perm(Role.MANAGER.authority_permission)
    with pytest.raises(OwnProposal):
        proposal_confirm(proposal=proposal, user=root)

    mine = Client()
    mine.force_login(other)
    mine.post(reverse("admin:accounts_proposal_confirm", args=[proposal.pk]))

    user = User.objects.get(pk=officer.pk)
    assert user.is_superuser
    assert access_of(user).groups == {"Auditor", "Manager"}
    assert client.get("/admin/").context["user"].has_perm(Role.MANAGER.authority_permission)
    entry = AuditEntry.objects.get(action=Action.CHANGED, message=f"{said}.")
    assert (entry.actor, entry.details) == (
        other,
        {"proposed_by": "root", "confirmed_by": "other"},
    )
    assert any(f"{said}." in body for body in told().values())


@pytest.mark.parametrize("who", ["about", "proposer", "auditor"])
def test_role_is_confirmed_by_neither_its_proposer_nor_its_owner_nor_a_role(
    root: User, other: User, auditor: User, who: str
) -> None:
    give(other, root, Role.MANAGER)
    proposal = Proposal.objects.get()

    with pytest.raises((OwnProposal, NotPermitted)):
        proposal_confirm(
            proposal=proposal, user={"about": other, "proposer": root, "auditor": auditor}[who]
        )

    assert access_of(other).groups == frozenset()


@pytest.mark.parametrize("change", ["roles", "proposer", "left"])
def test_proposed_role_is_void_when_what_it_was_based_on_changed(
    make_user: Callable[..., User], root: User, other: User, officer: User, change: str
) -> None:
    third = make_user("third", is_superuser=True)
    give(officer, root, Role.LOAN_OFFICER, Role.MANAGER)
    if change == "roles":
        give(officer, other, Role.LOAN_OFFICER, Role.AUDITOR)
    elif change == "left":
        give(officer, other, Role.LOAN_OFFICER, is_active=False)
    else:
        give(root, other, is_superuser=False)
    kept = access_of(User.objects.get(pk=officer.pk))

    with pytest.raises(ProposalVoid):
        proposal_confirm(proposal=Proposal.objects.get(), user=third)

    assert access_of(User.objects.get(pk=officer.pk)) == kept
    assert "Manager" not in kept.groups


def test_same_change_twice_proposes_once_and_another_one_is_refused(
    root: User, other: User, officer: User
) -> None:
    give(officer, root, Role.LOAN_OFFICER, Role.MANAGER)
    give(officer, root, Role.LOAN_OFFICER, Role.MANAGER)
    assert Proposal.objects.count() == 1

    with pytest.raises(ProposedAlready):
        give(officer, other, Role.LOAN_OFFICER, Role.SENIOR_MANAGER)

    assert access_of(officer).groups == {"Loan officer"}
    give(officer, other)  # what is taken needs nobody
    assert access_of(officer).groups == frozenset()


def test_power_is_not_gained_by_losing_the_role_while_inactive(root: User, manager: User) -> None:
    """One who returns without the role that decides may do so at the word of one superuser."""
    give(manager, root, Role.MANAGER, is_active=False)

    give(manager, root, Role.AUDITOR, is_active=True)

    now = access_of(User.objects.get(pk=manager.pk))
    assert (now.groups, now.is_active) == ({"Auditor"}, True)


def test_office_of_one_person_gives_them_alone_and_says_so(
    office: Client, officer: User, single_admin: None
) -> None:
    shown = office.get(page("access", officer)).content.decode()
    assert "LOANOFFICE_SINGLE_ADMIN is set" in shown
    notice = (
        office.get(HOME).content.decode().partition('id="single-admin"')[2].partition("</p>")[0]
    )
    assert "one person may grant roles" in notice
    assert "LOANOFFICE_" not in notice

    change_roles(office, officer, Role.LOAN_OFFICER, Role.MANAGER, is_superuser=True)

    officer.refresh_from_db()
    assert officer.is_superuser
    assert access_of(officer).groups == {"Loan officer", "Manager"}
    entry = AuditEntry.objects.get(action=Action.CHANGED)
    assert entry.details == {"alone": "LOANOFFICE_SINGLE_ADMIN"}
    assert not Proposal.objects.exists()


def test_front_page_of_an_office_of_two_says_nothing_of_it(office: Client) -> None:
    html = office.get(HOME).content.decode()
    assert 'id="single-admin"' not in html
    assert 'id="administration"' in html


def test_form_that_was_read_before_another_change_is_refused(
    office: Client, root: User, officer: User
) -> None:
    read = fingerprint(access_of(officer))
    give(officer, root, Role.AUDITOR)

    with pytest.raises(AccessChangedMeanwhile):
        access_change(
            user=officer,
            by=root,
            wanted=Access(frozenset({"Loan officer"}), is_superuser=False, is_active=True),
            read=read,
        )
    typed = {"roles": [], "is_active": "on", "read": read}
    assert office.post(page("access", officer), typed).status_code == 409
    assert access_of(officer).groups == {"Auditor"}


@pytest.mark.parametrize("flag", ["is_superuser", "is_active"])
def test_last_superuser_stays(
    root: User, make_user: Callable[..., User], single_admin: None, flag: str
) -> None:
    gone = make_user("gone", is_superuser=True)
    give(gone, root, is_active=False)

    with pytest.raises(LastSuperuser):
        give(root, root, **{flag: False})

    root.refresh_from_db()
    assert root.is_superuser
    assert root.is_active
