"""The list as CSV: what is in it, who may, and that it streams."""

import csv
import io
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from applications.admin import export
from applications.choices import Status
from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from devtools.seeding.seed import SeedRequest, seed
from partners.models import Partner
from tests import casework
from tests.applications.admin.conftest import LIST, Login, said
from tests.permissions import permit
from tests.plans import SORTS, plans
from tests.sizes import some

EXPORT = f"{LIST}export/"
TABLE = LoanApplication._meta.db_table


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 3)


def rows_of(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.post(f"{EXPORT}?{query}")
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def references(client: Client, query: str = "") -> list[str]:
    return [row["Reference"] for row in rows_of(client, query)]


def listed(client: Client, query: str = "") -> list[str]:
    shown = client.get(f"{LIST}?{query}").context["cl"]
    return [application.reference for application in shown.queryset]


# --- What is in it ------------------------------------------------------------------------


def test_row_shows_words_times_and_the_partner_and_nothing_personal_but_the_name(
    login: Login, auditor: User, partner: Partner
) -> None:
    application = casework.waiting_for_manager(
        None, partner=partner, applicant_name="Émile Côté", external_id="crm-7"
    )

    [row] = rows_of(login(auditor))

    created = timezone.localtime(application.created_at).isoformat(timespec="seconds")
    assert row == {
        "Reference": application.reference,
        "Applicant": "Émile Côté",
        "Amount": "150000.00",
        "Currency": "CAD",
        "Purpose": "Personal loan",
        "Months": "60",
        "Status": "Pending approval",
        "Step": "Manager approval",
        "Waiting on": "Manager",
        "Waiting until": row["Waiting until"],
        "Partner": "Maple Brokers",
        "Partner's reference": "crm-7",
        "Decision": "",
        "Decided": "",
        "Created": created,
        "Submitted": row["Submitted"],
        "Closed": "",
    }
    assert row["Waiting until"] > created
    everything = " ".join(row.values())
    for secret in ("1111", "Maple Street", "613-555", "alice@example.com", "85000"):
        assert secret not in everything


def test_file_is_an_attachment_in_utf8_with_a_mark_that_nobody_keeps(
    login: Login, auditor: User, draft: LoanApplication
) -> None:
    answer = login(auditor).post(EXPORT)

    content = b"".join(answer.streaming_content)
    assert answer.streaming
    assert content.startswith(b'\xef\xbb\xbf"Reference","Applicant",')
    assert content.endswith(b"\r\n")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="applications-')
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_cell_that_begins_like_a_formula_is_made_text(
    login: Login, auditor: User, officer: User, partner: Partner, sign: str
) -> None:
    evil = f"{sign}HYPERLINK(0)"
    application = casework.submit(None, partner=partner, external_id="x")
    Partner.objects.update(name=evil)
    LoanApplication.objects.filter(pk=application.pk).update(applicant_name=evil, external_id=evil)

    [row] = rows_of(login(auditor))

    assert row["Applicant"] == row["Partner"] == row["Partner's reference"] == f"'{evil}"


def test_ids_are_quoted_text_and_amounts_are_numbers(
    login: Login, auditor: User, partner: Partner
) -> None:
    casework.submit(None, partner=partner, external_id="00123")

    line = b"".join(login(auditor).post(EXPORT).streaming_content).splitlines()[1].decode()

    assert line.startswith('"LOAN-')
    assert '"Alice Johnson",150000.00,"CAD","Personal loan",60,' in line
    assert ',"Maple Brokers","00123",' in line


def test_quotes_commas_line_ends_and_other_scripts_come_through(
    login: Login, auditor: User, officer: User
) -> None:
    names = ['He said "yes", twice', "Line\nbreak", "محمد 🦊", "O'Brien; 王"]
    for name in names:
        casework.submit(officer, applicant_name=name)

    assert [row["Applicant"] for row in rows_of(login(auditor))] == names[::-1]


# --- Which rows ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    "query",
    some(
        [
            "",
            "status__exact=funded",
            "q=s",
            "q=s&status__exact=funded&partner__id__exact=none",
            "current_step__exact=complete&amount=2",
            "past=90&partner__id__exact=none",
            "o=-2",
            "o=2&status__exact=declined",
            "o=7",
            "q=nobody+is+called+that",
        ],
        of=3,
    ),
)
def test_export_is_what_the_list_shows_in_its_order(
    login: Login, auditor: User, query: str
) -> None:
    seed(SeedRequest(closed=150, standing=20), now=timezone.now())
    # Many at the same moment and of the same amount and name: pieces end in the middle.
    some = LoanApplication.objects.filter(pk__in=LoanApplication.objects.order_by("pk")[:60])
    some.update(created_at=timezone.now() - timedelta(days=1), loan_amount=Decimal(30000))
    some.update(applicant_search="sam stone", amount_band=2)
    client = login(auditor)

    exported = references(client, query)

    assert exported == listed(client, query)
    assert bool(exported) is ("nobody" not in query)


