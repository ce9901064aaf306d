"""The scopes of a partner's key, on every endpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from rest_framework.views import APIView

from applications.api import urls as application_urls
from applications.models import LoanApplication
from partners.api import urls as partner_urls
from partners.api.permissions import Access
from partners.models import Partner
from partners.services.keys import SCOPES, partner_key_issue, partner_key_revoke
from reviews.api import urls as review_urls
from tests import casework
from tests.applications.files import PDF
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import ALICE, Caller, assert_problem
from tests.sizes import some
from webhooks.api import urls as webhook_urls

METHODS = ("get", "post")
# They say the same to everybody, or are a key of their own: a link to a document.
OPEN = {"partner_api:schema", "api:document", "partner_api:None"}
PAGES = {"partner_api:docs"}  # for people, not of the API itself
BODIES: dict[str, Any] = {"api:applications": ALICE}
UPLOAD = (
    b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\nother\r\n--b\r\n'
    b'Content-Disposition: form-data; name="file"; filename="a.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n" + PDF + b"\r\n--b--\r\n"
)
UNKNOWN = "LOAN-23456789"
SAMPLES: dict[str, Any] = {"int": 1, "string": "x", "eventid": "evt_1"}


@dataclass(frozen=True)
class Endpoint:
    name: str
    method: str
    access: Access
    arguments: tuple[tuple[str, str], ...]  # the name of each, and the kind of its converter

    @property
    def has_reference(self) -> bool:
        return any(kind == "Reference" for _, kind in self.arguments)

    def address(self, reference: str) -> str:
        given = {
            name: reference if kind == "Reference" else SAMPLES[kind.lower()]
            for name, kind in self.arguments
        }
        return reverse(self.name, kwargs=given)

    def ask(self, caller: Caller, reference: str) -> Any:
        address = self.address(reference)
        if self.method == "get":
            return caller.get(address)
        if self.name == "api:documents":
            return caller.call(
                "POST", address, data=UPLOAD, content_type="multipart/form-data; boundary=b"
            )
        return caller.post(address, BODIES.get(self.name, {}))


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Each address of the API with its full name."""
    for module in (application_urls, review_urls, webhook_urls, partner_urls):
        for pattern in module.urlpatterns:
            name = f"{module.app_name}:{pattern.name}"
            if name not in PAGES:
                yield name, pattern


def view_of(pattern: URLPattern) -> type[APIView]:
    return pattern.callback.view_class


def endpoints() -> list[Endpoint]:
    return [
        Endpoint(
            name=name,
            method=method,
            access=view_of(pattern).access[method.upper()],
            arguments=tuple(
                (argument, type(converter).__name__.removesuffix("Converter"))
                for argument, converter in pattern.pattern.converters.items()
            ),
        )
        for name, pattern in patterns()
        if name not in OPEN
        for method in METHODS
        if hasattr(view_of(pattern), method)
    ]


ENDPOINTS = endpoints()
every = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.name}")
for_partners = pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.access.scope],
    ids=lambda e: f"{e.method} {e.name}",
)


@pytest.fixture(scope="module")
def made(module_rows: None, django_db_blocker: DjangoDbBlocker) -> LoanApplication:
    with django_db_blocker.unblock():
        partner = Partner.objects.create(name="Maple Brokers")
        return casework.waiting_for_manager(None, partner=partner)


@pytest.fixture
def application(db: None, made: LoanApplication) -> LoanApplication:
    """An application that waits for a manager, made once for the module."""
    return LoanApplication.objects.get(pk=made.pk)


@pytest.fixture
def partner(application: LoanApplication) -> Partner:
    assert application.partner is not None
    return application.partner


def test_walk_finds_the_endpoints() -> None:
    assert {(e.method, e.name) for e in ENDPOINTS} >= {
        ("get", "api:applications"),
        ("post", "api:applications"),
        ("get", "api:application"),
        ("get", "api:events"),
        ("post", "api:withdraw"),
        ("post", "review_api:decision"),
        ("post", "api:documents"),
        ("post", "review_api:offer-accept"),
        ("get", "webhook_api:events"),
        ("post", "webhook_api:resend"),
    }
    assert {e.access.scope for e in ENDPOINTS} <= {"", *SCOPES}


