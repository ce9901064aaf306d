"""ListDurableExecutionsByFunction, over HTTP with boto3."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import callback_of, client_for, ended, start


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, list[str]]]:
    """Five executions: e0 succeeded, e1 failed, e2 stopped, e3 and e4 running."""
    folder = tmp_path_factory.mktemp("listed")
    with LocalEngine(functions=FUNCTIONS, data=folder / "data") as engine:
        client = client_for(engine.url)
        arns = [start(client, "approval", f"e{number}", effects=str(folder)) for number in range(5)]
        callbacks = [callback_of(folder, f"e{number}") for number in range(5)]
        client.send_durable_execution_callback_success(CallbackId=callbacks[0], Result=b"1")
        failed = start(client, "failing", "f1")
        client.stop_durable_execution(DurableExecutionArn=arns[2])
        ended(client, arns[0])
        ended(client, failed)
        yield client, arns


def names(client: Any, **filters: Any) -> list[str]:
    """The names that a list call returns."""
    page = client.list_durable_executions_by_function(**{"FunctionName": "approval", **filters})
    return [item["DurableExecutionName"] for item in page["DurableExecutions"]]


def test_newest_come_first_and_reversed_oldest(listed: tuple[Any, list[str]]) -> None:
    client, _ = listed
    assert names(client) == ["e4", "e3", "e2", "e1", "e0"]
    assert names(client, ReverseOrder=True) == ["e0", "e1", "e2", "e3", "e4"]


def test_statuses_select(listed: tuple[Any, list[str]]) -> None:
    client, _ = listed
    assert names(client, Statuses=["RUNNING"]) == ["e4", "e3", "e1"]
    assert names(client, Statuses=["SUCCEEDED", "STOPPED"]) == ["e2", "e0"]
    assert names(client, FunctionName="failing", Statuses=["FAILED"]) == ["f1"]
    assert names(client, Statuses=["TIMED_OUT"]) == []


def test_name_selects(listed: tuple[Any, list[str]]) -> None:
    client, _ = listed
    assert names(client, DurableExecutionName="e3") == ["e3"]


@pytest.mark.parametrize(
    "function",
    [
        "approval:live",
        "arn:aws:lambda:us-west-2:123456789012:function:approval",
        "arn:aws:lambda:us-west-2:123456789012:function:approval:live",
        "123456789012:function:approval",
    ],
)
def test_function_is_found_by_any_form_of_its_name(
    listed: tuple[Any, list[str]], function: str
) -> None:
    client, _ = listed
    assert len(names(client, FunctionName=function)) == 5


def test_qualifier_selects_the_version_that_it_stands_for(
    listed: tuple[Any, list[str]],
) -> None:
    client, _ = listed
    assert names(client, Qualifier="1") == []
    assert len(names(client, Qualifier="live")) == len(names(client, Qualifier="$LATEST")) == 5
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        names(client, Qualifier="7")


def test_times_select(listed: tuple[Any, list[str]]) -> None:
    client, arns = listed
    third = client.get_durable_execution(DurableExecutionArn=arns[2])["StartTimestamp"]
    # boto3 sends whole seconds.
    assert names(client, StartedAfter=third + timedelta(hours=1)) == []
    assert len(names(client, StartedBefore=datetime.now(UTC) + timedelta(hours=1))) == 5


def test_pages_continue_where_they_ended(listed: tuple[Any, list[str]]) -> None:
    client, _ = listed
    found: list[str] = []
    marker: dict[str, str] = {}
    for _ in range(3):
        page = client.list_durable_executions_by_function(
            FunctionName="approval", MaxItems=2, **marker
        )
        found += [item["DurableExecutionName"] for item in page["DurableExecutions"]]
        marker = {"Marker": page.get("NextMarker", "")}
    assert found == ["e4", "e3", "e2", "e1", "e0"]
    assert marker == {"Marker": ""}


def test_items_are_complete(listed: tuple[Any, list[str]]) -> None:
    client, arns = listed
    page = client.list_durable_executions_by_function(FunctionName="approval")
    item = page["DurableExecutions"][-1]
    assert item["DurableExecutionArn"] == arns[0]
    assert item["FunctionArn"].endswith(":function:approval:$LATEST")
    assert item["StartTimestamp"] <= item["EndTimestamp"]


def test_unknown_function_status_and_marker_are_refused(listed: tuple[Any, list[str]]) -> None:
    client, _ = listed
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        names(client, FunctionName="nobody")
    with pytest.raises(client.exceptions.ClientError, match="at 'statuses' failed to satisfy"):
        names(client, Statuses=["SLEEPING"])
    page = client.list_durable_executions_by_function(FunctionName="approval", MaxItems=2)
    other = {"Marker": page["NextMarker"], "ReverseOrder": True}
    made = [base64.b64encode(text).decode() for text in (b"[]", b'[false, NaN, "a"]', b"[0, 1, 2]")]
    for marker in ({"Marker": "nonsense"}, other, *({"Marker": each} for each in made)):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="Marker"):
            names(client, **marker)
