"""One policy owner proposes a version, another sees exactly what changes and confirms it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from accounts.roles import Role
from lending.services import policy_current
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_recognise
from tests.lending.publishing import copy_in_force

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Inspect = Callable[[Page, str], None]


def test_publication_is_proposed_by_one_and_confirmed_by_another(
    visit: Visit, make_user: Callable[..., User], inspect: Inspect
) -> None:
    make_user("policy", Role.POLICY_OWNER)
    make_user("policy2", Role.POLICY_OWNER)
    draft = copy_in_force(approval_threshold="120000.00", offer_acceptance_required=True)
    maker = visit("policy", at=f"/admin/lending/lendingpolicy/{draft.pk}/change/")
    maker.click("#press-publish")
    maker.fill("textarea[name=note]", "As the board decided on 24 November.")
    inspect(maker, "proposal-1-propose")
    maker.click("button.press-good")
    expect(maker.locator(".messagelist")).to_contain_text("It waits for policy2.")
    expect(maker.locator("#press-confirm")).to_have_count(0)
    inspect(maker, "proposal-2-proposed")
    assert policy_current().version == 1

    checker = visit("policy2")
    expect(checker.locator("#tile-proposals")).to_contain_text("1")
    inspect(checker, "proposal-3-front-page")
    checker.click("#tile-proposals")
    inspect(checker, "proposal-4-list")
    checker.click("#result_list th a")
    expect(checker.locator("#proposal-rows")).to_contain_text("120,000.00")
    inspect(checker, "proposal-5-page")
    checker.click("#press-confirm")
    expect(checker.locator("#proposal-rows")).to_contain_text("120,000.00")
    inspect(checker, "proposal-6-confirm")
    checker.click("button.press-good")
    expect(checker.locator("#proposal-decided")).to_contain_text("Confirmed by policy2")
    inspect(checker, "proposal-7-confirmed")
    assert policy_current() == draft


def test_key_that_may_write_is_shown_once_to_whoever_confirms(
    visit: Visit, make_user: Callable[..., User], partner: Partner, inspect: Inspect
) -> None:
    make_user("partners", Role.PARTNER_MANAGER)
    make_user("partners2", Role.PARTNER_MANAGER)
    maker = visit("partners", at=f"/admin/partners/partner/{partner.pk}/issue-key/")
    maker.click("button.press-good")
    maker.wait_for_url("**/admin/accounts/proposal/*/change/")
    assert not PartnerKey.objects.exists()

    checker = visit("partners2", at=maker.url)
    checker.click("#press-reject")
    inspect(checker, "proposal-8-reject")
    checker.go_back()
    checker.click("#press-confirm")
    checker.click("button.press-good")
    secret = checker.locator("#issued-secret").inner_text()
    inspect(checker, "proposal-9-key")
    row = partner_key_recognise(secret)
    assert row is not None
    assert row.partner == partner
