"""One way to cause each change that there is, through the door that people use.

Each takes an ``Office``, causes one thing as ``office.actor``, and leaves it to the test to look
for the entry. A page or a service that is added later needs one here: see the test beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import FailedSignIn, Proposal, RequiredSecondFactor, SecondFactor
from accounts.proposal_kinds import KINDS, ProposalKind
from accounts.roles import Role
from accounts.services import second_factor
from applications.models import Document, LoanApplication
from applications.services import intake
from audit.models import Action
from lending.models import LendingPolicy
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.choices import TaskKind
from reviews.models import BulkDecision, DeclineReason, Delegation
from reviews.services import bulk_decisions
from tests import casework
from tests.accounts.conftest import code_of
from tests.accounts.renaming import PARTS, propose
from tests.applications import files
from tests.applications.admin.conftest import ADD, decide_page, page
from tests.applications.admin.test_form import TYPED
from tests.applications.admin.test_other_pages import typed_from
from tests.partners.api.calls import path
from tests.reviews.admin.bulk_forms import DECIDE, choose
from tests.reviews.admin.bulk_forms import typed as bulk_typed
from tests.reviews.admin.test_delegations import typed as moment_typed
from tests.workflows import trouble
from tests.workflows.callbacks.conftest import wait_for_vendor
from tests.workflows.callbacks.vendor import FLAGGED, SECRET, send
from tests.workflows.lambda_stub import lambda_stub
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.operations import execution_pause

REASON = {"reason": "The bureau is down."}
NEW_PASSWORD = "a long walk by the river"


@dataclass
class Office:
    """``user(role)`` makes somebody; ``client(user)`` logs them in and makes them the actor."""

    make_user: Callable[..., User]
    monkeypatch: pytest.MonkeyPatch
    actor: User | None = None

    def user(self, *roles: Role, name: str = "", root: bool = False) -> User:
        return self.make_user(name or f"user{User.objects.count()}", *roles, is_superuser=root)

    def client(self, *roles: Role, root: bool = False, user: User | None = None) -> Client:
        self.actor = user or self.user(*roles, root=root)
        client = Client()
        client.force_login(self.actor)
        return client

    def officer(self) -> User:
        return self.user(Role.LOAN_OFFICER)

    def waiting(self) -> LoanApplication:
        return casework.waiting_for_manager(self.officer())


def address(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)


# --- Applications -------------------------------------------------------------------------


def add(office: Office) -> None:
    office.client(Role.LOAN_OFFICER).post(ADD, {**TYPED, "_submit": "yes"})


def change(office: Office) -> None:
    client = office.client(Role.LOAN_OFFICER)
    draft = intake.application_create(user=office.actor, **casework.ALICE)
    typed = {**TYPED, "loan_amount": "90000", "read_version": draft.version, "_save": "yes"}
    client.post(page("change", draft), typed)


def reveal(office: Office) -> None:
    office.client(Role.MANAGER).post(page("reveal", office.waiting()))


def decide(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(decide_page(application, "approve"), {"version": application.version})


def decide_selected(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(DECIDE["approve"], bulk_typed(choose(client, "approve", [application])))


def claim_page(application: LoanApplication, what: str = "claim") -> str:
    return page(what, application, application.review_tasks.get().pk)


def claim(office: Office) -> None:
    application = office.waiting()
    office.client(Role.MANAGER).post(claim_page(application))


def release(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(claim_page(application))
    client.post(claim_page(application, "release"))


def take_over(office: Office) -> None:
    application = office.waiting()
    office.client(Role.MANAGER).post(claim_page(application))
    office.client(Role.SENIOR_MANAGER).post(claim_page(application, "take-over"))


def claim_selected(office: Office) -> None:
    task = office.waiting().review_tasks.get()
    client = office.client(Role.MANAGER)
    listed = {"action": "claim_selected", "index": "0", "_selected_action": [task.pk]}
    client.post(address("reviews_reviewtask_changelist"), listed)


def _begun(office: Office) -> BulkDecision:
    """A bulk decision whose process died before the first row."""
    application = office.waiting()
    client = office.client(Role.MANAGER)
    begin = bulk_decisions.bulk_begin

    def dies(**how: Any) -> None:
        begin(**how)
        raise SystemExit

    form = bulk_typed(choose(client, "approve", [application]))
    with office.monkeypatch.context() as patched:
        patched.setattr(bulk_decisions, "bulk_begin", dies)
        with pytest.raises(SystemExit):
            client.post(DECIDE["approve"], form)
    return BulkDecision.objects.get()


def go_on(office: Office) -> None:
    run = _begun(office)
    office.client(user=office.actor).post(address("applications_loanapplication_go_on", run.pk))


def withdraw(office: Office) -> None:
    application = office.waiting()
    office.client(Role.LOAN_OFFICER).post(page("withdraw", application), {"reason": "x"})


def document(office: Office) -> None:
    application = office.waiting()
    row = Document(application=application, kind=Document.Kind.OTHER, original_name="a", size=1)
    row.key, row.content_type, row.sha256 = "a", "text/plain", "0" * 64
    row.file.save("a.txt", ContentFile(b"a"))
    answer: Any = office.client(Role.MANAGER).get(page("document", application, row.pk))
    b"".join(answer.streaming_content)


def upload(office: Office) -> None:
    application = office.waiting()
    typed = {"kind": "other", "file": SimpleUploadedFile("slip.pdf", files.PDF, "application/pdf")}
    office.client(Role.LOAN_OFFICER).post(page("upload", application), typed)


# --- Operations ---------------------------------------------------------------------------


def restart(office: Office) -> None:
    application = trouble.stuck(office.officer()).application
    office.client(Role.OPERATIONS).post(page("restart", application), REASON)


def stop(office: Office) -> None:
    office.client(Role.OPERATIONS).post(page("stop", office.waiting()), REASON)


def pause(office: Office) -> None:
    office.client(Role.OPERATIONS).post(page("pause", office.waiting()), REASON)


def resume(office: Office) -> None:
    application = office.waiting()
    execution_pause(reference=application.reference, user=office.user(Role.OPERATIONS), reason="x")
    office.client(Role.OPERATIONS).post(page("resume", application), REASON)


def paid(office: Office) -> None:
    application = trouble.payout_unknown(office.officer()).application
    typed = {"note": "As the statement says.", "rail_reference": "R-1"}
    office.client(Role.OPERATIONS).post(page("paid", application), typed)


def not_paid(office: Office) -> None:
    application = trouble.payout_unknown(office.officer()).application
    typed = {"note": "As the statement says."}
    office.client(Role.OPERATIONS).post(page("not_paid", application), typed)


def settle(office: Office) -> None:
    """A senior manager confirms what Operations found."""
    paid(office)
    confirm(office, Role.SENIOR_MANAGER)


def resend(office: Office) -> None:
    incident = trouble.start_given_up(office.officer())
    assert incident.message is not None
    client = office.client(Role.OPERATIONS)
    client.post(address("workflows_outboxmessage_resend", incident.message.pk))


def acknowledge(office: Office) -> None:
    incident = trouble.stuck(office.officer())
    office.client(Role.OPERATIONS).post(address("workflows_incident_acknowledge", incident.pk))


def resolve(office: Office) -> None:
    incident = trouble.answer_given_up(office.officer(), office.user(Role.MANAGER))
    client = office.client(Role.OPERATIONS)
    client.post(address("workflows_incident_resolve", incident.pk), {"note": "Done by hand."})


def reconcile(office: Office) -> None:
    with lambda_stub(office.monkeypatch) as stub:
        stub.pages += [{"DurableExecutions": []}, {"DurableExecutions": []}]
        office.client(Role.OPERATIONS).post(address("workflows_incident_reconcile"))


# --- Webhooks ---------------------------------------------------------------------------------

HOOKS = "https://hooks.example.invalid/loans"


def endpoint_add(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    client.post(
        address("webhooks_webhookendpoint_add"),
        {"partner": partner.pk, "url": HOOKS, "event_types": ["application.funded"]},
    )


def _endpoint() -> WebhookEndpoint:
    return endpoint_create(partner=Partner.objects.create(name="Maple Brokers"), url=HOOKS)[0]


def endpoint_rotate(office: Office) -> None:
    row = _endpoint()
    office.client(Role.PARTNER_MANAGER).post(address("webhooks_webhookendpoint_rotate", row.pk))


def endpoint_disabled(office: Office) -> None:
    row = _endpoint()
    office.client(Role.PARTNER_MANAGER).post(
        address("webhooks_webhookendpoint_disable", row.pk), REASON
    )


def endpoint_enabled(office: Office) -> None:
    row = _endpoint()
    endpoint_disable(endpoint=row, why="By hand.")
    office.client(Role.PARTNER_MANAGER).post(
        address("webhooks_webhookendpoint_enable", row.pk), REASON
    )


def _failed() -> WebhookDelivery:
    """A webhook that was given up."""
    row = _endpoint()
    casework.submit(None, partner=row.partner)
    WebhookDelivery.objects.update(status="failed")
    return WebhookDelivery.objects.get()


def delivery_resend(office: Office) -> None:
    row = _failed()
    office.client(Role.OPERATIONS).post(address("webhooks_webhookdelivery_resend", row.pk))


def deliveries_resend(office: Office) -> None:
    row = _failed()
    typed = {"action": "resend_selected", "index": "0", "_selected_action": [row.pk]}
    client = office.client(Role.OPERATIONS)
    client.post(address("webhooks_webhookdelivery_changelist"), typed)


# --- Policies, partners, delegations ------------------------------------------------------


def policy_draft(office: Office, client: Client) -> LendingPolicy:
    add = address("lending_lendingpolicy_add")
    client.post(add, typed_from(client.get(add)) | {"authorities-0-ceiling": "300000.00"})
    return LendingPolicy.objects.get(version=2)


def policy_add(office: Office) -> None:
    policy_draft(office, office.client(Role.POLICY_OWNER))


def policy_change(office: Office) -> None:
    draft = policy_draft(office, office.client(Role.POLICY_OWNER))
    client = office.client(Role.POLICY_OWNER)
    change = address("lending_lendingpolicy_change", draft.pk)
    client.post(change, typed_from(client.get(change)) | {"authorities-0-ceiling": "310000.00"})


def policy_propose(office: Office) -> None:
    draft = policy_draft(office, office.client(Role.POLICY_OWNER))
    office.client(Role.POLICY_OWNER).post(address("lending_lendingpolicy_publish", draft.pk))


def policy_publish(office: Office) -> None:
    """Another owner confirms what one proposed."""
    policy_propose(office)
    confirm(office, Role.POLICY_OWNER)


def confirm(office: Office, *roles: Role) -> None:
    """Somebody else, in these roles, confirms the one proposal."""
    client = office.client(*roles)
    client.post(address("accounts_proposal_confirm", Proposal.objects.get().pk))


def reason_add(office: Office) -> None:
    client = office.client(Role.POLICY_OWNER)
    add = address("reviews_declinereason_add")
    said = {"code": "SCENARIO", "text": "Other.", "kinds": "manager_approval"}
    client.post(add, typed_from(client.get(add)) | said)


def reason_change(office: Office) -> None:
    reason = DeclineReason.objects.order_by("pk").first()
    assert reason is not None
    client = office.client(Role.POLICY_OWNER)
    change = address("reviews_declinereason_change", reason.pk)
    typed = typed_from(client.get(change))
    typed.pop("active", None)
    client.post(change, typed)


def partner_add(office: Office) -> None:
    client = office.client(Role.PARTNER_MANAGER)
    add = address("partners_partner_add")
    client.post(add, typed_from(client.get(add)) | {"name": "Maple", "is_active": "on"})


def partner_change(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    change = address("partners_partner_change", partner.pk)
    client.post(change, typed_from(client.get(change)) | {"name": "Birch"})


def key_issue(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    client.post(
        address("partners_partner_issue_key", partner.pk), {"scopes": ["applications:read"]}
    )


def key_revoke(office: Office) -> None:
    partner_key_issue(partner=Partner.objects.create(name="Maple"))
    row = PartnerKey.objects.get()
    office.client(Role.PARTNER_MANAGER).post(address("partners_partnerkey_revoke", row.pk))


def key_rotate(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    partner_key_issue(partner=partner, scopes=("applications:read",))
    row = PartnerKey.objects.get()
    client = office.client(Role.PARTNER_MANAGER)
    client.post(address("partners_partnerkey_rotate", row.pk), {"overlap": "24"})


def key_expire(office: Office) -> None:
    partner_key_issue(partner=Partner.objects.create(name="Maple"))
    row = PartnerKey.objects.get()
    typed = {"expires_at": moment_typed(timezone.now() + timedelta(days=1))}
    office.client(Role.PARTNER_MANAGER).post(address("partners_partnerkey_expire", row.pk), typed)


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


def delegation_add(office: Office) -> None:
    client = office.client(Role.MANAGER)
    delegate = office.user(Role.MANAGER)
    now = timezone.now()
    typed = {
        "delegate": delegate.pk,
        "starts_at": moment_typed(now),
        "ends_at": moment_typed(now + timedelta(days=1)),
    }
    if office.actor is not None and office.actor.is_superuser:
        typed["delegator"] = office.user(Role.MANAGER).pk
    client.post(address("reviews_delegation_add"), typed)


def delegation_revoke(office: Office) -> None:
    delegation_add(office)
    delegator = office.actor
    given = Delegation.objects.get()
    office.client(user=delegator).post(address("reviews_delegation_revoke", given.pk))


# --- Accounts -----------------------------------------------------------------------------


def user_add(office: Office) -> None:
    typed = {"username": "new", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    office.client(root=True).post(address("auth_user_add"), {**typed, "usable_password": "true"})


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


def show_code(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})


def confirm_again(office: Office) -> None:
    office.client(Role.MANAGER).post(reverse("account:again"), {"typed": "demo"})


def end_sessions(office: Office) -> None:
    client = office.client(Role.MANAGER)
    office.client(user=office.actor)
    client.post(reverse("account:end_sessions"))


def renew_codes(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})
    client.post(reverse("account:renew"), {"code": codes[1]})


def remove_factor(office: Office) -> None:
    client, codes = enrolled(office)
    client.post(reverse("account:code"), {"code": codes[0]})
    client.post(reverse("account:remove"), {"code": codes[1]})


def export_list(office: Office) -> None:
    answer: Any = office.client(Role.AUDITOR).post(address("applications_loanapplication_export"))
    b"".join(answer.streaming_content)


def export_log(office: Office) -> None:
    answer: Any = office.client(Role.AUDITOR).post(address("audit_auditentry_export"))
    b"".join(answer.streaming_content)


# --- The API ------------------------------------------------------------------------------


def _partner(office: Office) -> tuple[Client, Partner]:
    partner = Partner.objects.create(name="Maple Brokers")
    _, key = partner_key_issue(partner=partner)
    return Client(headers={"Authorization": f"Bearer {key}"}), partner


def api_submit(office: Office) -> None:
    client, _ = _partner(office)
    body = {"applicant_name": "Alice", "sin_last4": "1111", "loan_amount": "1000.00"}
    client.post("/api/v1/applications/", body, content_type="application/json")


def api_withdraw(office: Office) -> None:
    client, partner = _partner(office)
    application = casework.waiting_for_manager(None, partner=partner)
    client.post(path(application.reference, "withdraw/"), {}, content_type="application/json")


def api_decide(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(
        path(application.reference, "decision/"),
        {"approved": True},
        content_type="application/json",
    )


def api_upload(office: Office) -> None:
    client, partner = _partner(office)
    application = casework.waiting_for_manager(None, partner=partner)
    sent = {"kind": "other", "file": SimpleUploadedFile("slip.pdf", files.PDF, "application/pdf")}
    client.post(path(application.reference, "documents/"), sent)


def _offered(office: Office) -> tuple[Client, str]:
    """A partner, and a case of its that waits for the applicant's answer."""
    client, partner = _partner(office)
    application = casework.offered(None, partner=partner)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    return client, application.reference


