"""Lists to look into, policies, partners and keys; and what holds for every page."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from accounts.models import Proposal
from accounts.roles import Role
from applications.models import LoanApplication
from lending.models import LendingPolicy
from lending.policy_words import days
from lending.services import policy_ceilings, policy_current
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_recognise
from tests.applications.admin.conftest import ADD, LIST, Login, decide_page, page, said

READ_ONLY = (
    "reviews_reviewtask",
    "reviews_reviewdecision",
    "applications_loanoffer",
    "applications_disbursement",
    "workflows_execution",
    "workflows_pendingcallback",
    "workflows_outboxmessage",
    "workflows_incident",
    "webhooks_webhookdelivery",
)
INLINE = re.compile(
    r"<(script|style)(?![^>]*\b(?:src|nonce)=)[^>]*>|\sstyle=|\son[a-z]+=|javascript:",
    re.IGNORECASE,
)


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", *Role, is_superuser=True)


@pytest.mark.parametrize("name", READ_ONLY)
def test_mirrors_are_read_only_for_superusers_too(
    login: Login, root: User, waiting: LoanApplication, name: str
) -> None:
    client = login(root)

    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:{name}_delete", args=[1])).status_code in {302, 403, 404}


def test_my_tasks_are_those_that_i_may_decide(
    login: Login, waiting: LoanApplication, manager: User, auditor: User
) -> None:
    address = reverse("admin:reviews_reviewtask_changelist") + "?mine=yes"

    mine = login(manager).get(address)

    assert list(mine.context["cl"].result_list) == [waiting.review_tasks.get()]
    assert page("change", waiting) in mine.content.decode()
    assert not login(auditor).get(address).context["cl"].result_list


def test_no_page_has_inline_style_script_or_handler_and_each_has_the_policy(
    login: Login, root: User, waiting: LoanApplication, draft: LoanApplication, partner: Partner
) -> None:
    client = login(root)
    addresses = [
        reverse("admin:index"),
        LIST,
        ADD,
        f"{ADD}?profile=1111",
        page("change", waiting),
        page("live", waiting),
        page("change", draft),
        page("withdraw", waiting),
        reverse("admin:lending_lendingpolicy_add"),
        reverse("admin:lending_lendingpolicy_change", args=[policy_current().pk]),
        reverse("admin:partners_partner_change", args=[partner.pk]),
        reverse("admin:partners_partner_issue_key", args=[partner.pk]),
        reverse("admin:partners_partnerkey_add"),
        reverse("admin:partners_partnerkey_changelist"),
        *(reverse(f"admin:{name}_changelist") for name in READ_ONLY),
    ]
    waiting_for = login(root)
    pages = [client.get(address) for address in addresses]
    pages.append(waiting_for.get(decide_page(waiting, "approve")))
    pages.append(
        client.post(
            LIST, {"action": "decline_selected", "index": "0", "_selected_action": [waiting.pk]}
        )
    )

    for answer in pages:
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self' 'nonce-" in policy or "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not INLINE.findall(answer.content.decode()), answer.request["PATH_INFO"]


# --- Policies -----------------------------------------------------------------------------


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user("owner", Role.POLICY_OWNER)


def typed_from(answer: Any) -> dict[str, Any]:
    """Return the fields that a browser sends for an unchanged form and its inlines."""
    typed: dict[str, Any] = {}
    form = answer.context["adminform"].form
    forms = [form]
    for inline in answer.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for part in forms:
        for bound in part:
            value = bound.field.prepare_value(bound.value())
            if value is not None and value is not False:
                typed[bound.html_name] = value
    return typed


def test_new_version_begins_where_the_one_in_force_is_and_can_be_published(
    login: Login, owner: User, make_user: Callable[..., User]
) -> None:
    client = login(owner)
    address = reverse("admin:lending_lendingpolicy_add")
    typed = typed_from(client.get(address)) | {"authorities-0-ceiling": "300000.00"}

    client.post(address, typed)

    made = LendingPolicy.objects.get(version=2)
    assert made.published_at is None
    assert made.tiers.count() == 4
    before = policy_ceilings(policy_current())
    assert policy_ceilings(made) == before | {Role.MANAGER: 300_000}
    publish = reverse("admin:lending_lendingpolicy_publish", args=[made.pk])
    assert "Propose publication" in client.get(publish).content.decode()
    made.tiers.filter(tier="prime").update(annual_rate="6.10")
    assert client.get(publish).context["changes"] == [
        ("Manager ceiling", "250,000.00", "300,000.00"),
        ("Prime: annual rate", "5.25", "6.10"),
    ]
    client.post(publish)
    assert policy_current().version == 1
    second = make_user("second", Role.POLICY_OWNER)
    login(second).post(reverse("admin:accounts_proposal_confirm", args=[Proposal.objects.get().pk]))
    assert policy_current() == made
    made.refresh_from_db()
    assert made.published_by == second


def test_published_policy_is_read_only_with_its_tiers(
    login: Login, owner: User, root: User
) -> None:
    policy = policy_current()
    address = reverse("admin:lending_lendingpolicy_change", args=[policy.pk])

    for user in (owner, root):
        client = login(user)
        answer = client.get(address)
        assert 'name="authorities-0-ceiling"' not in answer.content.decode()
        assert "press-publish" not in answer.content.decode()
        assert client.post(address, {"authorities-0-ceiling": "1"}).status_code == 403
    assert policy_ceilings(policy)[Role.MANAGER] == 250_000


def test_policy_says_what_each_rule_means_and_shows_it_as_one_reads_it(
    login: Login, owner: User
) -> None:
    published = reverse("admin:lending_lendingpolicy_change", args=[policy_current().pk])
    typed = login(owner).get(reverse("admin:lending_lendingpolicy_add"))
    read = login(owner).get(published).content.decode()

    form = typed.context["adminform"].form
    for name in form.fields:
        assert form.fields[name].help_text, f"{name} does not say what it means"
    assert form.fields["approval_due"].label == "Decision due after"
    assert "100,000.00" in read
    for value in ("7 days", "5 min", "60 months", "no limit", "7.50 %", "declined"):
        assert f">{value}<" in read, value
    assert "7 days, 0:00:00" not in read


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1, hours=12), "1 day 12 h"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(), "0 s"),
    ],
)
def test_span_is_told_in_every_unit_that_it_has(span: timedelta, words: str) -> None:
    assert days(span) == words


def test_draft_without_every_tier_is_not_published(login: Login, owner: User) -> None:
    policy = LendingPolicy.objects.create(version=2)

    answer = login(owner).post(reverse("admin:lending_lendingpolicy_publish", args=[policy.pk]))

    assert "A policy needs every tier" in said(answer)[0]
    policy.refresh_from_db()
    assert policy.published_at is None


def test_only_a_policy_owner_publishes(login: Login, manager: User, auditor: User) -> None:
    policy = LendingPolicy.objects.create(version=2)
    publish = reverse("admin:lending_lendingpolicy_publish", args=[policy.pk])

    for user in (manager, auditor):
        login(user).get(publish)
        login(user).post(publish)

    policy.refresh_from_db()
    assert policy.published_at is None


# --- Partners -----------------------------------------------------------------------------


def test_key_is_shown_once_and_works(login: Login, root: User, partner: Partner) -> None:
    client = login(root)
    address = reverse("admin:partners_partner_issue_key", args=[partner.pk])

    html = client.post(
        address, {"label": "Front office", "scopes": ["applications:read"]}
    ).content.decode()

    shown = re.search(r'id="issued-key">([^<]+)<', html)
    assert shown is not None
    key = partner_key_recognise(shown[1])
    assert key is not None
    assert (key.partner, key.label, key.scopes) == (partner, "Front office", ["applications:read"])
    again = client.get(reverse("admin:partners_partner_change", args=[partner.pk]))
    assert shown[1] not in again.content.decode()
    assert key.prefix in again.content.decode()


@pytest.mark.parametrize(
    "typed",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["applications:read"], "expires_on": "2001-01-01"},
    ],
)
def test_key_that_makes_no_sense_is_not_made(
    login: Login, root: User, partner: Partner, typed: dict[str, Any]
) -> None:
    login(root).post(reverse("admin:partners_partner_issue_key", args=[partner.pk]), typed)

    assert not PartnerKey.objects.exists()


def test_revoked_key_is_refused_from_then_on(
    login: Login, root: User, partner: Partner, partner_key: str
) -> None:
    key = PartnerKey.objects.get()
    revoke = reverse("admin:partners_partnerkey_revoke", args=[key.pk])
    client = login(root)

    client.get(revoke)
    assert partner_key_recognise(partner_key) is not None
    client.post(revoke)

    assert partner_key_recognise(partner_key) is None
    assert PartnerKey.objects.filter(pk=key.pk).exists()


def test_keys_are_neither_issued_nor_revoked_without_the_right(
    login: Login, manager: User, auditor: User, partner: Partner, partner_key: str
) -> None:
    key = PartnerKey.objects.get()

    for user in (manager, auditor):
        client = login(user)
        issue = reverse("admin:partners_partner_issue_key", args=[partner.pk])
        assert client.post(issue, {"scopes": ["applications:read"]}).status_code == 403
        revoke = reverse("admin:partners_partnerkey_revoke", args=[key.pk])
        assert client.post(revoke).status_code == 403
    assert PartnerKey.objects.filter(revoked_at__isnull=True).count() == 1
