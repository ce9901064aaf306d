"""Headers of every response: nothing is stored, embedded elsewhere or given a device."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from loanoffice.security_headers import DENIED_FEATURES

pytestmark = pytest.mark.django_db

ADDRESSES = [
    "/",
    "/admin/",
    "/admin/login/",
    "/admin/jsi18n/",
    "/admin/applications/loanapplication/",
    "/admin/nothing/",
    "/api/v1/applications/",
    "/api/v1/docs/",
    "/api/v1/schema/",
    "/health/live/",
    "/health/ready/",
    "/nowhere/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_response_has_the_headers(client: Client, officer: User, address: str) -> None:
    for signed_in in (False, True):
        if signed_in:
            client.force_login(officer)
        response = client.get(address)
        policy = response.headers["Permissions-Policy"].split(", ")
        assert policy == [f"{feature}=()" for feature in DENIED_FEATURES]
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "no-store" in response.headers["Cache-Control"].split(", ")


def test_addresses_stand_for_every_group_of_the_site() -> None:
    groups = {str(entry.pattern).split("/")[0] for entry in get_resolver().url_patterns}
    asked = {address.split("/")[1] for address in ADDRESSES}
    assert {group for group in groups if group not in asked} <= {
        "callbacks",
        "documents",
        "account",
    }