def api_accept(office: Office) -> None:
    client, reference = _offered(office)
    client.post(path(reference, "offer/accept/"), {}, content_type="application/json")


def api_refuse(office: Office) -> None:
    client, reference = _offered(office)
    client.post(path(reference, "offer/decline/"), {}, content_type="application/json")


def api_webhook_resend(office: Office) -> None:
    client, partner = _partner(office)
    endpoint_create(partner=partner, url=HOOKS)
    casework.submit(None, partner=partner)
    event = WebhookEvent.objects.get()
    where = reverse("webhook_api:resend", args=[event.public_id])
    client.post(where, {}, content_type="application/json")


def vendor_answers(office: Office) -> None:
    office.monkeypatch.setattr(settings, "LOANOFFICE_FRAUD_VENDOR_SECRETS", [SECRET])
    application = casework.submit(office.officer())
    casework.assess(application)
    assert send(wait_for_vendor(application), FLAGGED).status_code == 202


@dataclass(frozen=True)
class Change:
    """``beside``: what it does looks into the database beside the test's transaction.

    ``who``: an outside service, which is neither a person nor a partner.
    """

    cause: Callable[[Office], None]
    action: Action
    beside: bool = False
    who: str = ""


CASE = "admin:applications_loanapplication_"
# The name of an address -> what a POST to it causes.
CHANGES = {
    f"{CASE}add": Change(add, Action.SUBMITTED),
    f"{CASE}change": Change(change, Action.CHANGED),
    "callbacks:answer": Change(vendor_answers, Action.DECIDED, who="fraud vendor"),
    f"{CASE}reveal": Change(reveal, Action.REVEALED),
    f"{CASE}decide": Change(decide, Action.DECIDED),
    f"{CASE}decide_selected": Change(decide_selected, Action.DECIDED),
    f"{CASE}go_on": Change(go_on, Action.DECIDED),
    f"{CASE}claim": Change(claim, Action.CLAIMED),
    f"{CASE}release": Change(release, Action.CLAIMED),
    f"{CASE}take-over": Change(take_over, Action.CLAIMED),
    "admin:reviews_reviewtask_changelist": Change(claim_selected, Action.CLAIMED),
    f"{CASE}withdraw": Change(withdraw, Action.WITHDRAWN),
    f"{CASE}export": Change(export_list, Action.EXPORTED),
    f"{CASE}upload": Change(upload, Action.CREATED),
    f"{CASE}document": Change(document, Action.DOWNLOADED),
    f"{CASE}restart": Change(restart, Action.OPERATED),
    f"{CASE}stop": Change(stop, Action.OPERATED),
    f"{CASE}pause": Change(pause, Action.OPERATED),
    f"{CASE}resume": Change(resume, Action.OPERATED),
    f"{CASE}paid": Change(paid, Action.PROPOSED, beside=True),
    f"{CASE}not_paid": Change(not_paid, Action.PROPOSED, beside=True),
    "admin:workflows_outboxmessage_resend": Change(resend, Action.OPERATED),
    "admin:workflows_incident_acknowledge": Change(acknowledge, Action.OPERATED),
    "admin:workflows_incident_resolve": Change(resolve, Action.OPERATED),
    "admin:workflows_incident_reconcile": Change(reconcile, Action.OPERATED),
    "admin:webhooks_webhookendpoint_add": Change(endpoint_add, Action.CREATED),
    "admin:webhooks_webhookendpoint_rotate": Change(endpoint_rotate, Action.ISSUED),
    "admin:webhooks_webhookendpoint_disable": Change(endpoint_disabled, Action.CHANGED),
    "admin:webhooks_webhookendpoint_enable": Change(endpoint_enabled, Action.CHANGED),
    "admin:webhooks_webhookdelivery_resend": Change(delivery_resend, Action.OPERATED),
    "admin:webhooks_webhookdelivery_changelist": Change(deliveries_resend, Action.OPERATED),
    "admin:lending_lendingpolicy_add": Change(policy_add, Action.CREATED),
    "admin:lending_lendingpolicy_change": Change(policy_change, Action.CHANGED),
    "admin:lending_lendingpolicy_publish": Change(policy_propose, Action.PROPOSED),
    "admin:reviews_declinereason_add": Change(reason_add, Action.CREATED),
    "admin:reviews_declinereason_change": Change(reason_change, Action.CHANGED),
    "admin:partners_partner_add": Change(partner_add, Action.CREATED),
    "admin:partners_partner_change": Change(partner_change, Action.CHANGED),
    "admin:partners_partner_issue_key": Change(key_issue, Action.ISSUED),
    "admin:partners_partnerkey_revoke": Change(key_revoke, Action.REVOKED),
    "admin:partners_partnerkey_rotate": Change(key_rotate, Action.ISSUED),
    "admin:partners_partnerkey_expire": Change(key_expire, Action.CHANGED),
    "admin:reviews_delegation_add": Change(delegation_add, Action.CREATED),
    "admin:reviews_delegation_revoke": Change(delegation_revoke, Action.REVOKED),
    "admin:accounts_proposal_confirm": Change(proposal_confirm, Action.CONFIRMED),
    "admin:accounts_proposal_reject": Change(proposal_reject, Action.REJECTED),
    "admin:accounts_proposal_withdraw": Change(proposal_withdraw, Action.REJECTED),
    "admin:auth_user_add": Change(user_add, Action.CREATED),
    "admin:auth_user_change": Change(user_change, Action.CHANGED),
    "admin:auth_user_access": Change(user_access, Action.CHANGED),
    "admin:auth_user_password_change": Change(user_password, Action.PASSWORD),
    "admin:auth_user_delete": Change(user_delete, Action.DELETED),
    "admin:auth_user_changelist": Change(users_delete, Action.DELETED),
    "admin:auth_group_add": Change(group_add, Action.CREATED),
    "admin:auth_group_change": Change(group_change, Action.CHANGED),
    "admin:auth_group_delete": Change(group_delete, Action.DELETED),
    "admin:accounts_requiredsecondfactor_add": Change(required_add, Action.CREATED),
    "admin:accounts_requiredsecondfactor_delete": Change(required_delete, Action.DELETED),
    "admin:accounts_secondfactor_reset": Change(factor_reset, Action.SECOND_FACTOR),
    "admin:accounts_failedsignin_lift": Change(lockout_lift, Action.UNLOCKED),
    "admin:audit_auditentry_export": Change(export_log, Action.EXPORTED),
    "admin:login": Change(log_in, Action.SIGNED_IN),
    "admin:logout": Change(log_out, Action.SIGNED_OUT),
    "admin:password_change": Change(own_password, Action.PASSWORD),
    "account:code": Change(show_code, Action.SECOND_FACTOR),
    "account:again": Change(confirm_again, Action.STEPPED_UP),
    "account:end_sessions": Change(end_sessions, Action.SIGNED_OUT),
    "account:enrol": Change(enrol, Action.SECOND_FACTOR),
    "account:renew": Change(renew_codes, Action.SECOND_FACTOR),
    "account:remove": Change(remove_factor, Action.SECOND_FACTOR),
    "api:applications": Change(api_submit, Action.SUBMITTED),
    "api:withdraw": Change(api_withdraw, Action.WITHDRAWN),
    "review_api:decision": Change(api_decide, Action.DECIDED),
    "api:documents": Change(api_upload, Action.CREATED),
    "review_api:offer-accept": Change(api_accept, Action.DECIDED),
    "review_api:offer-decline": Change(api_refuse, Action.DECIDED),
    "webhook_api:resend": Change(api_webhook_resend, Action.OPERATED),
}

# Pages that change nothing, whatever is sent to them.
READS = {
    f"{CASE}live",
    f"{CASE}timeline",
    "admin:reviews_bulkdecision_live",
    "account:home",
    "account:qr",
    "admin:app_list",
    "admin:autocomplete",
    "admin:index",
    "admin:jsi18n",
    "admin:password_change_done",
    "admin:queue",
    "admin:view_on_site",
    "api:application",
    "partner_api:docs",
    "api:document",
    "api:events",
    "partner_api:schema",
    "webhook_api:events",
}
