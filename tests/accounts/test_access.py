"""Access is changed by superusers, power by two of them, and e-mails say so."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.errors import (
    AccessChangedMeanwhile,
    LastSuperuser,
    OnlySuperusers,
    OwnProposal,
    ProposalVoid,
    ProposedAlready,
)
from accounts.models import Proposal
from accounts.proposals import proposal_confirm
from accounts.roles import Role
from accounts.services import second_factor
from accounts.services.access import Access, access_of, fingerprint
from accounts.services.access_grants import AccessChange, access_change
from audit.models import Action, AuditEntry
from core.errors import NotPermitted
from tests.accounts.conftest import HOME, is_signed_in, sign_in
from tests.applications.admin.test_other_pages import typed_from
from tests.permissions import permit
from workflows.models import OutboxMessage
from workflows.outbox.queue import send_due

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "a long walk by the river"


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True)


@pytest.fixture
def other(make_user: Callable[..., User]) -> User:
    return make_user("other", is_superuser=True)


@pytest.fixture
def office(root: User) -> Client:
    """The superuser's browser."""
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def single_admin(settings: Any) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True


def page(name: str, user: User) -> str:
    return reverse(f"admin:auth_user_{name}", args=[user.pk])


def change_roles(client: Client, user: User, *roles: Role, **flags: bool) -> Any:
    """Send the form of the page as a browser does; flags that are not given stay."""
    now = access_of(User.objects.get(pk=user.pk))
    flags = {"is_superuser": now.is_superuser, "is_active": now.is_active} | flags
    typed: dict[str, Any] = {name: "on" for name, ticked in flags.items() if ticked}
    typed["roles"] = [group.pk for group in Group.objects.filter(name__in=roles)]
    typed["read"] = fingerprint(now)
    return client.post(page("access", user), typed, follow=True)


def give(user: User, by: User, *roles: Role, **flags: bool) -> AccessChange:
    now = access_of(User.objects.get(pk=user.pk))
    state = {"is_superuser": now.is_superuser, "is_active": now.is_active} | flags
    wanted = Access(groups=frozenset(role.value for role in roles), **state)
    return access_change(user=user, by=by, wanted=wanted, read=fingerprint(now))


def told() -> dict[str, str]:
    """Send what the outbox holds; return the text that each address got."""
    mail.outbox.clear()
    send_due()  # a letter to many becomes one for each
    send_due()
    return {address: str(letter.body) for letter in mail.outbox for address in letter.to}


# --- Superusers only --------------------------------------------------------------------------


def test_permission_to_change_users_makes_nobody_a_superuser(
    officer: User, manager: User, senior: User
) -> None:
    permit(officer, "view_user", "add_user", "change_user", "delete_user", "change_group")
    client = Client()
    client.force_login(officer)
    everything = {"username": "officer", "is_superuser": "on", "is_staff": "on", "is_active": "on"}

    answers = [
        client.post(page("change", officer), everything),
        client.post(page("access", officer), everything),
        client.post(page("access", manager), {"is_active": ""}),
        client.post(page("password_change", senior), {"password1": "x", "password2": "x"}),
        client.post(reverse("admin:auth_user_add"), everything),
        client.post(
            reverse("admin:auth_group_change", args=[officer.groups.get(name="Loan officer").pk])
        ),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    officer.refresh_from_db()
    senior.refresh_from_db()
    assert not officer.is_superuser
    assert senior.check_password("demo")
    with pytest.raises(OnlySuperusers):
        give(officer, officer, Role.MANAGER, is_superuser=True)


def test_right_to_change_access_is_read_again(root: User, manager: User) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=False)

    with pytest.raises(OnlySuperusers):
        give(manager, root, Role.AUDITOR)


def test_page_of_a_person_changes_no_access(office: Client, officer: User) -> None:
    change = page("change", officer)
    groups = list(Group.objects.values_list("pk", flat=True))
    forged = {"is_superuser": "on", "groups": groups, "user_permissions": [1, 2, 3]}

    office.post(change, typed_from(office.get(change)) | forged | {"first_name": "Ann"})

    officer.refresh_from_db()
    assert officer.first_name == "Ann"
    assert not officer.is_superuser
    assert [group.name for group in officer.groups.all()] == ["Loan officer"]
    assert not officer.user_permissions.exists()