def test_page_of_the_list_does_not_matter_and_its_end_neither(
    login: Login, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(SeedRequest(closed=130), now=timezone.now())
    monkeypatch.setattr("core.admin.paging.BoundedPaginator.most", 100)

    assert len(references(login(auditor))) == 130


def test_export_takes_the_filters_of_the_list_and_says_on_the_next_page_what_it_ignored(
    login: Login, auditor: User, officer: User, submitted: LoanApplication
) -> None:
    casework.submit(officer, phone="416-555-0199")
    client = login(auditor)

    found = references(client, "phone__startswith=416&p=%00&status__exact=submitted")

    assert found == references(client, "status__exact=submitted")
    assert len(found) == 2
    entry = AuditEntry.objects.filter(action=Action.EXPORTED).earliest("pk")
    assert entry.details["filters"] == {"status__exact": "submitted"}
    assert "does not offer it: p, phone__startswith." in client.get(LIST).text


def test_button_carries_the_filters_and_the_search_of_the_page(login: Login, auditor: User) -> None:
    html = login(auditor).get(f"{LIST}?status__exact=funded&q=s&p=1").content.decode()

    action = html.partition(f'action="{EXPORT}')[2].partition('"')[0]
    assert "status__exact=funded" in action
    assert "q=s" in action
    assert "csrfmiddlewaretoken" in html.partition('id="export-form"')[2]


# --- It streams -------------------------------------------------------------------------------


def test_heading_leaves_before_a_row_is_read_and_rows_leave_while_others_are_read(
    login: Login, auditor: User, officer: User
) -> None:
    for _ in range(7):
        casework.submit(officer)
    lines: Iterator[Any] = iter(login(auditor).post(EXPORT).streaming_content)
    read: list[int] = []

    with CaptureQueriesContext(connection) as captured:
        for block in lines:
            read.append(len([q for q in captured.captured_queries if TABLE in q["sql"]]))
            if len(read) == 2:
                assert block.count(b"LOAN-") == 3

    assert read == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [4, 40])
def test_queries_grow_with_the_pieces_alone(
    login: Login, auditor: User, partner: Partner, number: int
) -> None:
    for _ in range(number):
        casework.submit(None, partner=partner)
    client = login(auditor)

    with CaptureQueriesContext(connection) as captured:
        assert len(references(client)) == number

    pieces = [q["sql"] for q in captured.captured_queries if "partner_id" in q["sql"]]
    assert len([sql for sql in pieces if "LIMIT 3" in sql]) == number // 3 + 1
    assert len(captured) <= 9 + number // 3 + 1  # nine: who asks, the entry in the audit log


