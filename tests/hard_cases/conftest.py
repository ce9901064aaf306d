"""Fixtures of the hard cases, shared with the tests of the API, the admin and the engine."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.applications.admin.conftest import Login, login
from tests.functions.office import office, running
from tests.hard_cases.clock import clock
from tests.partners.api.conftest import api
from tests.workflows.deploy_check.draining import pending

__all__ = ["api", "clock", "login", "office", "pending", "running"]


@pytest.fixture
def as_officer(login: Login, officer: User) -> Client:
    client = login(officer)
    client.raise_request_exception = False
    return client


@pytest.fixture
def as_manager(login: Login, manager: User) -> Client:
    client = login(manager)
    client.raise_request_exception = False
    return client
