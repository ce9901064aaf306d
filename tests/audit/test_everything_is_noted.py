"""No change without an entry: every address and every service that acts for somebody is tried.

What is added later is found here: it has to be said what it is, and tried if it changes anything.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FrameType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.roles import Role
from audit.admin.base import AuditedAdmin
from audit.models import AuditEntry
from tests.audit.scenarios.office import Office
from tests.audit.scenarios.table import CHANGES, READS, Change
from tests.hard_cases.stored import everything_stored
from tests.sizes import some

BESIDE = pytest.mark.django_db(transaction=True)
# What Django makes for each model; ``CHANGES`` has those that can be used.
OF_MODELS = ("changelist", "add", "change", "delete", "history")


@pytest.fixture
def office(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(make_user, monkeypatch)


def cases(changes: dict[str, Change]) -> list[Any]:
    return [
        pytest.param(change, id=name, marks=[BESIDE] if change.beside else [pytest.mark.django_db])
        for name, change in changes.items()
    ]


@pytest.mark.long
@pytest.mark.parametrize("change", some(cases(CHANGES), of=8))
def test_change_leaves_an_entry_that_says_who(office: Office, change: Change) -> None:
    """The scenario that stands for a service really goes through it, so its entry is seen here."""
    services = {name for name, address in ACTS.items() if CHANGES[address] is change}
    if services:
        called = calls(partial(change.cause, office))
        assert {name for name in services if code_of(name) not in called} == set()
    else:
        change.cause(office)

    found = AuditEntry.objects.filter(action=change.action).order_by("-id").first()
    assert found is not None
    if change.who:
        assert (found.actor, found.who, found.is_partner) == (None, change.who, False)
    elif found.is_partner:
        assert (found.actor, found.who) == (None, "Maple Brokers")
    else:
        assert office.actor is not None
        assert (found.actor, found.who) == (office.actor, office.actor.get_username())
    assert found.address == "127.0.0.1"
    assert found.request_id
    assert found.message


def calls(do: Callable[[], object]) -> set[CodeType]:
    """Return the code of every function that ``do`` calls in this thread."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(None)
    return called


def code_of(service: str) -> CodeType:
    module, _, name = service.rpartition(".")
    code: CodeType = inspect.unwrap(getattr(importlib.import_module(module), name)).__code__
    return code


# --- Addresses ----------------------------------------------------------------------------


def names(patterns: list[Any], namespaces: tuple[str, ...] = ()) -> Iterator[str]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            inside = namespaces + ((pattern.namespace,) if pattern.namespace else ())
            yield from names(pattern.url_patterns, inside)
        elif pattern.name:
            yield ":".join((*namespaces, pattern.name))


def names_of_models() -> set[str]:
    return {
        f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"
        for model in admin.site._registry
        for view in OF_MODELS
    }


def test_every_address_is_known_here() -> None:
    """A page that is not, belongs into ``CHANGES`` with a scenario, or into ``READS``."""
    there = set(names(get_resolver().url_patterns)) - names_of_models()
    own = CHANGES.keys() - names_of_models()

    assert own | READS == there
    assert not own & READS


@pytest.mark.django_db
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_what_a_superuser_may_do_to_a_model_is_tried_here_and_noted(
    model: Any, make_user: Callable[..., User], rf: Any
) -> None:
    """Each of Django's own pages refuses even a superuser, or has a scenario."""
    model_admin = admin.site._registry[model]
    request = rf.get("/")
    request.user = make_user("root", *Role, is_superuser=True)
    may = {
        "add": model_admin.has_add_permission(request),
        "change": model_admin.has_change_permission(request),
        "delete": model_admin.has_delete_permission(request),
    }
    prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
    tried = {view for view in may if f"{prefix}{view}" in CHANGES}

    assert {view for view, allowed in may.items() if allowed} <= tried
    if tried:
        assert isinstance(model_admin, AuditedAdmin)
    actions = set(model_admin.get_actions(request))
    assert actions <= {"delete_selected", *KNOWN_ACTIONS}, "say what the action leaves"
    if "delete_selected" in actions:
        assert may["delete"]


