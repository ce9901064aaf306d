"""The second factor where a role requires it: every page, every POST and the API ask for it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import RoutePattern, URLPattern, URLResolver

from accounts.models import SecondFactor
from tests.accounts.conftest import (
    API,
    CODE,
    ENROL,
    HOME,
    Enrol,
    code_of,
    sign_in,
)

pytestmark = pytest.mark.django_db


def test_member_without_one_is_led_to_it_before_anything_else(
    manager: User, needs_second_factor: Callable[[User], None]
) -> None:
    needs_second_factor(manager)
    client = Client()
    sign_in(client, "manager")

    assert client.get(HOME).url == reverse("account:enrol", query={"next": HOME})
    client.post(ENROL, {"begin": "yes"})
    assert client.get(HOME).url.startswith(ENROL)
    client.post(ENROL, {"code": code_of(SecondFactor.objects.get())})

    assert client.get(HOME).status_code == 200


def test_session_that_is_there_already_is_led_to_it_too(
    signed_in: Client, manager: User, needs_second_factor: Callable[[User], None]
) -> None:
    assert signed_in.get(HOME).status_code == 200

    needs_second_factor(manager)

    assert signed_in.get(HOME).url.startswith(ENROL)


def test_nobody_else_is_asked_for_one(
    manager: User, officer: User, needs_second_factor: Callable[[User], None]
) -> None:
    needs_second_factor(manager)
    client = Client()
    sign_in(client, "officer")

    assert client.get(HOME).status_code == 200


def routes(patterns: list[Any], prefix: str = "/") -> list[str]:
    """Every address of the project, with a 1 for whatever it takes."""
    found = []
    for pattern in patterns:
        if isinstance(pattern.pattern, RoutePattern):
            route = prefix + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
            if isinstance(pattern, URLResolver):
                found += routes(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                found.append(route)
    return found


def test_without_the_code_every_page_and_every_post_leads_to_it(
    make_user: Callable[..., User], enrol: Enrol
) -> None:
    enrol(make_user("root", is_superuser=True))
    client = Client()
    sign_in(client, "root")
    open_to_all = {CODE, "/admin/login/", "/admin/logout/", "/health/live/", "/health/ready/"}
    # For who has the link of an invitation, whoever else is signed in.
    open_to_all |= {"/admin/account/invitation/", "/admin/account/invitation/1/1/"}
    addresses = set(routes(get_resolver().url_patterns)) - open_to_all
    assert len(addresses) > 80

    for address in sorted(addresses):
        for call in (client.get, client.post):
            answer = call(address)
            if address.startswith("/api/"):
                assert answer.status_code in {200, 401, 403, 404, 405}, address
                is_public = address in {"/api/v1/schema/", "/api/v1/docs/"}
                assert answer.status_code != 200 or is_public, address
            else:
                assert answer.status_code == 302, address
                assert answer.url.startswith(CODE), address


@pytest.mark.parametrize("lacking", ["code", "enrolment"])
def test_api_refuses_a_staff_session_that_lacks_it(
    manager: User,
    enrol: Enrol,
    needs_second_factor: Callable[[User], None],
    lacking: str,
) -> None:
    if lacking == "code":
        enrol(manager)
    else:
        needs_second_factor(manager)
    client = Client()
    sign_in(client, "manager")

    answers = [client.get(API), client.post(f"{API}LOAN-22222222/decision/", {"approved": True})]

    for answer in answers:
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/second-factor-needed"


def test_api_takes_a_staff_session_that_showed_it_and_a_partner_with_a_cookie_of_one_that_did_not(
    manager: User, enrol: Enrol, partner_key: str
) -> None:
    _, codes = enrol(manager)
    client = Client()
    sign_in(client, "manager")
    bearer = {"Authorization": f"Bearer {partner_key}"}
    assert client.get(API, headers=bearer).status_code == 200

    client.post(CODE, {"code": codes[0]})

    assert client.get(API).status_code == 200


def test_code_of_one_person_does_not_verify_another_in_the_same_browser(
    manager: User, senior: User, enrol: Enrol
) -> None:
    _, codes = enrol(manager)
    enrol(senior)
    client = Client()
    sign_in(client, "manager")
    client.post(CODE, {"code": codes[0]})
    assert client.get(HOME).status_code == 200

    sign_in(client, "senior")

    assert client.get(HOME).url.startswith(CODE)
    assert client.post(CODE, {"code": codes[1]}).status_code == 200
