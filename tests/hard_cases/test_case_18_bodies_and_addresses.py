"""Case 18: odd bodies, queries and addresses are refused.

Refused means a clear 4xx, never a 5xx, and not one row of any table that differs.
"""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.models import LoanApplication
from tests.applications.admin.conftest import ADD, LIST, Login, decide_page, page
from tests.casework import staff, waiting_for_manager
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import BASE, Caller, path
from tests.sizes import some

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def officer(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    with django_db_blocker.unblock():
        return staff("officer", Role.LOAN_OFFICER)


@pytest.fixture(scope="module")
def manager(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    with django_db_blocker.unblock():
        return staff("manager", Role.MANAGER)


@pytest.fixture(scope="module")
def waiting(officer: User, django_db_blocker: DjangoDbBlocker) -> LoanApplication:
    """Made once for the module: each test finds it as it was made."""
    with django_db_blocker.unblock():
        return waiting_for_manager(officer)


# --- Bodies --------------------------------------------------------------------------------

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


@pytest.mark.long
@pytest.mark.parametrize("case", some(BODIES, of=5))
def test_body_that_makes_no_sense_is_refused_by_every_endpoint_that_reads_one(
    api: Caller,
    waiting: LoanApplication,
    as_manager: Client,
    case: str,
) -> None:
    body, status = BODIES[case]
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


# --- Addresses -----------------------------------------------------------------------------


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


@pytest.mark.long
@pytest.mark.parametrize("query", some(QUERIES, of=6))
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
