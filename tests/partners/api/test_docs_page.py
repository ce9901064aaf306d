"""The reference page says everything that the document says, to anybody, without scripts."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.partners.api import contract

DOCS = "/api/v1/docs/"


@pytest.fixture
def page(db: None) -> str:
    response = Client().get(DOCS)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    return response.content.decode()


def section(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]* id="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None, name
    return found[1]


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    everything = {**contract.document()["paths"], **contract.document().get("webhooks", {})}
    return [
        (path, method, operation)
        for path, methods in everything.items()
        for method, operation in methods.items()
    ]


def test_each_operation_has_its_answers_parameters_and_scope(page: str) -> None:
    for path, method, operation in operations():
        said = section(page, operation["operationId"])
        assert method.upper() in said
        assert path in said
        for status in operation["responses"]:
            assert f">{status}</span>" in said, (path, status)
        for given in operation.get("parameters", []):
            assert f"<code>{given['name']}</code>" in said, (path, given["name"])
        for way in operation.get("security", []):
            for scope in way.get("partnerKey", []):
                assert f"<code>{scope}</code>" in said


def test_each_problem_that_an_operation_may_answer_is_named(page: str) -> None:
    for path, _, operation in operations():
        said = section(page, operation["operationId"])
        for status, answer in operation["responses"].items():
            for code in re.findall(r"`([a-z-]+)`:", answer.get("description", "")):
                assert f"<code>{code}</code>" in said, (path, status, code)


def test_fields_inside_of_fields_are_shown_by_their_path(page: str) -> None:
    said = section(page, "readApplication")

    for name in ("reference", "waiting_on.who", "decision.reasons[].code", "offer.annual_rate"):
        assert f"<code>{name}</code>" in said
    assert "<code>results[].reference</code>" in section(page, "listApplications")


def test_request_fields_say_what_is_required_and_allowed(page: str) -> None:
    said = section(page, "submitApplication")

    assert re.search(r"<code>sin_last4</code>\s*<span[^>]*>required</span>", said)
    assert "<code>debt_consolidation</code>" in said
    assert "at most 200 characters, not blank" in said


def test_nothing_of_the_page_needs_more_than_the_policy_allows(page: str) -> None:
    assert "<script" not in page
    assert "style=" not in page
    assert "<style" not in page
    assert not re.search(r'<link[^>]* href="(https?:)?//|src="(https?:)?//', page)


def test_page_is_only_read(db: None) -> None:
    assert Client().head(DOCS).status_code == 200
    assert Client().post(DOCS).status_code == 405