def test_own_password_is_changed_by_the_usual_page_and_nobody_is_told(manager: User) -> None:
    client = Client()
    sign_in(client, "manager")
    typed = {"old_password": "demo", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    client.post(reverse("admin:password_change"), typed)

    manager.refresh_from_db()
    assert manager.check_password(NEW_PASSWORD)
    assert told() == {}


# --- Staff access follows ---------------------------------------------------------------------


def test_new_manager_can_sign_in(office: Client, single_admin: None) -> None:
    typed = {"username": "newcomer", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    office.post(reverse("admin:auth_user_add"), {**typed, "usable_password": "true"})
    newcomer = User.objects.get(username="newcomer")
    assert not newcomer.is_staff

    change_roles(office, newcomer, Role.MANAGER)

    client = Client()
    sign_in(client, "newcomer", NEW_PASSWORD)
    assert client.get(HOME).status_code == 200
    assert User.objects.get(username="newcomer").has_perm("reviews.decide_manager_approval")


def test_session_ends_with_the_last_role_and_not_before(
    office: Client, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.MANAGER, Role.AUDITOR)
    client = Client()
    sign_in(client, "both")
    approvals = reverse("admin:audit_auditentry_changelist")

    change_roles(office, both, Role.MANAGER)
    assert is_signed_in(client)
    assert client.get(approvals).status_code == 403
    change_roles(office, both)

    assert not User.objects.get(pk=both.pk).is_staff
    assert client.get(HOME).status_code == 302
    assert not is_signed_in(client)
    assert client.get("/api/v1/applications/").status_code in {401, 403}


def test_session_ends_when_somebody_is_deactivated(office: Client, manager: User) -> None:
    client = Client()
    sign_in(client, "manager")

    change_roles(office, manager, Role.MANAGER, is_active=False)

    assert not is_signed_in(client)
    assert client.get("/api/v1/applications/").status_code in {401, 403}


@pytest.mark.parametrize("way", ["groups", "user_set"])
def test_staff_access_follows_whatever_changes_the_groups(root: User, way: str) -> None:
    user = User.objects.create_user("newcomer")
    role = Group.objects.get(name=Role.AUDITOR)
    other = Group.objects.create(name="Interns")

    def is_staff() -> bool:
        return User.objects.get(pk=user.pk).is_staff

    if way == "groups":
        user.groups.add(other)
        assert not is_staff()
        user.groups.add(role)
        assert is_staff()
        user.groups.remove(other)
        assert is_staff()
        user.groups.clear()
    else:
        role.user_set.add(user)
        assert is_staff()
        role.user_set.clear()
    assert not is_staff()
    root.groups.add(role)
    root.groups.remove(role)
    assert User.objects.get(pk=root.pk).is_staff


# --- Two administrators -----------------------------------------------------------------------


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
    assert 'id="single-admin"' in office.get(HOME).content.decode()

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


# --- Groups -----------------------------------------------------------------------------------


def test_group_of_a_role_has_no_more_than_the_table(office: Client) -> None:
    group = Group.objects.get(name=Role.LOAN_OFFICER)
    before = set(group.permissions.values_list("codename", flat=True))
    decide = Role.MANAGER.grants[-1].partition(".")[2]
    where = reverse("admin:auth_group_change", args=[group.pk])
    shown = office.get(where).context["adminform"].form["permissions"]
    offered = {str(box.data["value"]) for box in shown}
    beyond = Group.objects.get(name=Role.MANAGER).permissions.get(codename=decide).pk
    assert str(beyond) not in offered

    refused = office.post(where, {"name": "Manager 2", "permissions": [*offered, beyond]})
    assert refused.status_code == 200
    assert set(group.permissions.values_list("codename", flat=True)) == before

    office.post(where, {"name": "Other", "permissions": sorted(offered)[:3]})
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Loan officer", 3)
    assert (
        office.post(
            reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    typed = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    office.post(reverse("admin:auth_group_changelist"), typed)
    assert Group.objects.filter(pk=group.pk).exists()


def test_other_group_has_no_permissions(office: Client) -> None:
    permission = Group.objects.get(name=Role.MANAGER).permissions.first()
    assert permission is not None

    office.post(
        reverse("admin:auth_group_add"), {"name": "Administrators", "permissions": [permission.pk]}
    )

    group = Group.objects.get(name="Administrators")
    assert not group.permissions.exists()
    where = reverse("admin:auth_group_change", args=[group.pk])
    office.post(where, {"name": "Admins", "permissions": [permission.pk]})
    assert not Group.objects.get(name="Admins").permissions.exists()


# --- Who is told ------------------------------------------------------------------------------


ALL = {"manager@example.com", "root@example.com", "other@example.com"}


def test_owner_and_superusers_are_told_of_changed_roles(
    root: User, other: User, manager: User, senior: User
) -> None:
    give(manager, root, Role.AUDITOR)

    letters = told()

    assert set(letters) == ALL
    for body in letters.values():
        assert "manager gets the role Auditor, loses the role Manager." in body
        assert "By root, at " in body


def test_owner_and_superusers_are_told_of_a_password_somebody_else_set(
    office: Client, other: User, manager: User
) -> None:
    client = Client()
    sign_in(client, "manager")
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

    office.post(page("password_change", manager), typed)

    letters = told()
    assert set(letters) == ALL
    assert "has another password" in letters["manager@example.com"]
    assert NEW_PASSWORD not in str(letters)
    assert not is_signed_in(client)


def test_earlier_address_is_told_of_a_changed_one(
    office: Client, other: User, manager: User
) -> None:
    change = page("change", manager)

    office.post(change, typed_from(office.get(change)) | {"email": "elsewhere@example.com"})

    assert set(told()) == ALL | {"elsewhere@example.com"}


def test_owner_and_superusers_are_told_of_a_reset_second_factor(
    root: User, other: User, manager: User
) -> None:
    second_factor.enrolment_begin(user=manager)

    second_factor.second_factor_reset(user=manager, by=root)

    letters = told()
    assert set(letters) == ALL
    assert "Reset the second factor of manager." in letters["manager@example.com"]


def test_superusers_are_told_of_a_changed_group(office: Client, other: User, manager: User) -> None:
    group = Group.objects.get(name=Role.MANAGER)

    office.post(reverse("admin:auth_group_change", args=[group.pk]), {"permissions": []})

    assert set(told()) == ALL - {"manager@example.com"}


def test_message_holds_no_address_and_no_name(root: User, manager: User) -> None:
    give(manager, root, Role.AUDITOR)

    message = OutboxMessage.objects.get(kind=OutboxMessage.Kind.EMAIL)
    assert message.payload == {"entry": AuditEntry.objects.get(action=Action.CHANGED).pk}


def test_refused_change_tells_nobody(root: User, manager: User) -> None:
    with pytest.raises(LastSuperuser):
        give(root, root, is_superuser=False)

    assert told() == {}


# --- Commands on the host ---------------------------------------------------------------------


def test_superuser_made_on_the_host_is_on_record_as_that(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW_PASSWORD)

    call_command(
        "createsuperuser", "--noinput", username="boss", email="boss@example.com", stdout=StringIO()
    )

    boss = User.objects.get(username="boss", is_superuser=True)
    entry = AuditEntry.objects.get(action=Action.CREATED, object_id=str(boss.pk))
    assert (entry.actor, entry.who) == (None, "host command (alice)")
    assert set(told()) == {"boss@example.com", "root@example.com"}


def test_password_changed_on_the_host_is_on_record_as_that(
    root: User, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setattr("getpass.getpass", lambda **_: NEW_PASSWORD)

    call_command("changepassword", "manager", stdout=StringIO())

    manager.refresh_from_db()
    assert manager.check_password(NEW_PASSWORD)
    entry = AuditEntry.objects.get(action=Action.PASSWORD)
    assert (entry.who, entry.object_name) == ("host command (alice)", "manager")
    assert set(told()) == {"manager@example.com", "root@example.com"}


def test_factor_reset_on_the_host_is_on_record_as_that(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 990)

    call_command("reset_second_factor", "root", stdout=StringIO())

    entry = AuditEntry.objects.get(action=Action.SECOND_FACTOR)
    assert (entry.actor, entry.who) == (None, "host command (uid 990)")
    assert set(told()) == {"root@example.com"}
