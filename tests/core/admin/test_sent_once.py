"""Every form of the back office that is sent twice does its thing once.

Each address at which people change something has a scenario (``tests.audit.scenarios``). Here its
last POST is sent again with the token of the same page.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from audit.admin.declared_filters import DeclaredFiltersAdmin
from core.admin.checks import forms_act_once
from core.admin.row_actions import RowAction
from core.form_submissions import KEPT, form_submissions_forget
from core.kept_for_back import KEPT_FOR_BACK
from core.models import FormSubmission
from partners.models import Partner
from tests.applications.admin.conftest import ADD, page
from tests.applications.admin.test_form import TYPED
from tests.audit.scenarios.office import Office
from tests.audit.scenarios.table import CASE, CHANGES
from tests.audit.test_everything_is_noted import cases
from tests.hard_cases.stored import everything_stored
from tests.sent_forms import AGAIN, CHANGED, browser, open_form, token_of
from tests.sizes import some
from webhooks import endpoints
from workflows import sweep
from workflows.providers import registry

FORMS = {
    name: change
    for name, change in CHANGES.items()
    if name.startswith(("admin:", "account:")) and name not in {f"{CASE}document", f"{CASE}preview"}
}
# Forms that look for no token: why sending one twice does nothing twice, and the tables in which
# it leaves something all the same.
BY_NATURE: dict[str, tuple[str, set[str]]] = {
    "admin:login": (
        "Each sign-in is one, and nobody is known yet.",
        {"audit.AuditEntry", "auth.User"},
    ),
    "admin:logout": ("Who is signed out cannot sign out.", set()),
    "account:code": ("A code opens one session, and is refused then.", set()),
    "account:invitation": ("An invitation is accepted once, and nobody is known yet.", set()),
    "account:again": ("Who proves it again has proved it.", {"audit.AuditEntry"}),
    "account:end_sessions": ("A session that was ended is not there.", set()),
    f"{CASE}reveal": ("It shows something, and each reveal is on record.", {"audit.AuditEntry"}),
    "admin:search": ("It shows something, and each search is on record.", {"audit.AuditEntry"}),
    f"{CASE}export": ("It shows something, and each export is on record.", {"audit.AuditEntry"}),
    "admin:audit_auditentry_export": (
        "It shows something, and each export is on record.",
        {"audit.AuditEntry"},
    ),
    f"{CASE}decide_selected": ("The bulk decision has a token of its own.", set()),
    f"{CASE}go_on": ("Each row is decided once.", set()),
    "admin:workflows_incident_reconcile": (
        "What was repaired does not differ; that somebody looked is on record.",
        {"audit.AuditEntry"},
    ),
    "admin:reviews_reviewtask_changelist": (
        "The claim of the same person lasts longer.",
        {"reviews.ReviewTask"},
    ),
    "admin:webhooks_webhookdelivery_changelist": ("What is on its way is left alone.", set()),
    "admin:auth_user_changelist": ("What was deleted is not there.", set()),
}
NOT_COUNTED = {"sessions.Session"}


class Sent:
    """Notes the POSTs of all clients, each with the token of a page of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last: dict[str, Callable[[], Any]] = {}
        post = Client.post
        count = iter(range(1000))

        def send(client: Client, path: str, data: Any = None, **extra: Any) -> Any:
            if not isinstance(data, dict | None):
                return post(client, path, data, **extra)
            typed = {"csrfmiddlewaretoken": f"{next(count):064}", **(data or {})}
            name = resolve(path.partition("?")[0]).view_name
            self.last[name] = lambda: post(client, path, typed, **extra)
            return post(client, path, typed, **extra)

        monkeypatch.setattr(Client, "post", send)


def stored() -> dict[str, Any]:
    return {name: rows for name, rows in everything_stored().items() if name not in NOT_COUNTED}


