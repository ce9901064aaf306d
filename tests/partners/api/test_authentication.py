"""Authentication and permissions: every endpoint, every kind of caller."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue, partner_key_revoke
from tests import casework
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.sizes import some

ENDPOINTS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("POST", "", ALICE),
    ("GET", "{reference}/", None),
    ("GET", "{reference}/events/", None),
    ("POST", "{reference}/withdraw/", {}),
    ("POST", "{reference}/decision/", {"approved": True}),
]
# Caller: the status of each endpoint above, in that order.
MATRIX = {
    "nobody": (401, 401, 401, 401, 401, 401),
    "every scope": (200, 201, 200, 200, 200, 403),
    "applications:read": (200, 403, 200, 200, 403, 403),
    "applications:write": (403, 201, 403, 403, 200, 403),
    "offers:write": (403, 403, 403, 403, 403, 403),
    "no scope": (403, 403, 403, 403, 403, 403),
    "auditor": (200, 403, 200, 200, 403, 403),
    "officer": (200, 403, 200, 200, 403, 403),
    "manager": (200, 403, 200, 200, 403, 200),
    "superuser": (200, 403, 200, 200, 403, 200),
    "staff without a role": (403, 403, 403, 403, 403, 403),
    "not staff": (403, 403, 403, 403, 403, 403),
    "not active": (401, 401, 401, 401, 401, 401),
}


@pytest.fixture
def caller(
    who: str,
    partner_key: str,
    api_with: Callable[..., Caller],
    as_staff: Callable[[User], Caller],
    make_user: Callable[..., User],
) -> Caller:
    """Return the caller that a row of the matrix names."""
    if who == "not active":
        gone = make_user("gone", *Role, is_superuser=True)
        caller = as_staff(gone)
        User.objects.filter(pk=gone.pk).update(is_active=False)
        return caller
    make: dict[str, Callable[[], Caller]] = {
        "nobody": Caller,
        "every scope": lambda: Caller(partner_key),
        "no scope": api_with,
        "superuser": lambda: as_staff(make_user("root", *Role, is_superuser=True)),
        "staff without a role": lambda: as_staff(make_user("new")),
        "not staff": lambda: as_staff(User.objects.create_user("client", is_superuser=True)),
        "auditor": lambda: as_staff(make_user("auditor", Role.AUDITOR)),
        "officer": lambda: as_staff(make_user("officer", Role.LOAN_OFFICER)),
        "manager": lambda: as_staff(make_user("manager", Role.MANAGER)),
    }
    return api_with(who) if ":" in who else make[who]()


@pytest.mark.long
@pytest.mark.parametrize(("who", "number"), some(product(MATRIX, range(len(ENDPOINTS))), of=5))
def test_caller_gets_what_the_matrix_says(
    caller: Caller, partner: Partner, who: str, number: int
) -> None:
    method, more, body = ENDPOINTS[number]
    application = casework.waiting_for_manager(None, partner=partner)
    address = BASE + more.format(reference=application.reference)

    response = caller.get(address) if method == "GET" else caller.post(address, body)

    expected = MATRIX[who][number]
    assert response.status_code == expected, response.content
    if expected == 401:
        assert_problem(response, 401, "not-authenticated")
        assert response["WWW-Authenticate"] == "Bearer"
    if expected == 403:
        assert "WWW-Authenticate" not in response
        assert response.json()["type"] in {"/problems/missing-scope", "/problems/not-permitted"}
    application.refresh_from_db()
    assert (application.status == "pending_approval") == (expected > 201 or number < 4)


def test_missing_scope_is_named(api_with: Callable[..., Caller]) -> None:
    problem = assert_problem(api_with("applications:read").submit(), 403, "missing-scope")

    assert "applications:write" in problem["detail"]
    assert LoanApplication.objects.count() == 0


def test_unknown_key_is_refused(db: None) -> None:
    response = Caller("lo_unknown").get()

    assert_problem(response, 401, "invalid-key")
    assert response["WWW-Authenticate"] == "Bearer"


def test_expired_revoked_and_inactive_keys_are_refused_alike(partner: Partner) -> None:
    now = timezone.now()
    expired = partner_key_issue(partner=partner, expires_at=now - timedelta(seconds=1))[1]
    row, revoked = partner_key_issue(partner=partner)
    partner_key_revoke(partner_key=row)
    closed = Partner.objects.create(name="Closed", is_active=False)
    inactive = partner_key_issue(partner=closed)[1]

    answers = []
    for key in (expired, revoked, inactive, "lo_unknown"):
        problem = assert_problem(Caller(key).submit(), 401, "invalid-key")
        del problem["request_id"]
        answers.append(problem)

    assert answers.count(answers[0]) == 4
    assert LoanApplication.objects.count() == 0


def test_both_keys_work_during_a_rotation(partner: Partner) -> None:
    soon = timezone.now() + timedelta(hours=1)
    keys = [partner_key_issue(partner=partner, expires_at=at)[1] for at in (soon, None)]

    assert [Caller(key).get().status_code for key in keys] == [200, 200]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer one two",
        "Bearer \0",
        "Bearer ü",
        "Bearer \N{OWL}",
        "Bearer " + "x" * 10_000,
        "bearer x",
    ],
)
def test_malformed_bearer_header_is_refused(db: None, header: str) -> None:
    response = Client().get(BASE, headers={"Authorization": header})

    assert_problem(response, 401, "invalid-key")


@pytest.mark.parametrize("header", ["Basic YTpi", "Token x", "", "x", "Bearerx y"])
def test_another_scheme_is_no_authentication(db: None, header: str) -> None:
    response = Client().get(BASE, headers={"Authorization": header})

    assert_problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_scheme_is_read_in_any_case(partner_key: str) -> None:
    response = Client().get(BASE, headers={"Authorization": f"bEaReR {partner_key}"})

    assert response.status_code == 200


def test_bad_key_is_not_saved_by_a_good_session(manager: User) -> None:
    client = Client()
    client.force_login(manager)

    response = client.get(BASE, headers={"Authorization": "Bearer lo_unknown"})

    assert_problem(response, 401, "invalid-key")


def test_use_of_a_key_is_noted_but_not_every_time(api: Caller) -> None:
    api.get()
    first = PartnerKey.objects.get().last_used_at
    api.get()

    assert first is not None
    assert PartnerKey.objects.get().last_used_at == first


def test_key_is_in_no_answer_and_no_log(
    api: Caller, partner_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    for response in (api.get(), api.submit(loan_amount="x"), api.get(path("LOAN-23456789"))):
        assert partner_key not in response.content.decode()
    assert partner_key not in caplog.text


def test_answers_are_kept_out_of_shared_caches(api: Caller, anonymous: Caller) -> None:
    for response in (api.get(), anonymous.get(), api.submit(), api.get(path("LOAN-23456789"))):
        assert "private" in response["Cache-Control"]
        assert {"Authorization", "Cookie"} <= set(response["Vary"].split(", "))
