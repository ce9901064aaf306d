"""``docs/fraud-vendor.md`` tells the truth: its example is run, its errors are those there are."""

import inspect
import json
import re
from typing import Any
from urllib.error import HTTPError

import pytest
from django.conf import settings as project
from rest_framework.exceptions import APIException

from partners.api.problems import TITLES
from tests.workflows.callbacks.vendor import SECRET
from workflows.callbacks import errors, signatures, views
from workflows.callbacks.tokens import callback_url_issue
from workflows.models import PendingCallback
from workflows.providers.interfaces import Screening, Subject
from workflows.providers.vendor import body_of

PAGE = (project.BASE_DIR / "docs" / "fraud-vendor.md").read_text()


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def bodies() -> list[dict[str, Any]]:
    """Return the bodies in the page's table of answers."""
    shown = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert len(shown) == 4
    return [json.loads(each) for each in shown]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("said", [body for body in bodies() if body["type"] != "heartbeat"])
def test_example_is_accepted(live_server: Any, path: str, said: dict[str, Any]) -> None:
    example: dict[str, Any] = {}
    exec(block("python"), example)  # noqa: S102

    assert example["send"](live_server.url + path, SECRET, said) == 202

    answered = PendingCallback.objects.get().status == "answered"
    assert answered is (said["type"] == "answer")


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_example_with_another_secret_is_refused(live_server: Any, path: str) -> None:
    example: dict[str, Any] = {}
    exec(block("python"), example)  # noqa: S102

    with pytest.raises(HTTPError) as refused:
        example["send"](live_server.url + path, "whsec_" + "A" * 44, bodies()[0])

    assert refused.value.code == 401
    refused.value.close()


def test_every_error_of_the_door_is_in_the_table_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGE, re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall("`(.*?)`", codes)}

    own = {
        (kind.status_code, kind.default_code)
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, APIException) and kind.__module__ == errors.__name__
    }
    assert own <= told
    assert {code for _, code in told} <= set(TITLES)


def test_numbers_on_the_page_are_those_of_the_code() -> None:
    assert f"at most {views.LIMIT // 1024} KB" in PAGE
    assert signatures.TOLERANCE.total_seconds() == 5 * 60
    assert "five minutes" in PAGE


@pytest.mark.django_db
def test_request_on_the_page_has_the_fields_that_leave(asked: Any) -> None:

    door = callback_url_issue(callback_id="F")
    assert door is not None
    sent = body_of(Screening(door.name, Subject.of(asked), door.url, door.until))

    assert json.loads(block("json")).keys() == sent.keys()
