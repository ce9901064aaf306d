"""The OpenAPI document: valid, true for what is served, and free of what is not there."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from partners.models import Partner
from tests import casework
from tests.applications.api.test_submit import AMOUNTS, FIELDS
from tests.partners.api import contract
from tests.partners.api.calls import ALICE, Caller, path
from webhooks.choices import TEST, EventType

NEW = "/components/schemas/NewApplicationRequest"


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (template, method, operation)
        for template, methods in contract.document()["paths"].items()
        for method, operation in methods.items()
    ]


def test_document_is_valid_and_gives_no_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_document_in_the_repository_is_the_current_one(tmp_path: Path) -> None:
    now = tmp_path / "openapi.yaml"
    call_command("spectacular", "--file", str(now))

    kept = (settings.BASE_DIR / "docs" / "openapi.yaml").read_text()
    assert now.read_text() == kept, "the API's schema changed: look at what `make schema` changes"


def test_every_operation_says_in_a_few_words_what_it_does() -> None:
    said = [operation.get("summary", "") for _, _, operation in operations()]

    assert all(0 < len(summary) < 60 for summary in said)
    assert len(set(said)) == len(said)


def test_document_is_served_to_anybody_as_json(db: None) -> None:
    response = Client().get("/api/v1/schema/")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json()["openapi"].startswith("3.1")
    found = response.json()
    assert [server.pop("url") for server in found["servers"]] == ["http://testserver"]
    expected = json.loads(json.dumps(contract.document()))
    assert [server.pop("url") for server in expected["servers"]] == ["/"]
    assert found == expected


def test_document_is_served_as_what_it_is_called(db: None) -> None:
    response = Client().get(
        "/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"}
    )

    assert response.status_code == 200
    assert response["Content-Type"] == "application/vnd.oai.openapi+json"


def test_document_names_what_exists_and_nothing_else() -> None:
    assert {(template, method) for template, method, _ in operations()} == {
        ("/api/v1/applications/", "get"),
        ("/api/v1/applications/", "post"),
        ("/api/v1/applications/{reference}/", "get"),
        ("/api/v1/applications/{reference}/events/", "get"),
        ("/api/v1/applications/{reference}/withdraw/", "post"),
        ("/api/v1/applications/{reference}/decision/", "post"),
        ("/api/v1/applications/{reference}/documents/", "get"),
        ("/api/v1/applications/{reference}/documents/", "post"),
        ("/api/v1/documents/{token}/", "get"),
        ("/api/v1/applications/{reference}/offer/accept/", "post"),
        ("/api/v1/applications/{reference}/offer/decline/", "post"),
        ("/api/v1/webhook-events/", "get"),
        ("/api/v1/webhook-events/{id}/resend/", "post"),
    }


@pytest.mark.parametrize(
    ("name", "security"),
    [
        ("listApplications", [{"partnerKey": ["applications:read"]}, {"staffSession": []}]),
        ("submitApplication", [{"partnerKey": ["applications:write"]}]),
        ("readApplication", [{"partnerKey": ["applications:read"]}, {"staffSession": []}]),
        ("listEvents", [{"partnerKey": ["applications:read"]}, {"staffSession": []}]),
        ("withdrawApplication", [{"partnerKey": ["applications:write"]}]),
        ("decideApplication", [{"staffSession": [], "csrfToken": []}]),
        ("listDocuments", [{"partnerKey": ["applications:read"]}, {"staffSession": []}]),
        ("uploadDocument", [{"partnerKey": ["documents:write"]}]),
        ("acceptOffer", [{"partnerKey": ["offers:write"]}]),
        ("declineOffer", [{"partnerKey": ["offers:write"]}]),
        ("listWebhookEvents", [{"partnerKey": ["applications:read"]}]),
        ("resendWebhookEvent", [{"partnerKey": ["applications:write"]}]),
    ],
)
def test_each_operation_says_who_may_call_it(name: str, security: list[Any]) -> None:
    found = {operation["operationId"]: operation for _, _, operation in operations()}

    assert found[name]["security"] == security
    schemes = contract.document()["components"]["securitySchemes"]
    assert {scheme for one in security for scheme in one} <= set(schemes)


def test_webhooks_are_documented_with_the_headers_that_verify_them() -> None:
    hooks = contract.document()["webhooks"]

    assert set(hooks) == {*EventType.values, TEST}
    for name, item in hooks.items():
        operation = item["post"]
        assert [parameter["name"] for parameter in operation["parameters"]] == [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        ]
        assert all(parameter["required"] for parameter in operation["parameters"])
        content = operation["requestBody"]["content"]["application/json"]
        assert content["example"]["type"] == name
        pointer = f"/webhooks/{name}/post/requestBody/content/application~1json/schema"
        contract.validator(pointer).validate(content["example"])


def test_every_error_is_a_problem() -> None:
    for template, method, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                where = f"{method} {template} {status}"
                assert list(response["content"]) == ["application/problem+json"], where


def test_every_example_is_what_its_schema_says() -> None:
    count = 0
    for template, method, operation in operations():
        place = f"/paths/{template.replace('/', '~1')}/{method}"
        holders = [(f"{place}/responses/{s}", r) for s, r in operation["responses"].items()]
        if "requestBody" in operation:
            holders.append((f"{place}/requestBody", operation["requestBody"]))
        for pointer, holder in holders:
            for media, content in holder.get("content", {}).items():
                check = contract.validator(
                    f"{pointer}/content/{media.replace('/', '~1')}/schema", closed=True
                )
                for example in content.get("examples", {}).values():
                    check.validate(example["value"])
                    count += 1
    assert count > 30


def test_example_of_a_submission_is_accepted(api: Caller) -> None:
    found = contract.operation("post", "/api/v1/applications/")
    assert found is not None
    content = found[1]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert api.submit(**example["value"]).status_code == 201


def test_request_schema_accepts_what_is_accepted() -> None:
    check = contract.validator(NEW)
    for body in (
        ALICE,
        {"applicant_name": "A", "sin_last4": "0001", "loan_amount": "1"},
        {**ALICE, "loan_amount": 5, "annual_income": None, "email": "", "address": ""},
        {**ALICE, "annual_income": "1.00"},
    ):
        check.validate(body)


# What a schema does not say: decimals of a number, the look of an address, the policy's
# currency; a string that is zero. Python's "$" is not the one of JSON Schema, hence "1111\n".
UNSAID = {"blank", "Loans are made in CAD.", "valid email", "at most two decimals"}
UNSAID_VALUES = ("0", "0.00", "1111\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name, value, sentence in [*FIELDS, *[("loan_amount", *amount) for amount in AMOUNTS]]
        if sentence not in UNSAID and value not in UNSAID_VALUES
    ],
)
def test_request_schema_refuses_what_is_refused(name: str, value: Any) -> None:
    body = {k: v for k, v in {**ALICE, name: value}.items() if v is not ...}

    assert not contract.validator(NEW).is_valid(body)


@pytest.mark.parametrize(
    "state", ["submit", "waiting_for_manager", "offered", "disbursing", "funded"]
)
def test_application_in_any_state_is_what_the_schema_says(
    api: Caller, partner: Partner, state: str
) -> None:
    application = getattr(casework, state)(None, partner=partner)

    # Every answer is held against the document by the caller; see ``contract.check``.
    for address in (path(application.reference), path(application.reference, "events/")):
        assert api.get(address).status_code == 200
    assert api.get().json()["results"][0]["reference"] == application.reference