# They lead to a page that asks, whose POST is in ``CHANGES``.
KNOWN_ACTIONS = {
    "approve_selected",
    "decline_selected",
    "approve_tasks",
    "decline_tasks",
    "claim_selected",
    "release_selected",
    "resend_selected",
}


@pytest.mark.django_db
def test_pages_that_only_read_change_nothing_whatever_is_sent(
    office: Office, make_user: Callable[..., User]
) -> None:
    application = office.waiting()
    client = Client(raise_request_exception=False)
    client.force_login(make_user("root", *Role, is_superuser=True))
    arguments = {
        "admin:reviews_bulkdecision_live": [1],
        "admin:applications_loanapplication_live": [application.pk],
        "admin:applications_loanapplication_timeline": [application.pk],
        "account:invitation_link": [1, "abc-def"],
        "admin:app_list": ["applications"],
        "admin:view_on_site": [1, quote("1")],
        "api:application": [application.reference],
        "api:document": ["x"],
        "api:events": [application.reference],
    }
    before = everything_stored()

    for name in READS:
        client.post(reverse(name, args=arguments.get(name, [])), {"version": 1, "reason": "x"})

    assert everything_stored() == before


# --- Services -----------------------------------------------------------------------------

PEOPLE = {"user", "by", "partner"}
PACKAGES = (
    "accounts.services",
    "applications.services",
    "partners.services",
    "reviews.services",
    "workflows.steps",
)
MODULES = (
    "accounts.proposals",
    "lending.proposals",
    "lending.services",
    "partners.proposals",
    "reviews.proposals",
    "core.own_lists",
    "workflows.incidents",
    "workflows.kind_restarts",
    "workflows.new_orders",
    "workflows.operations",
    "workflows.proposals",
    "workflows.reconcile.manual",
    "webhooks.endpoints",
    "webhooks.events",
)
# Services that act for somebody and change nothing: they answer, or only read.
ANSWERS = {
    "accounts.proposals.confirmation_prepare",
    "core.own_lists.own_list_of",
    "workflows.kind_restarts.kind_preview",
    "workflows.kind_restarts.kind_restart_prepare",
    "workflows.operations.restart_prepare",
    "workflows.proposals.settlement_prepare",
    "accounts.proposals.decides_some",
    "accounts.proposals.proposals_waiting_on",
    "reviews.services.authority.person_or_refuse",
    "reviews.services.delegation.delegated_rights",
    "reviews.services.delegation.own_right",
    "accounts.services.access.access_of",
    "accounts.services.second_factor.secret_shown",
    "accounts.services.sessions.open_sessions",
    "accounts.services.access.may_administer",
    "reviews.services.claims.may_take_over",
    "reviews.services.decisions.count_waiting_on",
    "reviews.services.mail_choices.mail_mode",
    "reviews.services.notifications.count_unread",
    "reviews.services.notifications.notifications_of",
    "reviews.services.notifications.notifications_unread",
    "reviews.services.decisions.may_decide_some",
    "reviews.services.decisions.tasks_waiting_on",
    "partners.services.throttling.partner_counter",
    "partners.services.throttling.rate_of",
    "reviews.services.authority.authority",
    "reviews.services.authority.check_not_claimed",
    "reviews.services.decisions.tasks_decidable",
    "webhooks.events.event_get",
    "webhooks.events.events_of",
}
# Services that act for somebody -> the address whose scenario makes them act.
ACTS = {
    "accounts.proposals.proposal_open": "admin:lending_lendingpolicy_publish",
    "accounts.proposals.proposal_confirm": "admin:accounts_proposal_confirm",
    "accounts.proposals.proposal_reject": "admin:accounts_proposal_reject",
    "accounts.proposals.proposal_withdraw": "admin:accounts_proposal_withdraw",
    "reviews.services.bulk_decisions.bulk_begin": (
        "admin:applications_loanapplication_decide_selected"
    ),
    "reviews.services.claims.task_claim": "admin:applications_loanapplication_claim",
    "reviews.services.claims.task_release": "admin:applications_loanapplication_release",
    "reviews.services.information.information_ask": "admin:applications_loanapplication_send_back",
    "reviews.services.information.information_answer": "admin:applications_loanapplication_answer",
    "reviews.services.delegation.delegation_create": "admin:reviews_delegation_add",
    "reviews.services.delegation.delegation_revoke": "admin:reviews_delegation_revoke",
    "applications.services.documents.document_add": "api:documents",
    "applications.services.documents.upload_stored": "admin:applications_loanapplication_upload",
    "applications.services.intake.application_create": "admin:applications_loanapplication_add",
    "applications.services.intake.application_create_and_submit": "api:applications",
    "applications.services.intake.application_edit": "admin:applications_loanapplication_change",
    "applications.services.intake.application_submit": "admin:applications_loanapplication_add",
    "applications.services.intake.application_withdraw": "api:withdraw",
    "applications.services.notes.note_add": "admin:applications_loanapplication_note",
    "applications.services.exports.export_record": "admin:applications_loanapplication_export",
    "workflows.proposals.settlement_propose": "admin:applications_loanapplication_paid",
    "workflows.new_orders.new_order_propose": "admin:applications_loanapplication_order_anew",
    "reviews.services.offer_answers.offer_answer": "review_api:offer-accept",
    "reviews.services.mail_choices.mail_mode_set": "admin:notifications",
    "reviews.services.notifications.notifications_read": "admin:notifications",
    "partners.proposals.key_issue": "admin:partners_partner_issue_key",
    "partners.proposals.key_rotate": "admin:partners_partnerkey_rotate",
    "partners.services.keys.partner_key_issue": "admin:partners_partner_issue_key",
    "partners.services.keys.partner_key_revoke": "admin:partners_partnerkey_revoke",
    "partners.services.keys.partner_key_rotate": "admin:partners_partnerkey_rotate",
    "partners.services.keys.partner_key_expire": "admin:partners_partnerkey_expire",
    "lending.proposals.publication_propose": "admin:lending_lendingpolicy_publish",
    "reviews.services.decisions.task_decide": "review_api:decision",
    "reviews.services.decisions.tasks_decide": "admin:applications_loanapplication_decide_selected",
    "applications.services.access_log.contact_searched": "admin:search",
    "applications.services.access_log.contact_reveal": "admin:applications_loanapplication_reveal",
    "applications.services.access_log.document_downloaded": (
        "admin:applications_loanapplication_document"
    ),
    "workflows.operations.application_restart": "admin:applications_loanapplication_restart",
    "workflows.operations.application_stop": "admin:applications_loanapplication_stop",
    "workflows.operations.execution_pause": "admin:applications_loanapplication_pause",
    "workflows.operations.execution_resume": "admin:applications_loanapplication_resume",
    "workflows.operations.message_resend": "admin:workflows_outboxmessage_resend",
    "workflows.incidents.incident_acknowledge": "admin:workflows_incident_acknowledge",
    "workflows.incidents.incident_resolve": "admin:workflows_incident_resolve",
    "workflows.incidents.incidents_close": "admin:applications_loanapplication_restart",
    "core.own_lists.filter_save": "admin:lists",
    "core.own_lists.filters_change": "admin:lists",
    "core.own_lists.columns_choose": "admin:lists",
    "workflows.kind_restarts.incidents_restart": "admin:workflows_incident_restart_kind",
    "workflows.incidents.mark_resolved": "admin:workflows_incident_resolve",
    "webhooks.endpoints.endpoint_create": "admin:webhooks_webhookendpoint_add",
    "webhooks.endpoints.endpoint_disable": "admin:webhooks_webhookendpoint_disable",
    "webhooks.endpoints.endpoint_enable": "admin:webhooks_webhookendpoint_enable",
    "webhooks.endpoints.endpoint_rotate": "admin:webhooks_webhookendpoint_rotate",
    "webhooks.events.endpoint_test": "admin:webhooks_webhookendpoint_test",
    "webhooks.events.deliveries_resend": "admin:webhooks_webhookdelivery_changelist",
    "webhooks.events.delivery_resend": "admin:webhooks_webhookdelivery_resend",
    "webhooks.events.event_resend": "webhook_api:resend",
    "workflows.reconcile.manual.reconcile_manually": "admin:workflows_incident_reconcile",
    "accounts.services.second_factor.enrolment_begin": "account:enrol",
    "accounts.services.second_factor.enrolment_confirm": "account:enrol",
    "accounts.services.second_factor.code_check": "account:code",
    "accounts.services.step_up.step_up": "account:again",
    "accounts.services.sessions.sessions_end_others": "account:end_sessions",
    "accounts.services.second_factor.secret_confirm": "account:invitation",
    "accounts.services.invitations.invitation_send": "admin:auth_user_invite",
    "accounts.services.second_factor.recovery_codes_renew": "account:renew",
    "accounts.services.second_factor.second_factor_remove": "account:remove",
    "accounts.services.second_factor.second_factor_reset": "admin:accounts_secondfactor_reset",
    "accounts.services.access.access_write": "admin:auth_user_access",
    "accounts.services.access_grants.access_change": "admin:auth_user_access",
    "accounts.services.sign_in.lockout_lift": "admin:accounts_failedsignin_lift",
    "accounts.services.sign_in.password_changed": "admin:password_change",
    "accounts.services.sign_in.signed_in": "admin:login",
    "accounts.services.sign_in.signed_out": "admin:logout",
}
# Tried where their conditions are made: tests of their own.
TRIED_ELSEWHERE = {
    "reviews.proposals.delegation_propose",  # tests/reviews/services/test_delegation_proposals.py
    "reviews.services.approvals.approvals_void_after_edit",  # tests/hard_cases/test_case_28
    "applications.services.timeline.event_make",  # inside of nearly all of the others
    "applications.services.timeline.event_record",  # inside of nearly all of the others
    "workflows.steps.payout.payout_found",  # tests/workflows/test_payout_settlement.py
    "accounts.services.access.host_act_record",  # tests/accounts/test_access_notices.py
    "accounts.services.sessions.session_end",  # tests/accounts/test_open_sessions.py
    # tests/applications/admin/test_contact_reveal.py
    "applications.services.access_log.application_viewed",
    "applications.services.access_log.application_read",  # below
    "applications.services.access_log.applications_read",  # below
    "applications.services.access_log.documents_linked",  # tests/applications/api/documents
}


