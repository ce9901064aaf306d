"""The pages of a key: rotate, change the expiry, states; and a partner's own rate."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue, partner_key_recognise, partner_key_revoke
from tests.applications.admin.test_other_pages import typed_from
from tests.reviews.admin.test_delegations import typed as moment_typed

type Login = Callable[[User], Client]
SHOWN = re.compile(r'id="issued-key">([^<]+)<')
READ = ["applications:read"]


@pytest.fixture
def partner_key(partner: Partner) -> str:
    """A key that only reads, which one person rotates; others are in ``test_key_proposals``."""
    return partner_key_issue(partner=partner, scopes=tuple(READ))[1]


@pytest.fixture
def key(partner: Partner, partner_key: str) -> PartnerKey:
    return PartnerKey.objects.get()


def address(what: str, key: PartnerKey) -> str:
    return reverse(f"admin:partners_partnerkey_{what}", args=[key.pk])


def shown_key(answer: Any) -> str:
    found = SHOWN.search(answer.content.decode())
    assert found is not None
    return found[1]


def value_in(answer: Any, field: str) -> str:
    """Return the initial value of a field of the page's form."""
    found = re.search(rf'<input[^>]*name="{field}"[^>]*value="([^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def assert_kept_nowhere(client: Client, secret: str, answer: Any, caplog: Any) -> None:
    assert "no-store" in answer["Cache-Control"]
    assert secret not in str(dict(client.session.items()))
    assert secret not in str(answer.cookies)
    assert secret not in caplog.text
    assert not any(secret in str(entry.__dict__) for entry in AuditEntry.objects.all())
    assert secret not in str(PartnerKey.objects.values())


def test_rotated_key_is_shown_once_and_kept_nowhere(
    login: Login,
    partner_manager: User,
    key: PartnerKey,
    partner_key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = login(partner_manager)
    assert 'value="24" selected' in client.get(address("rotate", key)).content.decode()

    answer = client.post(address("rotate", key), {"overlap": "24"})

    secret = shown_key(answer)
    new = partner_key_recognise(secret)
    assert new is not None
    assert (new.replaces, new.scopes) == (key, key.scopes)
    assert partner_key_recognise(partner_key) is not None
    assert_kept_nowhere(client, secret, answer, caplog)
    for row, other in ((key, new), (new, key)):
        page = client.get(address("change", row)).content.decode()
        assert address("change", other) in page
        assert secret not in page


def test_issued_key_is_kept_nowhere(
    login: Login, partner_manager: User, partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    client = login(partner_manager)
    issue = reverse("admin:partners_partner_issue_key", args=[partner.pk])

    answer = client.post(issue, {"scopes": READ})

    assert_kept_nowhere(client, shown_key(answer), answer, caplog)


def test_key_is_issued_from_the_menu_for_a_partner_that_is_chosen(
    login: Login, partner_manager: User, auditor: User, partner: Partner
) -> None:
    add = reverse("admin:partners_partnerkey_add")
    assert login(auditor).post(add, {"partner": partner.pk, "scopes": READ}).status_code == 403
    client = login(partner_manager)
    assert f'href="{add}"' in client.get(reverse("admin:index")).content.decode()
    assert '<select name="partner"' in client.get(add).content.decode()
    assert SHOWN.search(client.post(add, {"scopes": READ}).content.decode()) is None

    answer = client.post(add, {"partner": partner.pk, "scopes": READ, "label": "Orders"})

    made = PartnerKey.objects.get()
    assert (made.partner, made.label) == (partner, "Orders")
    assert partner_key_recognise(shown_key(answer)) is not None
    writes = {"partner": partner.pk, "scopes": ["applications:write"]}
    proposal = client.post(add, writes, follow=True)
    assert f"Proposed: Issue a key to {partner}." in proposal.content.decode()
    assert PartnerKey.objects.get() == made


def test_old_key_may_end_now(
    login: Login, partner_manager: User, key: PartnerKey, partner_key: str
) -> None:
    answer = login(partner_manager).post(address("rotate", key), {"overlap": "0"})

    assert partner_key_recognise(partner_key) is None
    assert partner_key_recognise(shown_key(answer)) is not None


@pytest.mark.parametrize("typed", [{}, {"overlap": "-1"}, {"overlap": "5"}, {"overlap": "x"}])
def test_overlap_is_one_of_those_offered(
    login: Login, partner_manager: User, key: PartnerKey, typed: dict[str, str]
) -> None:
    answer = login(partner_manager).post(address("rotate", key), typed)

    assert SHOWN.search(answer.content.decode()) is None
    assert PartnerKey.objects.get() == key


def test_rotation_that_is_sent_twice_makes_one_key(
    login: Login, partner_manager: User, key: PartnerKey
) -> None:
    client = login(partner_manager)
    client.post(address("rotate", key), {"overlap": "24"})

    again = client.post(address("rotate", key), {"overlap": "24"})

    assert again.status_code == 409
    assert "was rotated at" in again.content.decode()
    assert PartnerKey.objects.count() == 2


def test_form_that_is_sent_twice_issues_one_key(
    login: Login, partner_manager: User, partner: Partner
) -> None:
    client = login(partner_manager)
    issue = reverse("admin:partners_partner_issue_key", args=[partner.pk])
    typed = {"form_id": value_in(client.get(issue), "form_id"), "scopes": READ}
    secret = shown_key(client.post(issue, typed))

    again = client.post(issue, typed)

    assert again.status_code == 409
    page = unescape(again.content.decode())
    assert "This form issued the key" in page
    assert secret not in page
    assert PartnerKey.objects.count() == 1
    fresh = {"form_id": value_in(client.get(issue), "form_id"), "scopes": READ}
    assert partner_key_recognise(shown_key(client.post(issue, fresh))) is not None


def test_expiry_is_changed_on_its_page(
    login: Login, partner_manager: User, key: PartnerKey
) -> None:
    client = login(partner_manager)
    wanted = timezone.now() + timedelta(days=3)

    answer = client.post(address("expire", key), {"expires_at": moment_typed(wanted)})

    assert answer.status_code == 302
    key.refresh_from_db()
    assert key.expires_at == pytest.approx(wanted, abs=timedelta(minutes=1))
    shown = value_in(client.get(address("expire", key)), "expires_at")
    assert shown == f"{timezone.localtime(key.expires_at):%Y-%m-%dT%H:%M}"
    client.post(address("expire", key), {"expires_at": ""})
    key.refresh_from_db()
    assert key.expires_at is None


@pytest.mark.parametrize("typed", ["2001-01-01T00:00", "soon"])
def test_expiry_that_makes_no_sense_is_refused(
    login: Login, partner_manager: User, key: PartnerKey, typed: str
) -> None:
    answer = login(partner_manager).post(address("expire", key), {"expires_at": typed})

    assert answer.status_code in {200, 400}
    assert "errorlist" in answer.content.decode()
    key.refresh_from_db()
    assert key.expires_at is None


@pytest.mark.parametrize(
    ("days", "revoked", "label", "buttons"),
    [
        (None, False, "Live", {"rotate", "expire", "revoke"}),
        (3, False, "Expires soon", {"rotate", "expire", "revoke"}),
        (-1, False, "Expired", {"revoke"}),
        (None, True, "Revoked", set()),
    ],
)
def test_state_is_shown_and_only_what_can_be_done_is_offered(
    login: Login,
    partner_manager: User,
    partner: Partner,
    days: int | None,
    revoked: bool,
    label: str,
    buttons: set[str],
) -> None:
    ends = None if days is None else timezone.now() + timedelta(days=days)
    key = partner_key_issue(partner=partner, expires_at=ends)[0]
    if revoked:
        partner_key_revoke(partner_key=key)
    client = login(partner_manager)

    page = client.get(address("change", key)).content.decode()

    assert set(re.findall(r'id="press-(\w+)"', page)) == buttons
    for where in (
        address("change", key),
        reverse("admin:partners_partnerkey_changelist"),
        reverse("admin:partners_partner_change", args=[partner.pk]),
    ):
        assert f">{label}</span>" in client.get(where).content.decode()


def test_key_is_neither_rotated_nor_moved_without_the_right_or_by_a_look(
    login: Login, partner_manager: User, manager: User, auditor: User, key: PartnerKey
) -> None:
    for user in (manager, auditor):
        client = login(user)
        for what in ("rotate", "expire"):
            assert client.post(address(what, key), {"overlap": "0"}).status_code == 403
            assert client.get(address(what, key)).status_code == 403
    client = login(partner_manager)
    for what in ("rotate", "expire"):
        client.get(address(what, key), {"overlap": "0"})

    key.refresh_from_db()
    assert key.expires_at is None
    assert PartnerKey.objects.count() == 1


def test_partners_rate_is_changed_on_its_page_and_on_record(
    login: Login, partner_manager: User, partner: Partner
) -> None:
    client = login(partner_manager)
    change = reverse("admin:partners_partner_change", args=[partner.pk])
    typed = typed_from(client.get(change))

    client.post(change, typed | {"rate_limit": "5/s"})

    partner.refresh_from_db()
    assert partner.rate_limit == "5/s"
    assert AuditEntry.objects.get(action="changed").changes["rate_limit"] == ["", "5/s"]
    refused = client.post(change, typed | {"rate_limit": "often"})
    assert "as in 600/min" in refused.content.decode()
    partner.refresh_from_db()
    assert partner.rate_limit == "5/s"
