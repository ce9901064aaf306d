"""Case 24: a list's query string is used to find out what no page shows.

Django filters a list by any field of its rows. A secret was read that way character by
character, a broken pattern was an error of ours, and a nested one held the process.
"""

import string
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.roles import Role
from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from partners.models import Partner
from tests import casework
from tests.applications.admin.conftest import LIST, Login
from tests.sizes import some
from webhooks.models import WebhookEndpoint
from workflows.models import PendingCallback

pytestmark = pytest.mark.django_db

# Without capitals: SQLite does not tell them apart.
SECRET_CHARACTERS = f"_{string.digits}{string.ascii_lowercase}+/="
# Long enough for a pattern that backtracks to take longer than the test may.
SLOW_PATTERN = "(([a-z0-9-]+)+)+$!"


def found(client: Client, address: str, **query: str) -> int:
    """Number of rows that the list shows, from which somebody who guesses learns."""
    answer = client.get(address, query)
    assert answer.status_code == 200
    shown: int = answer.context["cl"].result_count
    return shown


def guess(client: Client, address: str, field: str, alphabet: str, length: int) -> str:
    """Read a field as an attacker does: longer and longer beginnings that still match."""
    value = ""
    for _ in range(length):
        matching = [
            character
            for character in alphabet
            if found(client, address, **{f"{field}__startswith": value + character})
        ]
        if len(matching) != 1:
            return value
        value += matching[0]
    return value


def test_secret_of_a_webhook_is_not_read_by_an_officer(
    login: Login, officer: User, partner: Partner
) -> None:
    WebhookEndpoint.objects.create(
        partner=partner, url="https://partner.example.com/", secret="whsec_Zm9vYmFy"
    )
    address = reverse("admin:webhooks_webhookendpoint_changelist")

    assert guess(login(officer), address, "secret", SECRET_CHARACTERS, 5) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    ("field", "alphabet"),
    some(
        [
            ("sin_last4", string.digits),
            ("phone", f"{string.digits}-"),
            ("address", f"{string.digits}{string.ascii_letters}, "),
            ("email", f"{string.ascii_lowercase}@."),
        ],
        of=3,
    ),
)
def test_contact_details_are_not_read_by_an_auditor(
    login: Login, auditor: User, submitted: LoanApplication, field: str, alphabet: str
) -> None:
    client = login(auditor)

    assert guess(client, LIST, field, alphabet, 3) == ""
    offers = reverse("admin:applications_loanoffer_changelist")
    assert guess(client, offers, f"application__{field}", alphabet, 3) == ""


@pytest.mark.parametrize("lookup", ["gte", "lt", "exact", "in", "range", "isnull"])
def test_income_is_not_narrowed_down(
    login: Login, auditor: User, submitted: LoanApplication, lookup: str
) -> None:
    client = login(auditor)
    values = ("1", "0", "85000", "84999,85001", "99999999", "True")

    shown = {found(client, LIST, **{f"annual_income__{lookup}": value}) for value in values}

    assert shown == {1}


def test_callback_id_and_key_of_a_second_factor_are_not_read(
    login: Login, officer: User, auditor: User, make_user: Callable[..., User]
) -> None:
    casework.waiting_for_manager(officer)
    callback = PendingCallback.objects.get()
    factor = TOTPDevice.objects.create(user=auditor, name="phone")
    root = make_user("root", *Role, is_superuser=True)
    for user, name, query in (
        (officer, "workflows_pendingcallback", {"callback_id": callback.callback_id}),
        (root, "accounts_secondfactor", {"key": factor.key}),
    ):
        client = login(user)
        address = reverse(f"admin:{name}_changelist")
        right = found(client, address, **query)
        wrong = found(client, address, **dict.fromkeys(query, "no such value"))
        assert (right, wrong) == (1, 1)


@pytest.mark.both_databases
@pytest.mark.long
@pytest.mark.parametrize("pattern", some([SLOW_PATTERN, "(", "*", "["], of=3))
def test_pattern_is_neither_an_error_nor_run(
    login: Login, make_user: Callable[..., User], officer: User, partner: Partner, pattern: str
) -> None:
    casework.submit(officer, applicant_name="a" * 200)
    client = login(make_user("root", *Role, is_superuser=True))
    client.raise_request_exception = False
    for model in some(admin.site._registry, of=3):
        texts = [field.name for field in model._meta.concrete_fields][:8]
        opts = model._meta
        address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        query = {f"{name}__{way}": pattern for name in texts for way in ("regex", "iregex")}
        assert client.get(address, query).status_code == 200, (address, query)


def test_what_was_asked_for_is_named_in_the_log_without_its_value(
    login: Login, auditor: User, submitted: LoanApplication, caplog: pytest.LogCaptureFixture
) -> None:
    login(auditor).get(LIST, {"phone__startswith": "613-555"})

    [record] = [r for r in caplog.records if r.name == "audit.admin.declared_filters"]
    facts: dict[str, Any] = vars(record)
    assert (facts["user"], facts["ignored"]) == (auditor.pk, ["phone__startswith"])
    assert "613-555" not in str(facts)


def test_export_tells_no_more_than_the_list(
    login: Login, auditor: User, submitted: LoanApplication
) -> None:
    client = login(auditor)
    exports = [
        reverse(f"admin:{name}_export")
        for name in ("applications_loanapplication", "audit_auditentry")
    ]
    hidden = {"phone__startswith": "9", "actor__password__startswith": "x", "id__regex": "["}
    for address in exports:
        answers: list[Any] = [client.post(address), client.post(address, query_params=hidden)]
        rows = [len(b"".join(answer.streaming_content).splitlines()) for answer in answers]
        # Each export of the audit log has the entries of those before it.
        assert 1 < rows[0] <= rows[1]
    noted = AuditEntry.objects.filter(action=Action.EXPORTED)
    assert noted.count() == 4
    assert not [entry for entry in noted if "regex" in str(entry.details)]
