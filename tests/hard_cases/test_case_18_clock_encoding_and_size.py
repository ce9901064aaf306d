"""Case 18: odd names are kept to the byte, odd bodies are refused, and clocks do not matter.

Refused means a clear 4xx, never a 5xx, and not one row of any table that differs.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pypdf import PdfReader

from accounts.roles import Role
from applications.models import Document, LoanApplication
from lending.choices import Outcome
from reviews.errors import DecisionExpired
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import ADD, LIST, Login, decide_page, page
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from workflows.callbacks import pending
from workflows.steps import offer

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MEGABYTE = 1024 * 1024
NAMES = {
    "emoji": "Zoë 🏡🦊 O'Brien-Smith",
    "family of emoji": "👩‍👩‍👧‍👦 & Söhne",
    "arabic": "زهرة بنت أحمد",
    "hebrew and latin": "שרה לוי (Sarah Levi) 2",
    "right-to-left override": "Anna \u202egnirts\u202c Bell",
    "combining": "Jose\u0301 A\u030angstro\u0308m",
    "beyond the basic plane": "𠮷野家 \U0001d504\U0001d51f",
    "markup": '<b>"Bobby" & \\ tables;--</b>',
    "as long as may be": "🦊" * 200,
}
every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


@pytest.fixture
def api(partner_key: str) -> Caller:
    return Caller(partner_key)


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


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer)


# --- Names ------------------------------------------------------------------------------


def offer_letter_of(application: LoanApplication) -> Document:
    """Carry a submitted case to its offer, as the workflow does."""
    casework.assess(application)
    run = casework.run_of(application)
    casework.pass_fraud_check(application)
    offer.offer_begin(run)
    offer.offer_make(run)
    return Document.objects.get(application=application, kind=Document.Kind.OFFER_LETTER)


def assert_letter_reads(content: bytes, application: LoanApplication) -> None:
    text = "\n".join(p.extract_text() for p in PdfReader(BytesIO(content)).pages)
    assert application.reference in text
    assert "25,000.00 CAD" in text


@every_name
def test_name_sent_to_the_api_comes_back_byte_for_byte_and_into_the_letter(
    api: Caller, as_officer: Client, name: str
) -> None:
    sent = api.submit(applicant_name=name, sin_last4="3333", loan_amount="25000.00")

    assert sent.status_code == 201
    application = LoanApplication.objects.get()
    assert application.applicant_name.encode() == name.encode()
    answer = api.get(path(application.reference))
    assert answer.json()["applicant_name"].encode() == name.encode()
    assert json.dumps(name, ensure_ascii=False).encode() in answer.content
    assert json.dumps(name, ensure_ascii=False).encode() in api.get().content

    letter = offer_letter_of(application)
    with letter.file.open("rb") as stored:
        content = stored.read()
    assert_letter_reads(content, application)
    download = as_officer.get(page("document", application, letter.pk))
    assert download["Content-Type"] == "application/pdf"
    assert b"".join(download.streaming_content) == content
    download.close()


@every_name
def test_name_typed_in_the_office_is_shown_there_and_by_the_api_as_it_is(
    as_officer: Client, name: str
) -> None:
    typed = {k: v for k, v in ALICE.items() if k not in {"external_id", "applicant_name"}}

    saved = as_officer.post(ADD, {**typed, "applicant_name": name, "_submit": "yes"})

    assert saved.status_code == 302
    application = LoanApplication.objects.get()
    assert application.applicant_name.encode() == name.encode()
    for address in (LIST, page("change", application), page("withdraw", application)):
        shown = as_officer.get(address).content.decode()
        assert "<b>" not in shown
        assert escape(name) in shown or address == page("withdraw", application)
    answer = as_officer.get(path(application.reference))
    assert answer.json()["applicant_name"].encode() == name.encode()
    found = as_officer.get(LIST, {"q": name[:20]}).context["cl"].result_list
    assert list(found) == [application]


@pytest.mark.parametrize("size", [201, 20_000])
def test_name_longer_than_it_may_be_is_refused_at_both_doors(
    api: Caller, as_officer: Client, size: int
) -> None:
    name = "🦊" * size
    before = everything_stored()

    problem = assert_problem(api.submit(applicant_name=name), 400, "invalid-application")
    typed = as_officer.post(ADD, {**ALICE, "applicant_name": name, "_submit": "yes"})

    assert list(problem["errors"]) == ["applicant_name"]
    assert list(typed.context["adminform"].form.errors) == ["applicant_name"]
    assert everything_stored() == before


# --- Amounts ----------------------------------------------------------------------------

NOT_AMOUNTS = (
    '"150000.005"',
    "150000.005",
    '"1e999"',
    "1e999",
    "1e-7",
    '"1e3"',
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    "-5",
    '"-0.01"',
    "-0",
    "0",
    '"0.00"',
    "0e5",
    '""',
    '"   "',
    "true",
    "[]",
    "{}",
    '["5"]',
    '"10,000.00"',
    '"$5"',
    '"\uff11\uff10\uff10"',
    '"٣٣"',
    '"1_000"',
    '"0x10"',
    '"10000000000.00"',
    "9" * 300,
)


def alice_with(name: str, raw: str) -> bytes:
    """Alice's body in which one value is written as it stands here."""
    return json.dumps({**ALICE, name: "@"}).replace('"@"', raw).encode()


