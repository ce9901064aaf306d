"""Changes of people, groups, second factors and proposals; sign-in, sign-out and exports."""

from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.invitation_tokens import token_of
from accounts.models import FailedSignIn, Proposal, RequiredSecondFactor, SecondFactor
from accounts.proposal_kinds import KINDS, ProposalKind
from accounts.roles import Role
from accounts.services import second_factor
from accounts.services.invitations import invitation_send
from reviews.models import Notification
from tests.accounts.conftest import code_of
from tests.accounts.guests import Guest
from tests.accounts.renaming import PARTS, propose
from tests.applications.admin.test_other_pages import typed_from
from tests.audit.scenarios.office import NEW_PASSWORD, Office, address


def user_add(office: Office) -> None:
    typed = {"username": "new", "email": "new@example.com"}
    office.client(root=True).post(address("auth_user_add"), typed)


def user_invite(office: Office) -> None:
    somebody = office.user(Role.MANAGER)
    office.client(root=True).post(address("auth_user_invite", somebody.pk))


def user_change(office: Office) -> None:
    somebody = office.user(Role.MANAGER)
    client = office.client(root=True)
    change = address("auth_user_change", somebody.pk)
    client.post(change, typed_from(client.get(change)) | {"first_name": "Ann"})


def user_access(office: Office) -> None:
    somebody = office.user(Role.MANAGER)
    client = office.client(root=True)
    where = address("auth_user_access", somebody.pk)
    read: Any = client.get(where)
    auditor = Group.objects.get(name=Role.AUDITOR.value)
    typed = {"roles": [auditor.pk], "is_active": "on", "read": read.context["form"]["read"].value()}
    client.post(where, typed)


def user_password(office: Office) -> None:
    somebody = office.user(Role.MANAGER)
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    office.client(root=True).post(address("auth_user_password_change", somebody.pk), typed)


def user_delete(office: Office) -> None:
    somebody = office.user()
    office.client(root=True).post(address("auth_user_delete", somebody.pk), {"post": "yes"})


def users_delete(office: Office) -> None:
    somebody = office.user()
    typed = {"action": "delete_selected", "_selected_action": [somebody.pk], "post": "yes"}
    office.client(root=True).post(address("auth_user_changelist"), typed)


def group_add(office: Office) -> None:
    office.client(root=True).post(address("auth_group_add"), {"name": "Interns"})


def group_change(office: Office) -> None:
    group = Group.objects.get(name=Role.AUDITOR.value)
    client = office.client(root=True)
    client.post(address("auth_group_change", group.pk), {"permissions": []})


def group_delete(office: Office) -> None:
    group = Group.objects.create(name="Interns")
    office.client(root=True).post(address("auth_group_delete", group.pk), {"post": "yes"})


def required_add(office: Office) -> None:
    group = Group.objects.get(name=Role.AUDITOR.value)
    office.client(root=True).post(address("accounts_requiredsecondfactor_add"), {"group": group.pk})


def required_delete(office: Office) -> None:
    group = Group.objects.get(name=Role.AUDITOR.value)
    row = RequiredSecondFactor.objects.create(group=group)
    office.client(root=True).post(
        address("accounts_requiredsecondfactor_delete", row.pk), {"post": "yes"}
    )


def factor_reset(office: Office) -> None:
    user = office.user(Role.MANAGER)
    device = second_factor.enrolment_begin(user=user)
    second_factor.enrolment_confirm(user=user, code=code_of(device))
    office.client(root=True).post(address("accounts_secondfactor_reset", device.pk))


def lockout_lift(office: Office) -> None:
    Client().post("/admin/login/", {"username": "somebody", "password": "wrong"})
    failed = FailedSignIn.objects.get()
    office.client(root=True).post(address("accounts_failedsignin_lift", failed.pk))


def log_in(office: Office) -> None:
    office.actor = office.user(Role.MANAGER, name="manager")
    Client().post("/admin/login/", {"username": "manager", "password": "demo"})


def log_out(office: Office) -> None:
    office.client(Role.MANAGER).post("/admin/logout/")


def own_password(office: Office) -> None:
    typed = {
        "old_password": "demo",
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    }
    office.client(Role.MANAGER).post("/admin/password_change/", typed)


def enrolled(office: Office) -> tuple[Client, list[str]]:
    """Somebody with a second factor who has not shown it, and their recovery codes."""
    client = office.client(Role.MANAGER)
    assert office.actor is not None
    device = second_factor.enrolment_begin(user=office.actor)
    _, codes = second_factor.enrolment_confirm(user=office.actor, code=code_of(device))
    return client, codes


def enrol(office: Office) -> None:
    client = office.client(Role.MANAGER)
    client.post(reverse("account:enrol"), {"begin": "yes"})
    client.post(reverse("account:enrol"), {"code": code_of(SecondFactor.objects.get())})


def accept_invitation(office: Office) -> None:
    office.actor = office.user(Role.MANAGER)
    sent = invitation_send(user=office.actor, by=office.user(root=True))
    guest = Guest(reverse("account:invitation_link", args=[sent.pk, token_of(sent)]))
    guest.come()
    guest.send()


def show_code(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})


def confirm_again(office: Office) -> None:
    office.client(Role.MANAGER).post(reverse("account:again"), {"typed": "demo"})


def end_sessions(office: Office) -> None:
    client = office.client(Role.MANAGER)
    office.client(user=office.actor)
    client.post(reverse("account:end_sessions"))


def read_notifications(office: Office) -> None:
    client = office.client(Role.MANAGER)
    Notification.objects.create(user=office.actor, kind="sent_back", key="1", sentence="Look.")
    client.post(reverse("admin:notifications"), {"read": "all"})
    client.post(reverse("admin:notifications"), {"mails": "urgent"})


def renew_codes(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})
    client.post(reverse("account:renew"), {"code": codes[1]})


def remove_factor(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})
    client.post(reverse("account:remove"), {"code": codes[1]})


def _proposed(office: Office) -> Proposal:
    """The actor's proposal."""
    kind = ProposalKind(**PARTS)
    office.monkeypatch.setitem(KINDS, kind.name, kind)
    return propose(kind, office.actor, office.user())


def proposal_confirm(office: Office) -> None:
    office.client(Role.POLICY_OWNER)
    made = _proposed(office)
    office.client(Role.POLICY_OWNER).post(address("accounts_proposal_confirm", made.pk))


def proposal_reject(office: Office) -> None:
    office.client(Role.POLICY_OWNER)
    made = _proposed(office)
    reject = address("accounts_proposal_reject", made.pk)
    office.client(Role.POLICY_OWNER).post(reject, {"note": "No."})


def proposal_withdraw(office: Office) -> None:
    client = office.client(Role.POLICY_OWNER)
    client.post(address("accounts_proposal_withdraw", _proposed(office).pk))


def export_list(office: Office) -> None:
    answer: Any = office.client(Role.AUDITOR).post(address("applications_loanapplication_export"))
    b"".join(answer.streaming_content)


def export_log(office: Office) -> None:
    answer: Any = office.client(Role.AUDITOR).post(address("audit_auditentry_export"))
    b"".join(answer.streaming_content)


def own_list(office: Office) -> None:
    """Save a filter of a list, rename it, choose columns: each for themselves."""
    client = office.client(Role.MANAGER)
    page = address("lists", "applications", "loanapplication")
    client.post(page, {"do": "columns", "show": ["amount"]})
    client.post(page, {"do": "save", "query": "status__exact=approved", "name": "Approved"})
    client.post(page, {"do": "filters", "was": "Approved", "name": "Approved ones"})