def test_case_that_changes_meanwhile_is_there_once(
    login: Login, auditor: User, officer: User
) -> None:
    cases = [casework.submit(officer) for _ in range(9)]
    lines = iter(login(auditor).post(EXPORT).streaming_content)

    content = next(lines) + next(lines)
    LoanApplication.objects.update(status=Status.WITHDRAWN, loan_amount=Decimal(1))
    casework.submit(officer)  # newer than what was read already
    content += b"".join(lines)

    found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["Reference"] for row in found] == [case.reference for case in cases[::-1]]
    assert [row["Status"] for row in found] == ["Submitted"] * 3 + ["Withdrawn"] * 6


# Query of the list -> the index that every piece of its export is read from.
INDEXES = {
    "": "application_newest",
    "status__exact=funded": "application_by_status",
    "q=s&status__exact=funded": "application_by_name",
    "o=-2": "application_by_amount",
    "o=7&current_step__exact=complete": "application_by_step",
}


@pytest.mark.both_databases
def test_every_piece_is_found_in_an_index_and_never_sorted(
    login: Login, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 20)
    seed(SeedRequest(closed=1000), now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = login(auditor)

    for query, index in INDEXES.items():
        asked = plans(TABLE, partial(references, client, query))

        later = [how for sql, how in asked if "LIMIT 20" in sql][1:]
        assert later, query
        for how in later:
            assert index in how, (query, how)
            assert not [word for word in SORTS if word in how], (query, how)


# --- Who may, and what is noted --------------------------------------------------------------


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_as_each_sees_every_application(db: None, role: Role) -> None:
    codenames = Group.objects.get(name=role.value).permissions.values_list("codename", flat=True)

    assert {"view_loanapplication", "export_loanapplication"} <= set(codenames)


def test_who_only_sees_the_list_has_no_button_and_is_refused(
    login: Login, make_user: Any, draft: LoanApplication, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = make_user("viewer")
    permit(viewer, "view_loanapplication")
    client = login(viewer)

    assert 'id="press-export"' not in client.get(LIST).content.decode()
    assert client.post(EXPORT).status_code == 403
    assert "exported" not in caplog.text


def test_who_may_export_but_not_see_is_refused(login: Login, make_user: Any) -> None:
    user = make_user("odd")
    permit(user, "export_loanapplication")

    assert login(user).post(EXPORT).status_code == 403


def test_a_link_exports_nothing(
    login: Login, auditor: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    assert login(auditor).get(EXPORT).status_code == 405
    assert "exported" not in caplog.text


def test_form_of_another_site_exports_nothing(auditor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(auditor)

    assert client.post(EXPORT).status_code == 403


def test_who_is_not_logged_in_is_sent_to_log_in(client: Client, db: None) -> None:
    answer = client.post(EXPORT)

    assert answer.status_code == 302
    assert reverse("admin:login") in answer.url


def test_each_export_is_noted_once_before_it_leaves_and_without_the_name_searched_for(
    login: Login, auditor: User, draft: LoanApplication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    answer = login(auditor).post(f"{EXPORT}?q=Johnson&status__exact=draft")

    noted = [record for record in caplog.records if record.message == "Applications are exported"]
    assert len(noted) == 1
    assert noted[0].user == auditor.pk
    assert noted[0].filters == {"status__exact": "draft"}
    assert noted[0].searched is True
    b"".join(answer.streaming_content)
    assert len([r for r in caplog.records if r.message == "Applications are exported"]) == 1


def test_more_than_a_place_lets_out_is_refused_with_the_number(
    login: Login, auditor: User, officer: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        casework.submit(officer)
    client = login(auditor)

    settings.LOANOFFICE_EXPORT_MOST = 3
    assert len(references(client)) == 3
    settings.LOANOFFICE_EXPORT_MOST = 2
    answer = client.post(f"{EXPORT}?status__exact=submitted")

    assert answer.url == f"{LIST}?status__exact=submitted"
    assert said(answer) == ["At most 2 applications are exported at once; narrow the search."]
    assert caplog.text.count("Applications are exported") == 1