def outside_of_transactions(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Return what asks somebody outside; it fails in a transaction, which would wait for them."""

    def asked(*args: Any, **kwargs: Any) -> Any:
        blocks: list[Any] = connection.atomic_blocks
        assert all(block._from_testcase for block in blocks), "asked inside of a transaction"
        return ask(*args, **kwargs)

    return asked


@pytest.fixture
def office(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(make_user, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("change", some(cases(FORMS), of=8))
def test_form_sent_again_changes_nothing_and_shows_what_it_did(
    office: Office,
    change: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = next(name for name, found in FORMS.items() if found is change)
    sent = Sent(monkeypatch)
    for module, function in ((registry, "payout_rail"), (endpoints, "entry_check")):
        monkeypatch.setattr(module, function, outside_of_transactions(getattr(module, function)))
    change.cause(office)
    before = stored()

    again = sent.last[name]()

    after = stored()
    changed = {table for table in after if after[table] != before.get(table)}
    if name in BY_NATURE:
        assert changed <= BY_NATURE[name][1], changed
        return
    assert changed == set()
    assert again.status_code == 302
    text = "".join(str(message) for message in again.wsgi_request._messages._queued_messages)
    assert AGAIN in text or CHANGED in text


# --- The token ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_page_with_a_form_has_a_token_of_its_own(make_user: Callable[..., User]) -> None:
    client = browser(make_user("root", *Role, is_superuser=True))
    request = client.get("/admin/").wsgi_request
    pages = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        for model, model_admin in admin.site._registry.items()
        if model_admin.has_add_permission(request)
    ]
    assert len(pages) > 7

    for address in [*pages, reverse("admin:password_change")]:
        assert token_of(client, address) != token_of(client, address)


@pytest.mark.django_db
def test_browser_keeps_forms_for_its_back_button_unless_they_name_an_applicant(
    make_user: Callable[..., User], draft: LoanApplication
) -> None:
    client = browser(make_user("root", *Role, is_superuser=True))

    assert client.get(ADD).headers["Cache-Control"] == KEPT_FOR_BACK
    assert 'action="?sent=yes' in client.get(ADD).content.decode()
    asked = client.get(page("withdraw", draft), {"incident": "7"})
    assert asked.headers["Cache-Control"] == KEPT_FOR_BACK
    assert 'action="?incident=7&amp;sent=yes"' in asked.content.decode()
    assert "no-store" in client.get(page("change", draft)).headers["Cache-Control"]
    refused = client.post(ADD, open_form(client, ADD, {**TYPED, "loan_amount": "-1"}))
    assert refused.status_code == 200
    assert "no-store" in refused.headers["Cache-Control"]


def test_every_form_in_a_template_that_posts_has_the_token() -> None:
    """Django refuses it otherwise; here it is found before somebody presses the button."""
    ours = list(settings.BASE_DIR.glob("*/templates/**/*.html"))
    forms = [
        (path, form)
        for path in ours
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", path.read_text(), re.S)
    ]
    assert len(forms) > 10

    assert [path for path, form in forms if "{% csrf_token %}" not in form] == []


def test_token_of_a_program_that_is_no_page_is_no_form(officer: User) -> None:
    """The cookie's own secret is the same for every page: two POSTs with it are two."""
    client = browser(officer)
    client.get(ADD)
    secret = client.cookies["csrftoken"].value
    assert len(secret) == 32

    for _ in range(2):
        client.post(ADD, {**TYPED, "csrfmiddlewaretoken": secret})

    assert LoanApplication.objects.count() == 2


# --- The base class -----------------------------------------------------------------------


def test_every_row_action_answers_its_post_once() -> None:
    """The one method that does; an action with another would do its thing twice."""
    actions = _subclasses(RowAction)
    assert len(actions) > 20

    for action in actions:
        assert action.post is RowAction.post, action
        assert action.get is RowAction.get, action


def _subclasses(cls: type[Any]) -> set[type[Any]]:
    return {found for sub in cls.__subclasses__() for found in ({sub} | _subclasses(sub))}


def test_admin_that_acts_twice_is_an_error_of_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice(DeclaredFiltersAdmin[Partner]):
        pass

    assert forms_act_once() == []
    monkeypatch.setitem(admin.site._registry, Partner, Twice(Partner, admin.site))

    assert [problem.id for problem in forms_act_once()] == ["core.E004"]


# --- The sweep ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_sweep_deletes_what_no_session_can_repeat(officer: User) -> None:
    now = timezone.now()
    for number, age in enumerate((KEPT + timedelta(minutes=1), KEPT - timedelta(minutes=1))):
        FormSubmission.objects.create(
            user=officer, token_hash=str(number), location="/", created_at=now - age
        )
    assert KEPT > settings.LOANOFFICE_SESSION_LONGEST

    sweep.sweep()

    assert [row.token_hash for row in FormSubmission.objects.all()] == ["1"]
    assert form_submissions_forget(now=now + KEPT, limit=1) == 1
