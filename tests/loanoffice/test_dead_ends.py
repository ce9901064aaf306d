"""No page of the admin leads nowhere, or offers what leads nowhere."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from tests import casework
from tests.test_docstrings import PACKAGES

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


def test_every_tone_of_a_button_has_its_colours() -> None:
    """A button without them is white on white."""
    found = set()
    for package in PACKAGES:
        for path in Path(settings.BASE_DIR, package).rglob("*"):
            if path.suffix in {".py", ".html"}:
                said = path.read_text(encoding="utf-8")
                found |= set(re.findall(r'Button\([^)]*tone="(\w+)"|\btone = "(\w+)"', said))
                found |= {
                    (tone, "") for tone in re.findall(r"\bpress-(good|bad|wait|quiet)\b", said)
                }
    tones = {first or second for first, second in found}
    sheet = Path(settings.BASE_DIR, "loanoffice/static/loanoffice/loanoffice.css").read_text()
    assert tones >= {"good", "bad", "wait", "quiet"}
    assert [tone for tone in sorted(tones) if f"a.press-{tone}:link" not in sheet] == []


def test_deletion_of_several_is_asked_for_in_the_words_of_the_office(
    make_user: Callable[..., User], officer: User
) -> None:
    client = as_user(make_user("root", is_superuser=True))
    newcomer = make_user("newcomer")
    casework.submit(officer)
    ask = {"action": "delete_selected", "_selected_action": [newcomer.pk]}
    users = reverse("admin:auth_user_changelist")

    html = client.post(users, ask).content.decode()
    assert "<li>newcomer</li>" in html
    assert "Delete multiple objects" not in html
    refused = client.post(users, {**ask, "_selected_action": [officer.pk]}).content.decode()
    assert "the record names some of them" in refused
    assert 'type="hidden" name="post"' not in refused
