"""Rate limits of the API: counted calls, headers of every answer, refused callers."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from partners.models import IdempotencyKey, Partner, PartnerKey, RateCounter
from partners.services import throttling
from partners.services.keys import partner_key_issue, partner_key_revoke
from partners.services.throttling import microseconds
from tests import casework
from tests.hard_cases.together import together
from tests.partners.api import contract
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path

HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
KEY = {"Idempotency-Key": "crm-42"}


@pytest.fixture
def limited(settings: Any) -> Callable[[str], None]:
    """``limited("3/hour")``: so often may each partner call."""

    def limit(text: str) -> None:
        settings.LOANOFFICE_PARTNER_RATE = text

    return limit


@pytest.fixture
def guarded(settings: Any) -> None:
    """An address may try three bad keys."""
    settings.LOANOFFICE_BAD_KEY_RATE = "3/hour"


def told(response: Any) -> list[int]:
    return [int(response[name]) for name in HEADERS]


def time_goes_by(by: timedelta) -> None:
    for counter in RateCounter.objects.all():
        counter.full_at -= by // timedelta(microseconds=1)
        counter.save()


# --- A partner's own ------------------------------------------------------------------------


def test_call_above_the_rate_is_refused_and_says_when_to_come_back(
    api: Caller, limited: Callable[[str], None]
) -> None:
    limited("2/hour")

    answers = [api.get() for _ in range(3)]

    assert [told(answer)[:2] for answer in answers] == [[2, 1], [2, 0], [2, 0]]
    problem = assert_problem(answers[2], 429, "rate-limited")
    assert problem["title"] == "Too many requests"
    wait = int(answers[2]["Retry-After"])
    assert 0 < wait <= 1800
    assert str(wait) in problem["detail"]
    time_goes_by(timedelta(seconds=wait))
    assert api.get().status_code == 200


def test_refused_call_does_nothing(api: Caller, limited: Callable[[str], None]) -> None:
    limited("1/hour")
    assert api.post(BASE, ALICE, **KEY).status_code == 201

    assert_problem(api.post(BASE, {**ALICE, "external_id": "crm-43"}), 429, "rate-limited")

    assert LoanApplication.objects.count() == 1


def test_every_answer_to_a_key_says_what_is_left(
    api: Caller,
    api_with: Callable[..., Caller],
    partner: Partner,
    limited: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited("100/hour")
    application = casework.funded(None, partner=partner)
    own = path(application.reference)
    tag = api.get(own)["ETag"]
    answers = {
        200: api.get(),
        201: api.post(BASE, ALICE, **KEY),
        304: api.get(own, **{"If-None-Match": tag}),
        400: api.submit(loan_amount="x"),
        403: api_with("offers:write").get(),
        404: api.get(path("LOAN-23456789")),
        405: api.call("POST", own, data=b"{}"),
        406: api.get(Accept="text/html"),
        409: api.post(path(application.reference, "withdraw/"), {}),
        413: api.post(BASE, b"x" * 1_100_000),
        415: api.call("POST", BASE, data=b"x", content_type="text/plain"),
        422: api.post(BASE, {**ALICE, "loan_amount": "1.00"}, **KEY),
    }

    def fail(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(intake, "application_create_and_submit", fail)
    answers[500] = api.submit()

    assert {status: answer.status_code for status, answer in answers.items()} == {
        status: status for status in answers
    }
    left = [told(answer)[1] for answer in answers.values()]
    assert left == list(range(98, 98 - len(answers), -1))  # each was counted once
    replayed = api.post(BASE, ALICE, **KEY)
    assert replayed["Idempotent-Replayed"] == "true"
    assert told(replayed)[1] == left[-1] - 1
    kept = IdempotencyKey.objects.get().response_headers
    assert not set(HEADERS) & set(kept)


def test_all_keys_of_a_partner_are_counted_together_and_partners_apart(
    partner: Partner, api: Caller, other_api: Caller, limited: Callable[[str], None]
) -> None:
    limited("2/hour")
    second = Caller(partner_key_issue(partner=partner)[1])

    assert [api.get().status_code, second.get().status_code] == [200, 200]
    assert [api.get().status_code, second.get().status_code] == [429, 429]
    assert other_api.get().status_code == 200


def test_partner_may_have_a_rate_of_its_own(
    partner: Partner, api: Caller, other_api: Caller, limited: Callable[[str], None]
) -> None:
    limited("1/hour")
    Partner.objects.filter(pk=partner.pk).update(rate_limit="3/hour")

    assert [api.get().status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [other_api.get().status_code for _ in range(2)] == [200, 429]


def test_staff_the_document_and_nobody_are_not_counted(
    as_staff: Callable[[User], Caller],
    manager: User,
    anonymous: Caller,
    api: Caller,
    limited: Callable[[str], None],
) -> None:
    limited("1/hour")

    for _ in range(3):
        for caller, address, status in (
            (as_staff(manager), BASE, 200),
            (anonymous, BASE, 401),
            (api, "/api/v1/schema/", 200),
        ):
            response = caller.get(address)
            assert response.status_code == status
            assert not any(name in response for name in HEADERS)
    assert not RateCounter.objects.exists()


def test_call_costs_one_statement(api: Caller, limited: Callable[[str], None]) -> None:
    api.get()
    with CaptureQueriesContext(
        connection,
    ) as without:
        api.get()
    limited("100/hour")
    with CaptureQueriesContext(connection) as counted:
        api.get()

    assert len(counted) == len(without) + 1


def test_call_that_cannot_be_counted_is_answered(
    api: Caller,
    limited: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limited("1/hour")

    class Busy:
        def cursor(self) -> Any:
            raise OperationalError("database is locked")

    monkeypatch.setattr(throttling, "connection", Busy())

    response = api.get()

    assert response.status_code == 200
    assert not any(name in response for name in HEADERS)
    assert "A call could not be counted" in caplog.text


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_refused_post_was_counted_though_its_transaction_was_taken_back(
    api: Caller, limited: Callable[[str], None]
) -> None:
    limited("5/hour")
    decided = casework.waiting_for_manager(None, partner=Partner.objects.get())

    assert api.submit(loan_amount="-1").status_code == 400
    assert api.post(path(decided.reference, "decision/"), {"approved": True}).status_code == 403

    assert told(api.get())[1] == 2


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_many_posts_under_one_key_at_once_are_counted_and_answered_alike(
    partner_key: str, limited: Callable[[str], None]
) -> None:
    limited("12/hour")

    def send() -> Any:
        return Client(headers={"Authorization": f"Bearer {partner_key}", **KEY}).post(
            BASE, ALICE, content_type="application/json"
        )

    answers: list[Any] = together([send for _ in range(20)])

    assert sorted(answer.status_code for answer in answers) == [*[201] * 12, *[429] * 8]
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert sorted(told(a)[1] for a in answers if a.status_code == 201) == list(range(12))
    assert LoanApplication.objects.count() == 1


# --- Bad keys -------------------------------------------------------------------------------


def test_bad_keys_from_one_address_are_refused_after_a_few(guarded: None, partner_key: str) -> None:
    answers = [Caller(f"lo_{number}").get() for number in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert_problem(answers[3], 429, "rate-limited")
    assert not any(name in answers[3] for name in HEADERS)
    # A good key as well: else whoever tries keys would still find out.
    assert_problem(Caller(partner_key).get(), 429, "rate-limited")
    time_goes_by(timedelta(seconds=int(answers[3]["Retry-After"])))
    assert Caller(partner_key).get().status_code == 200


def test_malformed_keys_are_bad_keys(guarded: None, db: None) -> None:
    client = Client()
    statuses = [
        client.get(BASE, headers={"Authorization": header}).status_code
        for header in ("Bearer", "Bearer ü", "Bearer \0", "Bearer x y")
    ]

    assert statuses == [401, 401, 401, 429]


def test_addresses_are_counted_apart(guarded: None, settings: Any, partner_key: str) -> None:
    settings.LOANOFFICE_TRUSTED_PROXIES = 1

    def status(key: str, address: str, made_up: str = "198.51.100.1") -> int:
        headers = {"X-Forwarded-For": f"{made_up}, {address}"}
        return int(Caller(key).get(**headers).status_code)

    # What a client makes up itself does not make it another.
    guesses = [status("lo_bad", "192.0.2.1", f"198.51.100.{number}") for number in range(5)]

    assert guesses == [401, 401, 401, 429, 429]
    assert status("lo_bad", "192.0.2.2") == 401
    assert status(partner_key, "192.0.2.2") == 200
    assert status(partner_key, "192.0.2.1") == 429


def test_good_key_is_let_through_where_no_address_is_known(
    guarded: None, settings: Any, partner_key: str
) -> None:
    settings.LOANOFFICE_TRUSTED_PROXIES = 1
    unknown = {"X-Forwarded-For": "unknown"}

    statuses = [Caller("lo_bad").get(**unknown).status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]
    assert Caller(partner_key).get(**unknown).status_code == 200


@pytest.mark.parametrize("why", ["expired", "revoked", "inactive partner"])
def test_key_that_was_good_once_shuts_out_itself_only(
    guarded: None, partner: Partner, partner_key: str, why: str
) -> None:
    now = timezone.now()
    whose = partner if why != "inactive partner" else Partner.objects.create(name="Closed")
    row, dead = partner_key_issue(partner=whose, expires_at=None)
    if why == "expired":
        PartnerKey.objects.filter(pk=row.pk).update(expires_at=now - timedelta(seconds=1))
    elif why == "revoked":
        partner_key_revoke(partner_key=row)
    else:
        Partner.objects.filter(pk=whose.pk).update(is_active=False)

    assert [Caller(dead).get().status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert Caller(partner_key).get().status_code == 200
    assert RateCounter.objects.get().name == f"key/{row.pk}"
    assert PartnerKey.objects.get(pk=row.pk).last_used_at is None


def test_good_key_costs_nothing_more_where_bad_ones_are_counted(api: Caller, settings: Any) -> None:
    api.get()
    with CaptureQueriesContext(connection) as without:
        api.get()
    settings.LOANOFFICE_BAD_KEY_RATE = "3/hour"
    with CaptureQueriesContext(connection) as guarded:
        api.get()

    assert len(guarded) == len(without)
    assert not RateCounter.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_many_bad_keys_at_once_few_are_looked_at(guarded: None) -> None:
    answers: list[Any] = together([partial(Caller(f"lo_{number}").get) for number in range(16)])

    assert sorted(answer.status_code for answer in answers) == [*[401] * 3, *[429] * 13]


# --- The document ---------------------------------------------------------------------------


def test_document_promises_the_refusal_and_the_headers_of_every_operation() -> None:
    operations = [
        operation
        for methods in contract.document()["paths"].values()
        for operation in methods.values()
        if operation.get("security")  # a link to a document needs no key, and counts for nobody
    ]

    assert len(operations) >= 12
    for operation in operations:
        refused = operation["responses"]["429"]
        examples = refused["content"]["application/problem+json"]["examples"].values()
        assert {example["value"]["type"] for example in examples} == {"/problems/rate-limited"}
        assert "Retry-After" in refused["headers"]
        for status, answer in operation["responses"].items():
            assert set(HEADERS) <= set(answer["headers"]), (operation["operationId"], status)


def test_counter_is_in_microseconds() -> None:
    assert microseconds(timezone.now()) == pytest.approx(timezone.now().timestamp() * 1e6, rel=1e-6)
