"""Content security policy on every admin page: no inline script or style."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from accounts.roles import Role
from tests.applications.admin.conftest import ADD, LIST, Login, page
from tests.applications.admin.test_other_pages import INLINE
from tests.workflows import trouble
from workflows.operations import execution_pause


def test_no_page_has_inline_style_script_or_handler_and_each_has_the_policy(
    login: Login, make_user: Callable[..., User], officer: User, manager: User
) -> None:
    root = make_user("root", *Role, is_superuser=True)
    late = trouble.expired_then_approved(officer, manager)
    unknown = trouble.payout_unknown(officer)
    lost = trouble.answer_given_up(officer, manager)
    execution_pause(reference=lost.application.reference, user=root, reason="Wait.")
    execution = lost.application.executions.get()
    addresses = [
        reverse("admin:workflows_incident_changelist"),
        f"{reverse('admin:workflows_incident_changelist')}?status__exact=resolved",
        *(reverse("admin:workflows_incident_change", args=[i.pk]) for i in (late, unknown, lost)),
        reverse("admin:workflows_incident_acknowledge", args=[late.pk]),
        reverse("admin:workflows_incident_resolve", args=[late.pk]),
        reverse("admin:workflows_incident_reconcile"),
        reverse("admin:workflows_incident_restart_kind", args=[late.kind]),
        reverse("admin:workflows_outboxmessage_change", args=[lost.message_id]),
        reverse("admin:workflows_outboxmessage_resend", args=[lost.message_id]),
        reverse("admin:workflows_execution_change", args=[execution.pk]),
        reverse("admin:workflows_execution_history", args=[execution.pk]),
        page("change", late.application),
        page("change", lost.application),
        page("restart", late.application),
        page("paid", unknown.application),
        page("not_paid", unknown.application),
        page("resume", lost.application),
        page("stop", lost.application),
        reverse("admin:reviews_delegation_changelist"),
        reverse("admin:reviews_delegation_add"),
        reverse("admin:reviews_reviewdecision_changelist"),
        LIST,
        ADD,
    ]
    client = login(root)

    for address in addresses:
        answer: Any = client.get(address)
        assert answer.status_code == 200, address
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not INLINE.findall(answer.content.decode()), address
