"""Rates: one statement decides and counts, for everybody at once."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.utils import timezone

from partners.models import Partner, RateCounter
from partners.services.throttling import (
    address_counter,
    call_count,
    microseconds,
    rate_counters_forget,
    rate_of,
)
from partners.throttling import Rate, Verdict
from tests.hard_cases.together import together
from workflows.models import PeriodicRun
from workflows.sweep import sweep

T0 = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def rate(text: str) -> Rate:
    found = Rate.read(text)
    assert found is not None
    return found


def call(text: str, seconds: float = 0, name: str = "partner/1") -> Verdict:
    told = call_count(name=name, rate=rate(text), now=T0 + timedelta(seconds=seconds))
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("text", "limit", "step"),
    [
        ("600/min", 600, 100_000),
        ("1/s", 1, 1_000_000),
        ("7/s", 7, 142_857),
        ("5/hour", 5, 720_000_000),
        ("86400/day", 86_400, 1_000_000),
        ("10000/s", 10_000, 100),
    ],
)
def test_rate_is_read(text: str, limit: int, step: int) -> None:
    assert rate(text) == Rate(limit=limit, step=step)


@pytest.mark.parametrize(
    "text",
    ["0/min", "-1/min", "600", "600/week", "600 / min", "6e2/min", "٦/min", "10001/s", "x", " "],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="calls"):
        Rate.read(text)


def test_no_text_is_no_limit() -> None:
    assert Rate.read("") is None


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["LOANOFFICE_PARTNER_RATE", "LOANOFFICE_BAD_KEY_RATE"])
def test_setting_that_is_no_rate_is_named_at_start(settings: Any, name: str) -> None:
    assert [error for error in run_checks() if error.id == "applications.E001"] == []

    setattr(settings, name, "often")

    (error,) = [error for error in run_checks() if error.id == "applications.E001"]
    assert name in error.msg


@pytest.mark.django_db
def test_calls_pass_until_the_limit_and_then_one_a_step() -> None:
    told = [call("3/min") for _ in range(5)]

    assert [verdict.allowed for verdict in told] == [True, True, True, False, False]
    assert [verdict.remaining for verdict in told] == [2, 1, 0, 0, 0]
    assert [verdict.reset for verdict in told] == [20, 40, 60, 60, 60]
    assert [verdict.retry_after for verdict in told] == [0, 0, 0, 20, 20]
    assert [call("3/min", at).allowed for at in (19.9, 20, 20.1, 40, 40.1)] == [
        False,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.django_db
def test_who_waits_as_long_as_told_is_let_through() -> None:
    for _ in range(7):
        assert call("7/s").allowed
    refused = call("7/s", 0.1)

    assert not refused.allowed
    assert call("7/s", 0.1 + refused.retry_after).allowed


@pytest.mark.django_db
def test_limit_is_all_there_again_after_the_reset() -> None:
    for _ in range(3):
        told = call("3/min")

    assert [call("3/min", told.reset).remaining for _ in range(3)] == [2, 1, 0]


@pytest.mark.django_db
def test_no_window_has_an_edge_at_which_more_pass() -> None:
    passed = [call("10/s", at / 100).allowed for at in range(300)]

    for begin in range(200):  # a bucket of ten that fills by ten a second
        assert sum(passed[begin : begin + 100]) <= 20
    assert sum(passed[100:]) == 20


@pytest.mark.django_db
def test_callers_are_counted_apart() -> None:
    assert call("1/min").allowed
    assert not call("1/min").allowed
    assert call("1/min", name="partner/2").allowed


@pytest.mark.django_db
def test_nobody_waits_longer_than_the_rate_that_holds_now() -> None:
    for _ in range(2):
        call("2/day")

    refused = call("2/min")

    assert not refused.allowed
    assert refused.retry_after == 30
    assert call("2/min", 30).allowed


@pytest.mark.django_db
def test_clock_that_was_put_back_shuts_nobody_out() -> None:
    for _ in range(2):
        call("2/min", 86_400)

    assert call("2/min").retry_after == 30


@pytest.mark.django_db
def test_partners_own_rate_goes_before_everybodys(settings: Any) -> None:
    settings.LOANOFFICE_PARTNER_RATE = "600/min"

    assert rate_of(Partner(rate_limit="")) == rate("600/min")
    assert rate_of(Partner(rate_limit="5/s")) == rate("5/s")
    settings.LOANOFFICE_PARTNER_RATE = ""
    assert rate_of(Partner(rate_limit="")) is None


@pytest.mark.parametrize(
    ("address", "counter"),
    [
        ("192.0.2.7", "address/192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address/2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "address/2001:db8:1:2::/64"),
        ("", "address/unknown"),
    ],
)
def test_ipv6_client_has_its_network(address: str, counter: str) -> None:
    assert address_counter(address) == counter


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_as_many_pass_as_may() -> None:
    told = together([partial(call, "20/hour") for _ in range(32)])

    assert sorted(verdict.allowed for verdict in told if isinstance(verdict, Verdict)) == [
        *[False] * 12,
        *[True] * 20,
    ]
    counter = RateCounter.objects.get()
    assert counter.full_at == microseconds(T0) + 20 * rate("20/hour").step


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_call_is_counted_beside_a_long_transaction() -> None:
    call("20/hour")
    with transaction.atomic():
        Partner.objects.create(name="Written, not committed")
        (told,) = together([partial(call, "20/hour")])

    assert isinstance(told, Verdict)
    assert told.remaining == 18


@pytest.mark.django_db
def test_counters_that_say_nothing_are_forgotten_by_the_sweep() -> None:
    now = timezone.now()
    for name, full_at in (("partner/1", now), ("partner/2", now + timedelta(hours=1))):
        RateCounter.objects.create(name=name, full_at=microseconds(full_at), allowed=True)

    sweep()

    assert [row.name for row in RateCounter.objects.all()] == ["partner/2"]
    assert PeriodicRun.objects.get(name="forget_rate_counters").result == {"forgotten": 1}


@pytest.mark.django_db
def test_no_more_counters_are_forgotten_than_said() -> None:
    for number in range(3):
        RateCounter.objects.create(name=str(number), full_at=0, allowed=True)

    assert [rate_counters_forget(now=T0, limit=2) for _ in range(3)] == [2, 1, 0]