@pytest.mark.parametrize("name", ["loan_amount", "annual_income"])
@pytest.mark.parametrize("raw", NOT_AMOUNTS)
def test_what_is_no_amount_is_refused_under_its_field(api: Caller, name: str, raw: str) -> None:
    before = everything_stored()

    response = api.post(BASE, alice_with(name, raw))

    problem = assert_problem(response, 400, "invalid-application")
    assert list(problem["errors"]) == [name]
    assert everything_stored() == before


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999", "01"])
def test_what_is_no_number_of_json_is_a_body_that_cannot_be_read(api: Caller, raw: str) -> None:
    before = everything_stored()

    assert_problem(api.post(BASE, alice_with("loan_amount", raw)), 400, "malformed-json")
    assert everything_stored() == before


@pytest.mark.parametrize("name", ["loan_amount", "annual_income"])
@pytest.mark.parametrize(
    "text",
    ["150000.005", "1e999", "-1e999", "NaN", "sNaN", "Infinity", "-5", "0", "0.00", "-0", "1\x00",
     "10000000000.00", "x", "9" * 5000],
)  # fmt: skip
def test_what_is_no_amount_is_refused_in_the_form(as_officer: Client, name: str, text: str) -> None:
    before = everything_stored()

    answer = as_officer.post(ADD, {**ALICE, name: text, "_submit": "yes"})

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [name]
    assert everything_stored() == before


def test_form_without_an_amount_is_refused(as_officer: Client) -> None:
    before = everything_stored()

    answer = as_officer.post(ADD, {**ALICE, "loan_amount": "", "_submit": "yes"})

    assert list(answer.context["adminform"].form.errors) == ["loan_amount"]
    assert everything_stored() == before


# --- Bodies -----------------------------------------------------------------------------

