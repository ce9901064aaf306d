"""No page of the admin leads nowhere, or offers what leads nowhere."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from tests import casework

pytestmark = pytest.mark.django_db
OWN_PAGES = ('href="/admin/account/"', 'href="/admin/notifications/"')


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_page_of_one_group_of_pages_lists_them(officer: User) -> None:
    """The trail of every page leads there."""
    html = as_user(officer).get("/admin/workflows/").content.decode()

    pages = re.search(r'<nav class="app-pages".*?</nav>', html, re.DOTALL)
    assert pages is not None
    for name in ("workflows_incident", "workflows_execution", "workflows_outboxmessage"):
        assert f'href="{reverse(f"admin:{name}_changelist")}"' in pages[0]
    assert "<h1>Workflow</h1>" in html
    for said_in_front in ("nothing here for you", "Seal of the record", "My approvals</a>"):
        assert said_in_front not in html.replace(pages[0], "").partition("<main")[2]


def test_history_is_offered_to_those_who_may_read_it(
    officer: User, make_user: Callable[..., User]
) -> None:
    offer = casework.offered(officer).offers.get()
    auditor = make_user("auditor", Role.AUDITOR)
    change = reverse("admin:applications_loanoffer_change", args=[offer.pk])
    history = reverse("admin:applications_loanoffer_history", args=[offer.pk])

    assert history not in as_user(officer).get(change).content.decode()
    assert history in as_user(auditor).get(change).content.decode()
    there = as_user(officer).get(history).content.decode()
    assert "Auditors read it." in there
    assert f'href="{change}"' in there


def test_pages_of_the_own_password_keep_the_links_of_the_header_and_lead_on(
    officer: User,
) -> None:
    client = as_user(officer)
    for name in ("password_change", "password_change_done"):
        html = client.get(reverse(f"admin:{name}")).content.decode()
        assert all(link in html for link in OWN_PAGES), name
        assert 'role="button" class="press' in html, name
        assert "so we can verify" not in html


def test_who_has_no_second_factor_is_led_to_set_one_up(officer: User) -> None:
    for name in ("renew", "remove"):
        answer = as_user(officer).get(reverse(f"account:{name}"))
        assert answer.headers["Location"] == reverse("account:home"), name
