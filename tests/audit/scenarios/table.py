"""One scenario for each address that changes something, and the addresses that only read.

Each takes an ``Office``, causes one change as ``office.actor`` through the page or the endpoint
that people use, and leaves it to the test to look for the entry. A page or a service that is
added later needs one here: see ``test_everything_is_noted``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from audit.models import Action
from tests.audit.scenarios import (
    accounts,
    api,
    applications,
    operations,
    policies_and_partners,
    webhooks,
)
from tests.audit.scenarios.office import Office


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
    f"{CASE}add": Change(applications.add, Action.SUBMITTED),
    f"{CASE}change": Change(applications.change, Action.CHANGED),
    "callbacks:answer": Change(api.vendor_answers, Action.DECIDED, who="fraud vendor"),
    f"{CASE}reveal": Change(applications.reveal, Action.REVEALED),
    "admin:lists": Change(accounts.own_list, Action.CHANGED),
    "admin:search": Change(applications.search_contact, Action.REVEALED),
    f"{CASE}decide": Change(applications.decide, Action.DECIDED),
    f"{CASE}decide_selected": Change(applications.decide_selected, Action.DECIDED),
    f"{CASE}go_on": Change(applications.go_on, Action.DECIDED),
    f"{CASE}send_back": Change(applications.send_back, Action.CHANGED),
    f"{CASE}answer": Change(applications.answer, Action.CHANGED),
    f"{CASE}claim": Change(applications.claim, Action.CLAIMED),
    f"{CASE}release": Change(applications.release, Action.CLAIMED),
    f"{CASE}take-over": Change(applications.take_over, Action.CLAIMED),
    "admin:reviews_reviewtask_changelist": Change(applications.claim_selected, Action.CLAIMED),
    f"{CASE}withdraw": Change(applications.withdraw, Action.WITHDRAWN),
    f"{CASE}export": Change(accounts.export_list, Action.EXPORTED),
    f"{CASE}upload": Change(applications.upload, Action.CREATED),
    f"{CASE}note": Change(applications.note, Action.CREATED),
    f"{CASE}document": Change(applications.document, Action.DOWNLOADED),
    f"{CASE}preview": Change(applications.preview, Action.DOWNLOADED),
    f"{CASE}restart": Change(operations.restart, Action.OPERATED),
    f"{CASE}stop": Change(operations.stop, Action.OPERATED),
    f"{CASE}pause": Change(operations.pause, Action.OPERATED),
    f"{CASE}resume": Change(operations.resume, Action.OPERATED),
    f"{CASE}paid": Change(operations.paid, Action.PROPOSED, beside=True),
    f"{CASE}not_paid": Change(operations.not_paid, Action.PROPOSED, beside=True),
    f"{CASE}order_anew": Change(operations.order_anew, Action.PROPOSED, beside=True),
    "admin:workflows_outboxmessage_resend": Change(operations.resend, Action.OPERATED),
    "admin:workflows_incident_acknowledge": Change(operations.acknowledge, Action.OPERATED),
    "admin:workflows_incident_resolve": Change(operations.resolve, Action.OPERATED),
    "admin:workflows_incident_reconcile": Change(operations.reconcile, Action.OPERATED),
    "admin:workflows_incident_restart_kind": Change(operations.restart_kind, Action.OPERATED),
    "admin:webhooks_webhookendpoint_add": Change(webhooks.endpoint_add, Action.CREATED),
    "admin:webhooks_webhookendpoint_test": Change(webhooks.endpoint_tested, Action.OPERATED),
    "admin:webhooks_webhookendpoint_rotate": Change(webhooks.endpoint_rotate, Action.ISSUED),
    "admin:webhooks_webhookendpoint_disable": Change(webhooks.endpoint_disabled, Action.CHANGED),
    "admin:webhooks_webhookendpoint_enable": Change(webhooks.endpoint_enabled, Action.CHANGED),
    "admin:webhooks_webhookdelivery_resend": Change(webhooks.delivery_resend, Action.OPERATED),
    "admin:webhooks_webhookdelivery_changelist": Change(
        webhooks.deliveries_resend, Action.OPERATED
    ),
    "admin:lending_lendingpolicy_add": Change(policies_and_partners.policy_add, Action.CREATED),
    "admin:lending_lendingpolicy_change": Change(
        policies_and_partners.policy_change, Action.CHANGED
    ),
    "admin:lending_lendingpolicy_publish": Change(
        policies_and_partners.policy_propose, Action.PROPOSED
    ),
    "admin:reviews_declinereason_add": Change(policies_and_partners.reason_add, Action.CREATED),
    "admin:reviews_declinereason_change": Change(
        policies_and_partners.reason_change, Action.CHANGED
    ),
    "admin:partners_partner_add": Change(policies_and_partners.partner_add, Action.CREATED),
    "admin:partners_partner_change": Change(policies_and_partners.partner_change, Action.CHANGED),
    "admin:partners_partner_issue_key": Change(policies_and_partners.key_issue, Action.ISSUED),
    "admin:partners_partnerkey_add": Change(policies_and_partners.key_add, Action.ISSUED),
    "admin:partners_partnerkey_revoke": Change(policies_and_partners.key_revoke, Action.REVOKED),
    "admin:partners_partnerkey_rotate": Change(policies_and_partners.key_rotate, Action.ISSUED),
    "admin:partners_partnerkey_expire": Change(policies_and_partners.key_expire, Action.CHANGED),
    "admin:reviews_delegation_add": Change(policies_and_partners.delegation_add, Action.CREATED),
    "admin:reviews_delegation_revoke": Change(
        policies_and_partners.delegation_revoke, Action.REVOKED
    ),
    "admin:accounts_proposal_confirm": Change(accounts.proposal_confirm, Action.CONFIRMED),
    "admin:accounts_proposal_reject": Change(accounts.proposal_reject, Action.REJECTED),
    "admin:accounts_proposal_withdraw": Change(accounts.proposal_withdraw, Action.REJECTED),
    "admin:auth_user_add": Change(accounts.user_add, Action.CREATED),
    "admin:auth_user_change": Change(accounts.user_change, Action.CHANGED),
    "admin:auth_user_access": Change(accounts.user_access, Action.CHANGED),
    "admin:auth_user_invite": Change(accounts.user_invite, Action.INVITED),
    "admin:auth_user_password_change": Change(accounts.user_password, Action.PASSWORD),
    "admin:auth_user_delete": Change(accounts.user_delete, Action.DELETED),
    "admin:auth_user_changelist": Change(accounts.users_delete, Action.DELETED),
    "admin:auth_group_add": Change(accounts.group_add, Action.CREATED),
    "admin:auth_group_change": Change(accounts.group_change, Action.CHANGED),
    "admin:auth_group_delete": Change(accounts.group_delete, Action.DELETED),
    "admin:accounts_requiredsecondfactor_add": Change(accounts.required_add, Action.CREATED),
    "admin:accounts_requiredsecondfactor_delete": Change(accounts.required_delete, Action.DELETED),
    "admin:accounts_secondfactor_reset": Change(accounts.factor_reset, Action.SECOND_FACTOR),
    "admin:accounts_failedsignin_lift": Change(accounts.lockout_lift, Action.UNLOCKED),
    "admin:audit_auditentry_export": Change(accounts.export_log, Action.EXPORTED),
    "admin:notifications": Change(accounts.read_notifications, Action.CHANGED),
    "admin:login": Change(accounts.log_in, Action.SIGNED_IN),
    "admin:logout": Change(accounts.log_out, Action.SIGNED_OUT),
    "admin:password_change": Change(accounts.own_password, Action.PASSWORD),
    "account:code": Change(accounts.show_code, Action.SECOND_FACTOR),
    "account:again": Change(accounts.confirm_again, Action.STEPPED_UP),
    "account:end_sessions": Change(accounts.end_sessions, Action.SIGNED_OUT),
    "account:enrol": Change(accounts.enrol, Action.SECOND_FACTOR),
    "account:invitation": Change(accounts.accept_invitation, Action.INVITED),
    "account:renew": Change(accounts.renew_codes, Action.SECOND_FACTOR),
    "account:remove": Change(accounts.remove_factor, Action.SECOND_FACTOR),
    "api:applications": Change(api.api_submit, Action.SUBMITTED),
    "api:withdraw": Change(api.api_withdraw, Action.WITHDRAWN),
    "review_api:decision": Change(api.api_decide, Action.DECIDED),
    "api:documents": Change(api.api_upload, Action.CREATED),
    "review_api:offer-accept": Change(api.api_accept, Action.DECIDED),
    "review_api:offer-decline": Change(api.api_refuse, Action.DECIDED),
    "webhook_api:resend": Change(api.api_webhook_resend, Action.OPERATED),
}
# Pages that change nothing, whatever is sent to them.
READS = {
    f"{CASE}live",
    f"{CASE}timeline",
    "admin:reviews_bulkdecision_live",
    "account:home",
    "account:invitation_link",
    "account:qr",
    "admin:app_list",
    "admin:autocomplete",
    "admin:index",
    "admin:jsi18n",
    "admin:password_change_done",
    "admin:open_tasks",
    "admin:search_suggestions",
    "admin:view_on_site",
    "api:application",
    "partner_api:docs",
    "api:document",
    "api:events",
    "partner_api:schema",
    "webhook_api:events",
}