BODIES: dict[str, tuple[bytes, int]] = {
    "10 MB": (b'{"reason": "' + b"x" * 10 * MEGABYTE + b'"}', 413),
    "10 MB of nothing": (b" " * 10 * MEGABYTE, 413),
    "null byte": (b"\0", 400),
    "raw null byte in a text": (b'{"reason": "a\0b"}', 400),
    "escaped null byte": (b'{"reason": "a\\u0000b"}', 400),
    "null byte in a name": (b'{"a\\u0000": 1}', 400),
    "the same name twice": (b'{"reason": "a", "reason": "b"}', 400),
    "the same name twice, deep inside": (b'{"reason": [{"a": 1, "a": 2}]}', 400),
    "lone surrogate": (b'{"reason": "\\ud83c"}', 400),
    "surrogates the wrong way round": (b'{"reason": "\\udfe1\\ud83c"}', 400),
    "encoded surrogate": (b'{"reason": "\xed\xa0\x80"}', 400),
    "lists in lists": (b'{"reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "objects in objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "a list": (b"[]", 400),
    "half a body": (b'{"reason": "', 400),
    "another encoding": ('{"reason": "é"}'.encode("latin-1"), 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "NaN": (b'{"version": NaN}', 400),
    "an endless number": (b'{"version": 1e99999999999999999999}', 400),
    "a number of many digits": (b'{"version": ' + b"9" * 5000 + b"}", 400),
    "an unknown field": (b'{"approve": true}', 400),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES.keys())
def test_body_that_makes_no_sense_is_refused_by_every_endpoint_that_reads_one(
    api: Caller,
    waiting: LoanApplication,
    as_manager: Client,
    body: bytes,
    status: int,
) -> None:
    own = LoanApplication.objects.get(reference=api.submit().json()["reference"])
    staff = Caller(client=as_manager)
    before = everything_stored()

    answers = [
        api.post(BASE, body),
        api.post(path(own.reference, "withdraw/"), body),
        staff.post(path(waiting.reference, "decision/"), body),
    ]

    for answer in answers:
        assert answer.status_code == status, answer.content[:300]
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"]
    assert everything_stored() == before


@pytest.mark.parametrize(
    "reason", ["", "a\x00b", "x" * 2001, "   "], ids=["empty", "null", "long", "blank"]
)
def test_reason_that_cannot_be_kept_is_refused_in_the_office(
    as_manager: Client, waiting: LoanApplication, reason: str
) -> None:
    before = everything_stored()

    answer = as_manager.post(decide_page(waiting, "decline"), {"version": "1", "reason": reason})

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["reason"]
    assert everything_stored() == before


def test_reason_with_emoji_is_kept_as_it_is(as_manager: Client, waiting: LoanApplication) -> None:
    reason = "אין מספיק 🏡 — Jose\u0301"

    as_manager.post(decide_page(waiting, "decline"), {"version": "1", "reason": reason})

    assert waiting.review_tasks.get().decisions.get().reason.encode() == reason.encode()


@pytest.mark.parametrize("version", ["", "x", "1.5", "1\x00", "1e9", "NaN"])
def test_version_that_is_no_number_decides_nothing_in_the_office(
    as_manager: Client, waiting: LoanApplication, version: str
) -> None:
    before = everything_stored()

    answer = as_manager.post(decide_page(waiting, "approve"), {"version": version})

    assert answer.status_code == 200
    assert everything_stored() == before


@pytest.mark.parametrize(
    "media", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=BoUnDaRy"]
)
def test_form_of_ten_megabytes_is_refused_in_the_office(
    as_manager: Client, as_officer: Client, waiting: LoanApplication, media: str
) -> None:
    content = b"x" * 10 * MEGABYTE
    body = b"version=1&reason=" + content
    if media.startswith("multipart"):
        head = b'--BoUnDaRy\r\nContent-Disposition: form-data; name="reason"\r\n\r\n'
        body = head + content + b"\r\n--BoUnDaRy--\r\n"
    before = everything_stored()

    for client, address in (
        (as_manager, decide_page(waiting, "decline")),
        (as_manager, f"{LIST}decide/approve/"),
        (as_officer, page("withdraw", waiting)),
        (as_officer, ADD),
    ):
        answer = client.generic("POST", address, body, content_type=media)
        assert answer.status_code in {400, 413}, address
    assert everything_stored() == before


# --- Addresses --------------------------------------------------------------------------

QUERIES = (
    "%00=1",
    "q=%00",
    "status__exact=%00",
    "status=%00",
    "kind__exact=%00",
    "reference=%00",
    "external_id=%00",
    "cursor=%00",
    "cursor=%F0%9F%8F%A1",
    "page_size=%00",
    "page_size=1e999",
    "submitted_after=%00",
    "submitted_after=0001-01-01T00:00:00%2B14:00",
    "submitted_before=9999-12-31T23:59:59-14:00",
    "p=99999999999999999999",
    "o=%00",
    "past=%00",
    "q=%ED%A0%80",
    "status__exact=%ED%A0%80",
    "q=" + "x" * 3000,
    "partner__id__exact=99999999999999999999999",
)
LISTS = (
    LIST,
    "/admin/reviews/reviewtask/",
    "/admin/reviews/reviewdecision/",
    "/admin/partners/partner/",
    "/admin/partners/partnerkey/",
    "/admin/lending/lendingpolicy/",
    "/admin/workflows/execution/",
    "/admin/workflows/pendingcallback/",
    "/admin/workflows/outboxmessage/",
    "/admin/workflows/incident/",
    "/admin/auth/user/",
    "/admin/auth/group/",
)


@pytest.mark.parametrize("query", QUERIES)
def test_odd_query_is_never_an_error_of_ours(
    login: Login,
    api: Caller,
    waiting: LoanApplication,
    make_user: Callable[..., User],
    query: str,
) -> None:
    client = login(make_user("root", *Role, is_superuser=True))
    client.raise_request_exception = False
    before = everything_stored()

    for address in LISTS:
        assert client.get(f"{address}?{query}").status_code < 500, address
    answer = api.client.get(f"{BASE}?{query}", headers=api.headers)
    assert 400 <= answer.status_code < 500, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert everything_stored() == before


@pytest.mark.parametrize("name", ["%00", "9" * 30, "%F0%9F%8F%A1", "%ED%A0%80", "-1", "1%00"])
def test_odd_address_is_never_an_error_of_ours(
    login: Login, api: Caller, make_user: Callable[..., User], name: str
) -> None:
    client = login(make_user("root", *Role, is_superuser=True))
    client.raise_request_exception = False
    for address in (
        *(f"{address}{name}/change/" for address in LISTS),
        f"{LIST}{name}/live/",
        f"{LIST}{name}/withdraw/",
        f"{LIST}1/decide/{name}/approve/",
        f"{LIST}decide/{name}/",
        f"/admin/{name}/",
        f"/{name}",
    ):
        assert client.get(address).status_code in {302, 400, 404, 405}, address
    for more in ("", "events/", "withdraw/", "decision/"):
        answer = api.client.get(f"{BASE}{name}/{more}", headers=api.headers)
        assert answer.status_code in {403, 404, 405}
        assert answer["Content-Type"] == "application/problem+json"


# --- Clocks -----------------------------------------------------------------------------

# In Toronto the hour from 1 to 2 comes twice on this night, at 05:00 and at 06:00 UTC.
CLOCKS_GO_BACK = datetime(2026, 11, 1, 6, tzinfo=UTC)
# And the hour from 2 to 3 does not come at all on this one.
CLOCKS_GO_FORWARD = datetime(2026, 3, 8, 7, tzinfo=UTC)
ZONES = ("America/Toronto", "UTC", "Pacific/Auckland", "Asia/Kathmandu", "Pacific/Kiritimati")


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def stored_text(column: str) -> str:
    """A time of the only task as the database itself keeps it, to the second."""
    shown = (
        f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        if connection.vendor == "postgresql"
        else f"substr(CAST({column} AS TEXT), 1, 19)"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {shown} FROM reviews_reviewtask")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", [CLOCKS_GO_BACK, CLOCKS_GO_FORWARD], ids=["back", "forward"])
def test_due_times_are_so_many_hours_later_whatever_the_clocks_on_the_wall_do(
    officer: User, manager: User, clock: Clock, zone: str, change: datetime
) -> None:
    opened = clock.now = change - timedelta(hours=12)
    with timezone.override(zone):
        task = casework.waiting_for_manager(officer).review_tasks.get()

    assert task.due_at - opened == timedelta(days=1)
    assert task.expires_at - opened == timedelta(days=7)
    assert stored_text("due_at") == f"{opened + timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    assert stored_text("expires_at") == f"{opened + timedelta(days=7):%Y-%m-%d %H:%M:%S}"


def test_the_hour_that_comes_twice_is_two_hours(officer: User, manager: User, clock: Clock) -> None:
    with timezone.override("America/Toronto"):
        # It expires when the clocks on the wall say 1:30 for the second time.
        expires = CLOCKS_GO_BACK + timedelta(minutes=30)
        clock.now = expires - timedelta(days=7)
        task = casework.waiting_for_manager(officer).review_tasks.get()
        assert task.expires_at == expires

        clock.now = expires - timedelta(hours=1)  # 1:30 for the first time
        assert pending.task_time_out(task_id=task.pk) is False
        decisions.decision_check(
            application=task.application, task=task, user=manager, now=clock.now
        )

        clock.now = expires
        with pytest.raises(DecisionExpired):
            decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
        assert pending.task_time_out(task_id=task.pk) is True


def test_what_was_stored_means_the_same_in_another_time_zone(
    login: Login, waiting: LoanApplication, manager: User, settings: Any
) -> None:
    client = login(manager)
    task = waiting.review_tasks.get()
    shown = set()
    answers = set()
    for zone in ZONES:
        settings.TIME_ZONE = zone
        timezone.deactivate()
        assert ReviewTask.objects.get().due_at == task.due_at
        answers.add(client.get(path(waiting.reference)).content)
        html = client.get(page("change", waiting)).content.decode()
        local = timezone.localtime(task.expires_at)
        assert f'datetime="{local.isoformat()}"' in html
        shown.add(local.isoformat())

    assert len(shown) == len(ZONES), "the office shows local times, with their offsets"
    assert len(answers) == 1, "the API answers the same whatever the server's zone"
    until = json.loads(answers.pop())["waiting_on"]["until"]
    assert until == task.expires_at.isoformat().replace("+00:00", "Z")


def test_times_in_a_query_are_read_with_their_offset_and_else_as_utc(
    api: Caller, clock: Clock, settings: Any
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    clock.now = CLOCKS_GO_BACK
    reference = api.submit(loan_amount=str(Decimal("1.00"))).json()["reference"]

    def found(after: str) -> list[str]:
        results = api.get(BASE, {"submitted_after": after}).json()["results"]
        return [case["reference"] for case in results]

    assert found("2026-11-01T05:59:59Z") == [reference]
    assert found("2026-11-01T01:59:59-04:00") == [reference]  # 1:59:59 for the first time
    assert found("2026-11-01T05:59:59") == [reference]
    assert found("2026-11-01T06:00:01Z") == []
    assert found("2026-11-01T01:00:01-05:00") == []  # 1:00:01 for the second time
