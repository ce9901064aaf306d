"""``Idempotency-Key``: a key belongs to its caller, and a replay needs what the first needed."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from partners.models import IdempotencyKey, Partner, PartnerKey
from partners.services import keys
from tests import casework
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.partners.api.idempotency import APPROVED, KEY, AsStaff, assert_replay


def test_two_partners_may_use_the_same_key(
    api: Caller, other_api: Caller, partner: Partner, other_partner: Partner
) -> None:
    mine = api.post(BASE, ALICE, **KEY)
    theirs = other_api.post(BASE, ALICE, **KEY)

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in theirs
    for one, answer in ((partner, mine), (other_partner, theirs)):
        assert LoanApplication.objects.get(partner=one).reference == answer.json()["reference"]
    assert_replay(api.post(BASE, ALICE, **KEY), mine)
    assert_replay(other_api.post(BASE, ALICE, **KEY), theirs)


def test_key_of_another_partner_tells_nothing(api: Caller, other_api: Caller) -> None:
    reference = api.post(BASE, ALICE, **KEY).json()["reference"]
    api.post(path(reference, "withdraw/"), {}, **{"Idempotency-Key": "w"})

    response = other_api.post(path(reference, "withdraw/"), {}, **{"Idempotency-Key": "w"})

    assert_problem(response, 404, "not-found")


def test_partner_and_staff_of_the_same_number_are_two_callers(
    as_staff: AsStaff, make_user: Any, api: Caller, partner: Partner
) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    api.post(BASE, ALICE, **KEY)
    IdempotencyKey.objects.update(caller=f"partner/{(user := make_user('boss', Role.MANAGER)).pk}")

    response = as_staff(user).post(address, APPROVED, **KEY)

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response


def test_partner_that_changed_its_bearer_key_gets_the_replay(api: Caller, partner: Partner) -> None:
    first = api.post(BASE, ALICE, **KEY)
    rotated = Caller(keys.partner_key_issue(partner=partner)[1])

    assert_replay(rotated.post(BASE, ALICE, **KEY), first)


def test_replay_needs_the_scope_as_the_first_did(
    api: Caller, api_with: Callable[..., Caller]
) -> None:
    api.post(BASE, ALICE, **KEY)

    response = api_with("applications:read").post(BASE, ALICE, **KEY)

    assert_problem(response, 403, "missing-scope")


def test_replay_needs_the_role_as_the_first_did(
    as_staff: AsStaff, manager: User, partner: Partner
) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    as_staff(manager).post(address, APPROVED, **KEY)
    manager.groups.clear()

    response = as_staff(manager).post(address, APPROVED, **KEY)

    assert_problem(response, 403, "not-permitted")


def test_replay_needs_a_live_bearer_key(api: Caller) -> None:
    api.post(BASE, ALICE, **KEY)
    PartnerKey.objects.update(revoked_at=timezone.now())

    assert_problem(api.post(BASE, ALICE, **KEY), 401, "invalid-key")


def test_session_with_the_csrf_token_may_use_a_key(manager: User, partner: Partner) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    client.cookies["csrftoken"] = "a" * 32
    first, second = (
        Caller(client=client).post(address, APPROVED, **KEY, **{"X-CSRFToken": "a" * 32})
        for _ in range(2)
    )

    assert first.status_code == 200
    assert_replay(second, first)
