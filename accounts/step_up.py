"""Ask who acts for the code, or the password, again before acts that a stolen session could use.

Publishing, settling, keys, and whatever changes rights or another person's sign-in. One table:
``StepUpMiddleware`` asks on these addresses, whatever admin class answers them. A test holds it
against every address that changes something.
"""

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

STEPPED_UP_AT = "stepped_up_at"

# Pages that ask before they are shown, and again before they act when that was too long ago.
PAGES = {
    "admin:accounts_proposal_confirm",
    "admin:accounts_requiredsecondfactor_add",
    "admin:accounts_requiredsecondfactor_delete",
    "admin:accounts_secondfactor_reset",
    "admin:applications_loanapplication_not_paid",
    "admin:applications_loanapplication_order_anew",
    "admin:applications_loanapplication_paid",
    "admin:auth_group_add",
    "admin:auth_group_change",
    "admin:auth_group_delete",
    "admin:auth_user_access",
    "admin:auth_user_add",
    "admin:auth_user_delete",
    "admin:auth_user_invite",
    "admin:auth_user_password_change",
    "admin:lending_lendingpolicy_publish",
    "admin:partners_partner_issue_key",
    "admin:partners_partnerkey_add",
    "admin:partners_partnerkey_expire",
    "admin:partners_partnerkey_rotate",
    "admin:webhooks_webhookendpoint_add",
    "admin:webhooks_webhookendpoint_rotate",
}
# Pages that are only read as a rule: what is sent from them asks.
FORMS = {
    "admin:accounts_requiredsecondfactor_changelist",
    "admin:auth_group_changelist",
    "admin:auth_user_change",
    "admin:auth_user_changelist",
}


def asks_again(*, view_name: str, method: str | None) -> bool:
    """Tell whether this request needs a session that confirmed a moment ago."""
    return view_name in PAGES or (view_name in FORMS and method not in {"GET", "HEAD"})


def has_stepped_up(session: SessionBase) -> bool:
    """Tell whether the person of this session confirmed that it is them a moment ago."""
    at = session.get(STEPPED_UP_AT)
    if at is None:
        return False
    return bool(timezone.now().timestamp() - at < settings.LOANOFFICE_STEP_UP_LIFE.total_seconds())


def mark_stepped_up(session: SessionBase) -> None:
    session[STEPPED_UP_AT] = timezone.now().timestamp()
