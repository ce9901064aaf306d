"""A partner can neither see nor guess nor change data of another."""

import json
import re
import secrets
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from applications.models import LoanApplication
from applications.services.intake import reference_make
from partners.models import IdempotencyKey, Partner, PartnerKey
from tests import casework
from tests.hard_cases.model.record import everything
from tests.partners.api import contract
from tests.partners.api.calls import ALICE, BASE, Caller
from tests.sizes import size
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db

STATES: dict[str, Callable[..., LoanApplication]] = {
    state: getattr(casework, state)
    for state in ("submit", "waiting_for_manager", "offered", "disbursing", "funded")
}
# What stands in a path: how another's is found, and one that nobody has.
NAMES: dict[str, tuple[Callable[[LoanApplication], str], Callable[[], str]]] = {
    "reference": (lambda case: case.reference, reference_make),
    "id": (
        lambda case: WebhookEvent.objects.filter(application=case).latest("pk").public_id,
        lambda: f"evt_{secrets.token_hex(16)}",
    ),
}
# A link to a document names nothing: it is a key of its own, for whoever has it.
OPEN = {"/api/v1/documents/{token}/"}
# Of each answer its own.
OWN_HEADERS = {"X-Request-Id", "RateLimit-Remaining", "RateLimit-Reset", "Date"}
BOUNDARY = "a-boundary"
PARTS = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nproof_of_income\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n'
    f"Content-Type: application/pdf\r\n\r\n%PDF-1.4\n%%EOF\n\r\n--{BOUNDARY}--\r\n"
).encode()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (template, method.upper(), operation)
        for template, methods in contract.document()["paths"].items()
        for method, operation in methods.items()
        if "{" in template and template not in OPEN and operation["tags"] != ["staff"]
    ]


def bodies(operation: dict[str, Any]) -> st.SearchStrategy[tuple[bytes, str]]:
    """Return bodies to send: the schema's examples, unknown fields, and none."""
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return st.just((PARTS, f"multipart/form-data; boundary={BOUNDARY}"))
    examples = [
        one["value"] for shown in content.values() for one in shown.get("examples", {}).values()
    ]
    odd = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=2)
    written = (st.sampled_from([{}, *examples]) | odd).map(lambda body: json.dumps(body).encode())
    return (written | st.just(b"") | st.binary(max_size=20)).map(
        lambda raw: (raw, "application/json")
    )


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes, str, dict[str, str]]:
    """Template, method, body, media type, headers."""
    template, method, operation = draw(st.sampled_from(operations()))
    headers = draw(st.sampled_from([{}, {"Idempotency-Key": "k"}, {"If-None-Match": "*"}]))
    body, media_type = draw(bodies(operation)) if method == "POST" else (b"", "application/json")
    return (
        template,
        draw(st.sampled_from([method, *(["HEAD"] if method == "GET" else [])])),
        body,
        media_type,
        headers,
    )


def seen(response: Any, name: str) -> tuple[Any, ...]:
    """Return the response without the parts that differ for each request."""
    body = re.sub(rb'"request_id": ?"[^"]*"', b"", response.content).replace(name.encode(), b"NAME")
    headers = {key: value for key, value in response.items() if key not in OWN_HEADERS}
    return response.status_code, headers, body


def shapes(queries: CaptureQueriesContext) -> list[str]:
    """The statements without what is in them."""
    return [
        re.sub(r"'[^']*'|\"s\d+_x\d+\"|\b\d+(\.\d+)?\b", "?", query["sql"])
        for query in queries.captured_queries
    ]


def test_whatever_stands_in_a_path_is_known_here() -> None:
    there = {name for template, _, _ in operations() for name in re.findall(r"\{(\w+)\}", template)}

    assert there <= NAMES.keys()
    assert len(operations()) >= 3


@pytest.mark.long
@settings(
    max_examples=size(short=12, long=80),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(asked=requests(), state=st.sampled_from(sorted(STATES)))
def test_what_is_anothers_is_as_what_never_was(
    api: Caller, other_partner: Partner, asked: Any, state: str
) -> None:
    template, method, body, media_type, headers = asked
    theirs = STATES[state](None, partner=other_partner)
    name = re.findall(r"\{(\w+)\}", template)[0]
    find, invent = NAMES[name]
    # The key's last use is written once a minute, and not in one of the two.
    PartnerKey.objects.update(last_used_at=timezone.now())
    before = everything()
    answers, queries = [], []
    for called in (find(theirs), invent()):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            response = api.call(
                method,
                template.replace(f"{{{name}}}", called),
                data=body,
                content_type=media_type,
                headers=headers,
            )
        answers.append(seen(response, called))
        queries.append(shapes(captured))

    assert answers[0] == answers[1]
    assert answers[0][0] in {400, 404}, answers[0]
    assert queries[0] == queries[1]
    assert everything() == before
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("state", sorted(STATES))
def test_no_list_has_anything_of_another(
    api: Caller, other_api: Caller, other_partner: Partner, state: str
) -> None:
    theirs = STATES[state](None, partner=other_partner)
    mine = api.submit(external_id=theirs.external_id).json()["reference"]
    lists = [
        template
        for template, methods in contract.document()["paths"].items()
        if "get" in methods and "{" not in template
    ]
    assert BASE in lists

    for template in lists:
        for query in ({}, {"reference": theirs.reference}):
            said = json.dumps(api.get(template, query).json())
            assert theirs.reference not in said
        assert mine in json.dumps(api.get(template, {}).json())
        cursor = other_api.get(template, {"page_size": 1}).json()["next"]
        if cursor:
            assert theirs.reference not in json.dumps(api.get(cursor).json())


def test_a_key_under_which_another_submitted_is_free(api: Caller, other_api: Caller) -> None:
    theirs = other_api.post(BASE, ALICE, **{"Idempotency-Key": "crm-42"})
    mine = api.post(BASE, ALICE, **{"Idempotency-Key": "crm-42"})

    assert mine.status_code == 201
    assert mine.json()["reference"] != theirs.json()["reference"]


def test_references_are_random_and_give_no_order_away() -> None:
    made = [reference_make() for _ in range(2000)]

    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"LOAN-[0-9A-Z]{8}", reference) for reference in made)
    for place in range(5, 13):  # every sign of the alphabet in every place: nothing counts up
        assert len({reference[place] for reference in made}) == 28
    rising = sum(one < after for one, after in pairwise(made))
    assert 800 < rising < 1200
