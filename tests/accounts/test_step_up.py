"""The code or the password is asked for again: where, for how long, and on record."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import Proposal, SecondFactor
from accounts.step_up import FORMS, PAGES
from audit.models import Action, AuditEntry
from tests.accounts.conftest import Clock, Enrol, code_of, sign_in, wrong_code_of
from tests.audit.scenarios.table import CHANGES
from tests.audit.test_everything_is_noted import names

pytestmark = pytest.mark.django_db
ASK = "/admin/account/again/"

# What changes something and does not ask again: it grants no right, moves no money, makes no key.
NOT_ASKED = {
    *(f"admin:applications_loanapplication_{name}" for name in ("add", "change", "reveal")),
    *(f"admin:applications_loanapplication_{name}" for name in ("decide", "decide_selected")),
    *(f"admin:applications_loanapplication_{name}" for name in ("go_on", "claim", "release")),
    *(f"admin:applications_loanapplication_{name}" for name in ("take-over", "withdraw")),
    *(f"admin:applications_loanapplication_{name}" for name in ("send_back", "answer")),
    *(f"admin:applications_loanapplication_{name}" for name in ("export", "upload", "document")),
    "admin:applications_loanapplication_preview",  # on record, as a download is
    "admin:applications_loanapplication_note",
    *(f"admin:applications_loanapplication_{name}" for name in ("restart", "stop", "pause")),
    "admin:applications_loanapplication_resume",
    "admin:reviews_reviewtask_changelist",
    "admin:workflows_outboxmessage_resend",
    "admin:workflows_incident_acknowledge",
    "admin:workflows_incident_resolve",
    "admin:workflows_incident_reconcile",
    "admin:workflows_incident_restart_kind",  # as a single restart
    "admin:webhooks_webhookendpoint_disable",
    "admin:webhooks_webhookendpoint_enable",
    "admin:webhooks_webhookendpoint_test",
    "admin:webhooks_webhookdelivery_resend",
    "admin:webhooks_webhookdelivery_changelist",
    "admin:lending_lendingpolicy_add",  # a draft
    "admin:lending_lendingpolicy_change",
    "admin:reviews_declinereason_add",
    "admin:reviews_declinereason_change",
    "admin:reviews_delegation_add",
    "admin:reviews_delegation_revoke",
    "admin:partners_partner_add",
    "admin:partners_partner_change",
    "admin:partners_partnerkey_revoke",
    "admin:accounts_proposal_reject",
    "admin:accounts_proposal_withdraw",
    "admin:accounts_failedsignin_lift",
    "admin:audit_auditentry_export",
    "admin:lists",  # what somebody sees themselves
    "admin:search",  # on record, as a reveal is
    "admin:notifications",  # one's own, and reading them decides nothing
    "admin:login",
    "admin:logout",
    "admin:password_change",  # asks for the old password
}


@pytest.fixture(autouse=True)
def stepped_up() -> None:
    """Sessions of these tests have confirmed nothing."""


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True)


@pytest.fixture
def client(root: User) -> Client:
    client = Client()
    sign_in(client, "root")
    return client


@pytest.fixture
def page(manager: User) -> str:
    """A page that changes a person's roles."""
    return f"/admin/auth/user/{manager.pk}/access/"


def again() -> list[str]:
    rows = AuditEntry.objects.filter(action=Action.STEPPED_UP).order_by("id")
    return list(rows.values_list("message", flat=True))


def test_every_change_is_said_to_ask_again_or_not() -> None:
    """A page that is added belongs into ``accounts.step_up`` or into the list above."""
    changing = {name for name in CHANGES if name.startswith("admin:")}
    asking = PAGES | FORMS

    assert not asking & NOT_ASKED
    assert changing - asking == NOT_ASKED & changing
    assert changing - asking - NOT_ASKED == set()
    assert asking <= set(names(get_resolver().url_patterns))


@pytest.mark.parametrize("name", sorted(PAGES | FORMS))
def test_page_that_asks_again_does_so_for_everybody_before_anything_else(
    client: Client, name: str
) -> None:
    address = some_address(name)
    methods: list[Callable[..., Any]] = [client.post]
    if name in PAGES:
        methods.append(client.get)

    for method in methods:
        answer = method(address)
        assert answer.status_code == 302, name
        assert answer.url == reverse("account:again", query={"next": address}), name


def some_address(name: str) -> str:
    """An address of this name, with a 1 for whatever it takes."""
    _, site = get_resolver().namespace_dict["admin"]
    [(_, parameters)] = site.reverse_dict[name.removeprefix("admin:")][0]
    return reverse(name, args=[1] * len(parameters))


