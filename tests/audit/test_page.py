"""The page "Audit log": permissions, search, the text of entries, the export."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from audit.admin.export import COLUMNS
from audit.admin.paging import FARTHEST, NearPaginator
from audit.models import Action, AuditEntry
from audit.selectors import entries_found
from audit.services import entries_record, entry_make, entry_record
from audit.tracing import client_address, request_id, user_agent
from tests.audit.scenarios.office import Office
from tests.audit.scenarios.policies_and_partners import policy_change, policy_publish

LIST = "/admin/audit/auditentry/"


@pytest.fixture
def client(auditor: User) -> Client:
    client = Client()
    client.force_login(auditor)
    return client


def shown(client: Client, **query: str) -> list[AuditEntry]:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


# --- Who --------------------------------------------------------------------------------------


def test_auditors_and_superusers_see_it(client: Client, make_user: Callable[..., User]) -> None:
    root = Client()
    root.force_login(make_user("root", is_superuser=True))
    entry = AuditEntry.objects.latest("id")

    for who in (client, root):
        assert who.get(LIST).status_code == 200
        assert who.get(f"{LIST}{entry.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    "role", [role for role in Role if role != Role.AUDITOR], ids=lambda role: role.value
)
def test_nobody_else_does(make_user: Callable[..., User], role: Role) -> None:
    client = Client()
    client.force_login(make_user("somebody", role))
    entry = AuditEntry.objects.latest("id")

    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{entry.pk}/change/").status_code == 403
    assert client.post(f"{LIST}export/").status_code == 403
    assert not AuditEntry.objects.filter(action=Action.EXPORTED).exists()


def test_nobody_adds_changes_or_deletes_an_entry_there(make_user: Callable[..., User]) -> None:
    client = Client()
    client.force_login(make_user("root", *Role, is_superuser=True))
    entry = AuditEntry.objects.latest("id")

    for address in (f"{LIST}add/", f"{LIST}{entry.pk}/change/", f"{LIST}{entry.pk}/delete/"):
        assert client.post(address, {"message": "another", "post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    client.post(LIST, bulk)
    assert AuditEntry.objects.get(pk=entry.pk).message == entry.message


def test_outside_service_that_signed_its_request_is_told_from_somebody_not_signed_in(
    client: Client, draft: LoanApplication
) -> None:
    signed = {"who": "fraud vendor", "details": {"webhook_id": "msg_1"}}
    entries_record(
        [
            entry_make(action=Action.DECIDED, message="Answered.", **signed),
            entry_make(action=Action.SIGN_IN_FAILED, message="Failed.", who="mallory"),
        ]
    )

    text = client.get(LIST).content.decode()

    assert 'fraud vendor <span class="quiet">signed request</span>' in text
    assert 'mallory <span class="quiet">not signed in</span>' in text


# --- Finding ----------------------------------------------------------------------------------


def test_search_finds_a_reference_a_request_a_person_and_a_partner(
    client: Client, draft: LoanApplication, officer: User, partner: Any, auditor: User
) -> None:
    token = request_id.set("request-7")
    theirs = intake.application_create(
        partner=partner, applicant_name="Bob", sin_last4="2222", loan_amount=1000
    )
    request_id.reset(token)

    assert {entry.reference for entry in shown(client, q=draft.reference.lower())} == {
        draft.reference
    }
    assert [entry.reference for entry in shown(client, q="request-7")] == [theirs.reference]
    assert {entry.actor for entry in shown(client, q=" officer ")} == {officer}
    assert [entry.who for entry in shown(client, q=partner.name)] == [partner.name]
    assert shown(client, q="nobody") == []


def test_filters_narrow_by_person_action_object_and_time(
    client: Client, draft: LoanApplication, officer: User, auditor: User
) -> None:
    entries_record(
        [
            entry_make(
                action=Action.DELETED,
                message="Long ago.",
                actor=officer,
                at=timezone.now() - timedelta(days=40),
            )
        ]
    )

    assert {entry.who for entry in shown(client, who="officer")} == {"officer"}
    assert {entry.action for entry in shown(client, action__exact="created")} == {"created"}
    assert {entry.object_name for entry in shown(client, kind="applications.loanapplication")} == {
        draft.reference
    }
    lately = shown(client, past="30", who="officer")
    assert lately
    assert "Long ago." not in {entry.message for entry in lately}
    assert "Long ago." in {entry.message for entry in shown(client, past="90", who="officer")}


@pytest.mark.parametrize("query", [{"who": "\0"}, {"q": "\0"}, {"kind": "x\0"}])
def test_null_characters_are_ignored_with_a_message(client: Client, query: dict[str, str]) -> None:
    [name] = query

    page = client.get(LIST, query)

    assert page.status_code == 200
    assert f"as the list does not offer it: {name}." in page.text


def test_list_costs_the_same_however_many_entries_there_are(
    client: Client, officer: User, django_assert_num_queries: Any
) -> None:
    fill = [entry_make(action=Action.VIEWED, message="x", actor=officer) for _ in range(200)]
    client.get(LIST)

    # session, user, two of permissions, people to filter by, count up to a limit, the page
    with django_assert_num_queries(8):
        client.get(LIST)
    entries_record(fill)
    with django_assert_num_queries(8):
        client.get(LIST)


def test_entries_are_never_all_counted(db: None) -> None:
    statement = str(AuditEntry.objects.order_by()[:FARTHEST].query)
    assert f"LIMIT {FARTHEST}" in statement
    entries_record([entry_make(action=Action.VIEWED, message="x") for _ in range(30)])

    assert NearPaginator(AuditEntry.objects.all(), 7).count == 30


NARROWED: dict[str, Callable[[], Any]] = {
    "audit_newest": AuditEntry.objects.all,
    "audit_by_action": lambda: AuditEntry.objects.filter(action=Action.SECOND_FACTOR),
    "audit_by_who": lambda: AuditEntry.objects.filter(who="officer"),
    "audit_by_kind": lambda: AuditEntry.objects.filter(object_kind="auth.user"),
    "audit_by_reference": lambda: entries_found("LOAN-22222222"),
    "audit_by_request": lambda: AuditEntry.objects.filter(request_id="x"),
}


@pytest.mark.both_databases
@pytest.mark.parametrize(("index", "rows"), NARROWED.items(), ids=NARROWED.keys())
def test_page_is_read_from_an_index(db: None, index: str, rows: Callable[[], Any]) -> None:
    """So that it does not matter how many entries there are."""
    entries = [
        entry_make(
            action=list(Action)[number % 10],
            message="x",
            who=f"somebody{number % 50}",
            reference=f"LOAN-{number:08}",
        )
        for number in range(3000)
    ]
    for number, entry in enumerate(entries):
        entry.request_id = f"request-{number}"
    entries_record(entries)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_auditentry")
    prefix = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    page = rows()[:50]
    statement, values = page.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"{prefix} {statement}", values)
        plan = "\n".join(str(row) for row in cursor.fetchall())

    assert index in plan
    assert "Seq Scan" not in plan


# --- What an entry says -----------------------------------------------------------------------


def test_page_of_an_entry_shows_before_and_after_and_where_from(
    client: Client, draft: LoanApplication, officer: User
) -> None:
    tokens = client_address.set("198.51.100.7"), user_agent.set("Desk <7>"), request_id.set("r-9")
    intake.application_edit(reference=draft.reference, user=officer, phone="416-555-0202")
    for variable, token in zip((client_address, user_agent, request_id), tokens, strict=True):
        variable.reset(token)
    entry = AuditEntry.objects.get(action=Action.CHANGED)

    html = client.get(f"{LIST}{entry.pk}/change/").content.decode()

    assert "<td>6••-•••-••01</td><td>4••-•••-••02</td>" in html
    assert "198.51.100.7" in html
    assert "Desk &lt;7&gt;" in html
    assert f'href="{LIST}?q=r-9"' in html
    assert f'href="/admin/applications/loanapplication/{draft.pk}/change/"' in html


def test_change_of_groups_and_permissions_shows_both(make_user: Callable[..., User]) -> None:
    client = Client()
    client.force_login(make_user("root", *Role, is_superuser=True))
    group = Group.objects.get(name=Role.AUDITOR.value)
    had = sorted(str(permission) for permission in group.permissions.all())

    client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Auditors", "permissions": []})

    entry = AuditEntry.objects.get(action=Action.CHANGED)
    assert "name" not in entry.changes
    assert entry.changes["permissions"] == [had, []]
    assert len(had) > 10


def test_change_of_a_policy_shows_each_field(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_change(Office(make_user, monkeypatch))

    edited = AuditEntry.objects.filter(action=Action.CHANGED).get()
    ceiling = "policy authority “Manager”: ceiling"
    assert edited.changes == {ceiling: ["300000.00", "310000.00"]}
    created = AuditEntry.objects.get(action=Action.CREATED, object_kind="lending.lendingpolicy")
    assert created.changes[ceiling] == [None, "300000.00"]


def test_publishing_shows_what_cases_are_judged_by_from_now_on(
    make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_publish(Office(make_user, monkeypatch))

    entry = AuditEntry.objects.get(action=Action.PUBLISHED)
    assert entry.changes["manager_ceiling"] == ["250000.00", "300000.00"]
    assert entry.changes["version"] == [1, 2]


def test_what_was_rolled_back_left_no_entry(draft: LoanApplication, officer: User) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Exception, match=r".+"):
        intake.application_edit(reference=draft.reference, user=officer, currency="USD")

    assert AuditEntry.objects.count() == before


def test_user_who_acted_cannot_be_deleted(officer: User, make_user: Callable[..., User]) -> None:
    client = Client()
    client.force_login(make_user("root", *Role, is_superuser=True))
    entry_record(action=Action.VIEWED, message="Looked.", actor=officer)

    client.post(f"/admin/auth/user/{officer.pk}/delete/", {"post": "yes"})

    assert User.objects.filter(pk=officer.pk).exists()


# --- Export -----------------------------------------------------------------------------------


def exported(client: Client, **query: str) -> list[dict[str, str]]:
    answer: Any = client.post(f"{LIST}export/", query_params=query)
    assert answer.status_code == 200
    assert answer.streaming
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_export_holds_what_the_list_shows_and_is_on_record(
    client: Client, draft: LoanApplication, auditor: User
) -> None:
    rows = exported(client, who="officer")

    assert {row["who"] for row in rows} == {"officer"}
    assert list(rows[0]) == list(COLUMNS)
    assert draft.reference in {row["reference"] for row in rows}
    entry = AuditEntry.objects.get(action=Action.EXPORTED)
    assert (entry.actor, entry.details) == (auditor, {"narrowed": {"who": "officer"}})


def test_export_is_no_link(client: Client) -> None:
    assert client.get(f"{LIST}export/").status_code == 405


def test_export_holds_all_of_many(client: Client, officer: User) -> None:
    entries_record(
        [entry_make(action=Action.VIEWED, message=f"{n}", actor=officer) for n in range(2500)]
    )

    assert len(exported(client, who="officer")) == 2500


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_cell_that_a_spreadsheet_would_run_is_text(
    client: Client, officer: User, sign: str
) -> None:
    payload = f'{sign}HYPERLINK("http://evil.example","x")'
    entry_record(action=Action.VIEWED, message=payload, actor=officer)

    [row] = exported(client, who="officer")

    assert row["message"] == f"'{payload}"
