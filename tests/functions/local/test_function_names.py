"""Names of functions: qualifiers, versions, aliases, accounts and regions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.local.engine import EngineError, Function, LocalEngine
from functions.local.function import Handler
from tests.functions.local.handlers import FUNCTIONS, approval, who
from tests.functions.local.support import callback_of, client_for, ended, start

REGION = "arn:aws:lambda:us-west-2"
WHO = f"{REGION}:123456789012:function:who"


def refusal(call: Callable[..., Any], **inputs: Any) -> tuple[int, str, str]:
    """Status, type and message of the error that boto3 raises."""
    with pytest.raises(ClientError) as caught:
        call(**inputs)
    response = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def result(answer: dict[str, Any]) -> Any:
    """The payload of an answer."""
    return json.loads(answer["Payload"].read())


@pytest.mark.parametrize("kind", ["Event", "RequestResponse", "DryRun"])
@pytest.mark.parametrize("name", ["echo-durable", f"{REGION}:123456789012:function:echo-durable"])
def test_durable_function_needs_a_qualifier(client: Any, kind: str, name: str) -> None:
    inputs = {"FunctionName": name, "InvocationType": kind, "Payload": b"1"}
    assert refusal(client.invoke, **inputs) == (
        400,
        "InvalidParameterValueException",
        "You cannot invoke a durable function using an unqualified ARN.",
    )
    for qualifier in ("$LATEST", "$LATEST.PUBLISHED", "1", "live"):
        answer = client.invoke(**inputs, Qualifier=qualifier)
        answer["Payload"].read()
        assert answer["StatusCode"] == {"Event": 202, "RequestResponse": 200, "DryRun": 204}[kind]


@pytest.mark.parametrize(
    ("qualifier", "version"),
    [("$LATEST", "$LATEST"), ("$LATEST.PUBLISHED", "1"), ("1", "1"), ("live", "$LATEST")],
)
def test_qualifier_is_reported_with_the_version_that_it_stands_for(
    client: Any, qualifier: str, version: str
) -> None:
    answer = client.invoke(FunctionName="who", Qualifier=qualifier)
    assert answer["ExecutedVersion"] == version
    assert result(answer)["arn"] == f"{WHO}:{qualifier}"
    assert result(client.invoke(FunctionName="who"))["arn"] == WHO


@pytest.mark.parametrize("qualifier", ["2", "prod", "LIVE"])
def test_version_or_alias_that_is_not_there_is_not_found(client: Any, qualifier: str) -> None:
    not_found = 404, "ResourceNotFoundException", f"Function not found: {WHO}:{qualifier}"
    assert refusal(client.invoke, FunctionName="who", Qualifier=qualifier) == not_found
    assert refusal(client.invoke, FunctionName=f"who:{qualifier}") == not_found


def test_function_of_another_account_or_region_is_refused(client: Any) -> None:
    for call in (client.invoke, client.list_durable_executions_by_function):
        other = f"{REGION}:999999999999:function:echo:live"
        assert refusal(call, FunctionName=other)[:2] == (403, "AccessDeniedException")
        other = "999999999999:function:echo"
        assert refusal(call, FunctionName=other)[:2] == (403, "AccessDeniedException")
        other = "arn:aws:lambda:eu-west-1:123456789012:function:echo:live"
        assert refusal(call, FunctionName=other) == (
            404,
            "ResourceNotFoundException",
            "Functions from 'eu-west-1' are not reachable in this region ('us-west-2')",
        )
        half = "arn:aws:lambda:function:echo"
        assert refusal(call, FunctionName=half)[:2] == (400, "InvalidParameterValueException")


def test_execution_of_another_account_or_region_is_not_found(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "here", effects=str(tmp_path))
    for mine, foreign in [("123456789012", "999999999999"), ("us-west-2", "eu-west-1")]:
        other = arn.replace(mine, foreign)
        assert refusal(client.get_durable_execution, DurableExecutionArn=other)[0] == 404
        assert refusal(client.stop_durable_execution, DurableExecutionArn=other)[0] == 404
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_name_of_an_execution_is_taken_for_all_functions(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "shared", effects=str(tmp_path))
    call = {"DurableExecutionName": "shared", "InvocationType": "Event"}
    payload = json.dumps({"id": "shared", "effects": str(tmp_path)})
    assert refusal(client.invoke, FunctionName="chain:live", Payload=payload, **call) == (
        409,
        "DurableExecutionAlreadyStartedException",
        f"Execution already started: {arn}",
    )
    again = client.invoke(FunctionName="approval:1", Payload=payload, **call)
    again["Payload"].read()
    assert again["DurableExecutionArn"] == arn
    client.stop_durable_execution(DurableExecutionArn=arn)


def published(*versions: Handler, live: str) -> dict[str, Function]:
    """An ``approval`` with these versions, and ``who``."""
    numbered = {str(number): handler for number, handler in enumerate(versions, start=1)}
    aliases = {"live": live, "old": "1"}
    return {
        "approval": Function(versions[-1], durable=True, versions=numbered, aliases=aliases),
        "who": Function(who, versions={"1": lambda *_: "one", "12": who}, aliases=aliases),
    }


def test_execution_stays_on_the_version_that_it_started_on(tmp_path: Path) -> None:
    def newer(*_: object) -> None:
        raise AssertionError("another version")

    data = tmp_path / "data"
    with LocalEngine(functions=published(approval, live="1"), data=data) as engine:
        client = client_for(engine.url)
        arn = start(client, "approval", "pinned", effects=str(tmp_path))
        assert ":function:approval:1/durable-execution/pinned/" in arn
        callback_id = callback_of(tmp_path, "pinned")
    with LocalEngine(functions=published(approval, newer, live="1"), data=data) as engine:
        client = client_for(engine.url)
        answer = client.invoke(FunctionName="who:$LATEST.PUBLISHED")
        assert (result(answer)["function_name"], answer["ExecutedVersion"]) == ("who", "12")
        assert result(client.invoke(FunctionName="who:old")) == "one"
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        found = ended(client, arn)
        assert (found["Status"], found["Version"]) == ("SUCCEEDED", "1")
        listing = client.list_durable_executions_by_function
        for qualifier, names in [("1", ["pinned"]), ("2", []), ("live", ["pinned"])]:
            page = listing(FunctionName="approval", Qualifier=qualifier)["DurableExecutions"]
            assert [item["DurableExecutionName"] for item in page] == names


def test_alias_of_no_version_is_refused() -> None:
    with pytest.raises(EngineError, match="Alias live points at 2, which is no version"):
        Function(who, aliases={"live": "2"})
    assert FUNCTIONS["who"].version_of("live") == "$LATEST"