def test_password_is_asked_of_who_has_no_factor_and_leads_back(
    client: Client, page: str, manager: User
) -> None:
    asked = client.get(page)
    html = client.get(asked.url).content.decode()
    assert 'type="password"' in html

    answer = client.post(asked.url, {"typed": "demo", "next": page})

    assert answer.url == page
    assert client.get(page).status_code == 200
    assert again() == ["Confirmed with the password that it is them."]
    entry = AuditEntry.objects.get(action=Action.STEPPED_UP)
    assert entry.actor is not None
    assert (entry.actor.username, entry.details) == ("root", {"before": page})


def test_code_is_asked_of_who_has_a_factor_and_the_password_does_not_do(
    client: Client, root: User, page: str, enrol: Enrol, clock: Clock
) -> None:
    device, codes = enrol(root)
    clock.go_on(seconds=30)
    client.post("/admin/account/code/", {"code": codes[0]})

    for wrong in ("demo", wrong_code_of(device), ""):
        assert client.post(ASK, {"typed": wrong, "next": page}).status_code == 200
    assert client.get(page).status_code == 302
    SecondFactor.objects.update(throttling_failure_count=0)
    answer = client.post(ASK, {"typed": code_of(device), "next": page})

    assert answer.url == page
    assert client.get(page).status_code == 200
    assert again() == ["Confirmed with the second factor that it is them."]


def test_signing_in_is_not_enough_and_confirming_lasts_five_minutes(
    client: Client, page: str, clock: Clock
) -> None:
    assert client.get(page).status_code == 302
    client.post(ASK, {"typed": "demo"})
    clock.go_on(minutes=4, seconds=55)
    assert client.get(page).status_code == 200

    clock.go_on(seconds=10)

    assert client.get(page).status_code == 302


def test_post_after_the_time_does_nothing_and_says_so(
    client: Client, page: str, manager: User, clock: Clock
) -> None:
    client.post(ASK, {"typed": "demo"})
    clock.go_on(minutes=6)

    answer = client.post(page, {"is_superuser": "on", "is_active": "on", "roles": []}, follow=True)

    manager.refresh_from_db()
    assert not manager.is_superuser
    assert "Nothing was changed" in answer.content.decode()


def test_a_new_sign_in_of_another_person_has_confirmed_nothing(
    client: Client, page: str, make_user: Callable[..., User]
) -> None:
    client.post(ASK, {"typed": "demo"})
    make_user("root2", is_superuser=True)

    sign_in(client, "root2")

    assert client.get(page).status_code == 302


def test_wrong_passwords_lock_out_as_at_the_sign_in(client: Client, page: str) -> None:
    answers = [client.post(ASK, {"typed": "wrong"}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert client.post(ASK, {"typed": "demo", "next": page}).status_code == 429
    assert client.get(page).status_code == 302
    rows = AuditEntry.objects.filter(action=Action.SIGN_IN_FAILED)
    assert {row.message for row in rows} == {"The password was refused when asked for again."}
    assert rows.count() == 5


def test_failures_before_the_right_password_are_forgiven(client: Client) -> None:
    for typed in ("wrong", "wrong", "wrong", "wrong", "demo", "wrong"):
        answer = client.post(ASK, {"typed": typed})

    assert answer.status_code == 200


def test_it_leads_to_no_other_site(client: Client) -> None:
    answer = client.post(ASK, {"typed": "demo", "next": "https://evil.example/"})

    assert answer.url == "/admin/"


def test_stranger_is_led_to_the_sign_in(page: str) -> None:
    assert Client().get(page).url.startswith("/admin/login/")
    assert Client().get(ASK).url.startswith("/admin/login/")


def test_confirming_a_proposal_asks_again(proposal: Proposal, checker: User) -> None:
    client = Client()
    sign_in(client, "checker")
    confirm = f"/admin/accounts/proposal/{proposal.pk}/confirm/"
    assert client.post(confirm).url == reverse("account:again", query={"next": confirm})
    proposal.refresh_from_db()
    assert proposal.status == Proposal.Status.OPEN

    client.post(ASK, {"typed": "demo", "next": confirm})
    client.post(confirm)

    proposal.refresh_from_db()
    assert proposal.status == Proposal.Status.CONFIRMED


def test_people_and_roles_are_read_without_being_asked(client: Client, manager: User) -> None:
    for page in ("user/", f"user/{manager.pk}/change/", "group/"):
        assert client.get(f"/admin/auth/{page}").status_code == 200
