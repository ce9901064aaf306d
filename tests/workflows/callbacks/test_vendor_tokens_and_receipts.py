"""Rows that are stored for callback addresses: hashes of tokens, and receipts until the sweep."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from applications.models import LoanApplication
from tests.hard_cases.stored import everything_stored
from tests.workflows.callbacks.conftest import path_of
from tests.workflows.callbacks.vendor import PASSED, accepted, send
from workflows.callbacks.fraud_vendor import callback_requests_forget
from workflows.callbacks.tokens import callback_url_issue
from workflows.models import CallbackRequest, CallbackToken, PendingCallback
from workflows.sweep import sweep

pytestmark = pytest.mark.django_db


def test_only_a_hash_of_the_token_is_kept(path: str) -> None:
    token = path.split("/")[2]

    assert len(token) == 43
    stored = everything_stored()
    assert token not in str(stored)
    assert CallbackToken.objects.get().token_hash in str(stored)


def test_address_is_the_same_when_the_vendor_is_asked_again(path: str) -> None:
    assert path_of("F") == path
    assert CallbackToken.objects.count() == 1


def test_closed_callback_gets_no_address(asked: LoanApplication) -> None:
    PendingCallback.objects.update(status="expired")

    assert callback_url_issue(callback_id="F") is None


def test_sweep_forgets_requests_whose_signatures_count_no_more(path: str) -> None:
    accepted(send(path, PASSED))
    accepted(send(path, PASSED))
    first, second = CallbackRequest.objects.order_by("pk")
    now = timezone.now()
    CallbackRequest.objects.filter(pk=first.pk).update(received_at=now - timedelta(minutes=61))
    CallbackRequest.objects.filter(pk=second.pk).update(received_at=now - timedelta(minutes=11))

    sweep()

    assert list(CallbackRequest.objects.all()) == [second]


def test_requests_are_forgotten_a_few_at_a_time(path: str) -> None:
    for _ in range(3):
        accepted(send(path, PASSED))
    later = timezone.now() + timedelta(hours=2)

    assert callback_requests_forget(now=later, limit=2) == 2
    assert callback_requests_forget(now=later, limit=2) == 1
    assert callback_requests_forget(now=later, limit=2) == 0


def test_answer_takes_a_bounded_number_of_queries(
    path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20):
        accepted(send(path, PASSED))
