"""Calls to the API, and what every answer of it must look like."""

import json
from typing import Any

from django.test import Client
from django.utils.encoding import escape_uri_path

BASE = "/api/v1/applications/"
ALICE = {
    "applicant_name": "Alice Johnson",
    "address": "123 Maple Street, Ottawa",
    "phone": "613-555-0101",
    "email": "alice@example.com",
    "sin_last4": "1111",
    "annual_income": "85000.00",
    "loan_amount": "150000.00",
    "currency": "CAD",
    "purpose": "personal_loan",
    "term_months": 60,
    "external_id": "crm-42",
}
PROBLEM = {"type", "title", "status", "detail", "instance", "request_id"}


class Caller:
    """One caller. Every answer is checked against the OpenAPI document before it is given back."""

    def __init__(self, key: str | None = None, client: Client | None = None) -> None:
        self.client = client or Client(raise_request_exception=False)
        self.client.raise_request_exception = False
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.submitted = 0

    def get(self, path: str = BASE, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.call("GET", path, query_params=query, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """``body``: bytes as they are, anything else as JSON, ``None`` for no body."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        return self.call("POST", path, data=raw, headers=headers)

    def submit(self, **fields: Any) -> Any:
        """Submit Alice's application; a field given as ``...`` is left out.

        Each after the first has an ``external_id`` of its own, unless one is given.
        """
        self.submitted += 1
        own = {"external_id": f"crm-42-{self.submitted}"} if self.submitted > 1 else {}
        body = {k: v for k, v in {**ALICE, **own, **fields}.items() if v is not ...}
        return self.post(BASE, body)

    def call(
        self,
        method: str,
        path: str,
        *,
        data: bytes = b"",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        query_params: dict[str, Any] | None = None,
    ) -> Any:
        from tests.partners.api.contract import check  # noqa: PLC0415

        response = self.client.generic(
            method,
            path,
            data=data,
            content_type=content_type,
            headers={**self.headers, **(headers or {})},
            query_params=query_params,
        )
        check(method, path, response)
        return response


def path(reference: str, more: str = "") -> str:
    return f"{BASE}{reference}/{more}"


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """``response`` is this problem, in full; its body is given back."""
    body: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, body.get("type")) == (status, f"/problems/{code}"), body
    assert response["Content-Type"] == "application/problem+json"
    assert set(body) == PROBLEM | ({"errors"} if status == 400 else set())
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == escape_uri_path(response.wsgi_request.path)
    assert body["request_id"] == response["X-Request-Id"]
    return body