def test_only_what_says_the_same_to_everybody_is_open() -> None:
    for name, pattern in patterns():
        view = view_of(pattern)
        assert (view.authentication_classes == []) == (name in OPEN), pattern
        if name not in OPEN:
            offered = {method.upper() for method in METHODS if hasattr(view, method)}
            assert view.access.keys() == offered, pattern


# --- Who is it? -----------------------------------------------------------------------------


def wrong(partner: Partner) -> str:
    return "Bearer lo_unknown"


def prefix_alone(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[0].prefix}"


def its_hash(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[0].key_hash}"


def a_letter_more(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[1]}a"


def a_letter_less(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[1][:-1]}"


def other_case(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[1].swapcase()}"


def null_character(partner: Partner) -> str:
    return f"Bearer {partner_key_issue(partner=partner)[1]}\0"


def not_ascii(partner: Partner) -> str:
    return "Bearer lo_ключ"


def no_key(partner: Partner) -> str:
    return "Bearer"


def expired(partner: Partner) -> str:
    ends = timezone.now() - timedelta(seconds=1)
    return f"Bearer {partner_key_issue(partner=partner, expires_at=ends)[1]}"


def revoked(partner: Partner) -> str:
    row, key = partner_key_issue(partner=partner)
    partner_key_revoke(partner_key=row)
    return f"Bearer {key}"


def inactive(partner: Partner) -> str:
    key = partner_key_issue(partner=partner)[1]
    Partner.objects.filter(pk=partner.pk).update(is_active=False)
    return f"Bearer {key}"


BAD = (
    wrong,
    prefix_alone,
    its_hash,
    a_letter_more,
    a_letter_less,
    other_case,
    null_character,
    not_ascii,
    no_key,
    expired,
    revoked,
    inactive,
)


@pytest.mark.long
@every
@pytest.mark.parametrize("bad", some(BAD, of=3), ids=lambda bad: bad.__name__)
def test_bad_key_is_refused_whatever_is_wrong_with_it(
    endpoint: Endpoint,
    bad: Callable[[Partner], str],
    partner: Partner,
    application: LoanApplication,
) -> None:
    caller = Caller(client=Client(headers={"Authorization": bad(partner)}))
    before = everything_stored()

    response = endpoint.ask(caller, application.reference)

    problem = assert_problem(response, 401, "invalid-key")
    assert problem["detail"] == "The key is not known, has expired or was revoked."
    assert response["WWW-Authenticate"] == "Bearer"
    assert everything_stored() == before


@every
def test_no_key_is_told_what_to_send(
    endpoint: Endpoint, anonymous: Caller, application: LoanApplication
) -> None:
    response = endpoint.ask(anonymous, application.reference)

    problem = assert_problem(response, 401, "not-authenticated")
    assert "Authorization: Bearer" in problem["detail"]
    assert response["WWW-Authenticate"] == "Bearer"


# --- May it? --------------------------------------------------------------------------------


@every
def test_key_with_every_scope_but_the_one_is_refused(
    endpoint: Endpoint, api_with: Callable[..., Caller], application: LoanApplication
) -> None:
    needed = endpoint.access.scope
    caller = api_with(*(scope for scope in SCOPES if scope != needed))
    before = everything_stored()

    response = endpoint.ask(caller, application.reference)

    if needed:
        assert needed in assert_problem(response, 403, "missing-scope")["detail"]
    else:  # for staff: no scope opens it
        assert_problem(response, 403, "not-permitted")
    assert everything_stored() == before


@for_partners
def test_key_with_the_one_scope_is_let_in(
    endpoint: Endpoint, api_with: Callable[..., Caller], application: LoanApplication
) -> None:
    response = endpoint.ask(api_with(endpoint.access.scope), application.reference)

    assert response.status_code not in {401, 403, 500}, response.content


# --- Is it theirs? --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [e for e in ENDPOINTS if e.access.scope and e.has_reference],
    ids=lambda e: f"{e.method} {e.name}",
)
def test_application_of_another_partner_is_as_one_that_does_not_exist(
    endpoint: Endpoint, other_api: Caller, application: LoanApplication
) -> None:
    before = everything_stored()

    answers = [
        assert_problem(endpoint.ask(other_api, reference), 404, "not-found")
        for reference in (application.reference, UNKNOWN)
    ]

    for answer, reference in zip(answers, (application.reference, UNKNOWN), strict=True):
        assert answer.pop("instance") == endpoint.address(reference)
        answer.pop("request_id")
    assert answers[0] == answers[1]
    assert everything_stored() == before
