"""``manage.py demo_partner``: what docs/partners.md needs of the demo's people."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Proposal
from audit.models import AuditEntry
from devtools.demo_data import create_demo_data
from lending.models import LendingPolicy
from lending.services import policy_ceilings, policy_current, policy_rules
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def is_demo(settings: Any) -> None:
    settings.LOANOFFICE_DEMO = True


def demo_partner(*arguments: str) -> str:
    out = StringIO()
    call_command("demo_partner", *arguments, stdout=out)
    return out.getvalue()


def test_two_policy_owners_publish_a_version_that_differs_in_the_acceptance_alone() -> None:
    create_demo_data()
    before = policy_current()

    said = demo_partner()

    policy = policy_current()
    assert f"{policy} is in force" in said
    assert policy.offer_acceptance_required
    assert not before.offer_acceptance_required
    assert policy.version == before.version + 1
    own = {"id", "version", "offer_acceptance_required", "notes"}
    own |= {"created_at", "published_at", "published_by"}
    for column in LendingPolicy._meta.concrete_fields:
        if column.name not in own:
            assert getattr(policy, column.name) == getattr(before, column.name), column.name
    assert policy_rules(policy).tiers == policy_rules(before).tiers
    assert policy_ceilings(policy) == policy_ceilings(before)
    proposal = Proposal.objects.get()
    assert proposal.proposed_by.username == "policy"
    assert proposal.decided_by.username == policy.published_by.username == "policy2"


def test_partner_manager_registers_the_endpoint() -> None:
    create_demo_data()

    said = demo_partner("--webhook", "http://127.0.0.1:9009/hook")

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.partner.name, endpoint.url) == ("Demo partner", "http://127.0.0.1:9009/hook")
    assert endpoint.secret in said
    entry = AuditEntry.objects.get(message__contains="A webhook endpoint of Demo partner")
    assert entry.actor.username == "partners"


def test_second_time_changes_nothing() -> None:
    create_demo_data()
    demo_partner()
    policy, count = policy_current(), AuditEntry.objects.count()

    said = demo_partner()

    assert (policy_current(), AuditEntry.objects.count()) == (policy, count)
    assert WebhookEndpoint.objects.get().secret not in said


def test_url_that_no_endpoint_may_have_is_refused_before_anything_is_done() -> None:
    create_demo_data()

    with pytest.raises(CommandError, match="it has to begin with https://"):
        demo_partner("--webhook", "ftp://127.0.0.1/")

    assert not WebhookEndpoint.objects.exists()
    assert not Proposal.objects.exists()


def test_database_without_the_demo_is_told_to_start_it() -> None:
    with pytest.raises(CommandError, match="Start `make demo` first"):
        demo_partner()


def test_nothing_but_the_demo_has_it(settings: Any) -> None:
    settings.LOANOFFICE_DEMO = False

    with pytest.raises(CommandError, match="demo settings only"):
        demo_partner()