def services() -> dict[str, Any]:
    """Public functions that take somebody they act for, by their full name."""
    modules = [importlib.import_module(name) for name in MODULES]
    for name in PACKAGES:
        package = importlib.import_module(name)
        modules += [
            importlib.import_module(f"{name}.{found.name}")
            for found in pkgutil.iter_modules(package.__path__)
        ]
    return {
        f"{module.__name__}.{name}": function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and not name.endswith("_check")
        and PEOPLE & inspect.signature(function).parameters.keys()
    }


def test_every_service_that_acts_for_somebody_is_known_here() -> None:
    known = {*ACTS, *ANSWERS, *TRIED_ELSEWHERE}

    # ``code_check`` is no check that a page asks; it takes a code.
    assert services().keys() | {"accounts.services.second_factor.code_check"} == known


@pytest.mark.django_db
def test_reads_by_a_staff_session_at_the_api_are_noted(office: Office) -> None:
    application = office.waiting()
    client = office.client()
    client.force_login(office.make_user("root", *Role, is_superuser=True))

    for _ in range(2):
        client.get(f"/api/v1/applications/{application.reference}/")
        client.get(f"/api/v1/applications/{application.reference}/events/")
    client.get("/api/v1/applications/", {"status": "pending_approval"})

    looks = AuditEntry.objects.filter(action="viewed").order_by("id")
    assert [entry.message for entry in looks] == [
        "Read the application through the API.",
        "Read a list of 1 applications through the API.",
    ]
    assert looks[0].reference == application.reference
    assert looks[1].details == {
        "query": {"status": "pending_approval"},
        "references": [application.reference],
    }
