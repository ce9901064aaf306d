"""Callers of the API: partners with keys, staff with sessions, and nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import ApplicationEvent, LoanApplication
from partners.models import Partner
from partners.services.keys import partner_key_issue
from tests.partners.api.calls import Caller
from workflows.models import OutboxMessage


@pytest.fixture
def api(partner_key: str) -> Caller:
    """The partner's caller, with a key of every scope."""
    return Caller(partner_key)


@pytest.fixture
def anonymous(db: None) -> Caller:
    return Caller()


@pytest.fixture
def other_partner(db: None) -> Partner:
    return Partner.objects.create(name="Birch Brokers")


@pytest.fixture
def other_api(other_partner: Partner) -> Caller:
    return Caller(partner_key_issue(partner=other_partner)[1])


@pytest.fixture
def api_with(partner: Partner) -> Callable[..., Caller]:
    """``api_with("applications:read")``: the partner with a key of these scopes only."""

    def make(*scopes: str) -> Caller:
        return Caller(partner_key_issue(partner=partner, scopes=scopes)[1])

    return make


@pytest.fixture
def as_staff(db: None) -> Callable[[User], Caller]:
    """``as_staff(manager)``: the session of a member of staff."""

    def make(user: User) -> Caller:
        client = Client()
        client.force_login(user)
        return Caller(client=client)

    return make


@pytest.fixture
def rows(db: None) -> Callable[[], Any]:
    """Count the rows of every table that a submission writes."""

    def count() -> tuple[int, ...]:
        return tuple(
            model.objects.count() for model in (LoanApplication, ApplicationEvent, OutboxMessage)
        )

    return count
