"""``LogType=Tail`` and ``ClientContext`` of Invoke, over HTTP with boto3."""

import base64
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError


def talk(client: Any, word: str, **inputs: Any) -> tuple[dict[str, Any], str]:
    """The answer of the function that logs and prints a word, and the tail of its log."""
    payload = json.dumps({"word": word})
    answer = client.invoke(FunctionName="talking", Payload=payload, **inputs)
    answer["Payload"] = json.loads(answer["Payload"].read())
    return answer, base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")


def test_tail_is_what_the_function_logged_and_printed(client: Any) -> None:
    answer, log = talk(client, "yes", LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert re.fullmatch(
        rf"START RequestId: {request_id} Version: \$LATEST\n"
        rf"\[WARNING\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request_id}\tsaid yes\n"
        r"printed yes\n\n"
        rf"END RequestId: {request_id}\n"
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 1024 MB\t\n",
        log,
    ), log


def test_no_tail_unless_it_is_asked_for(client: Any) -> None:
    for inputs in ({}, {"LogType": "None"}):
        assert "LogResult" not in talk(client, "no", **inputs)[0]
    event = client.invoke(
        FunctionName="talking", InvocationType="Event", LogType="Tail", Payload=b'{"word": "no"}'
    )
    event["Payload"].read()
    assert "LogResult" not in event


def test_tail_has_the_error_that_the_function_raised(client: Any) -> None:
    answer = client.invoke(FunctionName="broken", LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    answer["Payload"].read()
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "[ERROR] KeyError: 'missing'\nTraceback (most recent call last):\n" in log
    assert log.count("Traceback") == 1


def test_tail_is_the_last_4_kb(client: Any) -> None:
    _, log = talk(client, "ü" * 5000, LogType="Tail")
    assert 4096 <= len(log.encode()) <= 4096 + 2  # a letter is cut
    assert log.endswith("Memory Size: 1024 MB\t\n")


def test_simultaneous_tails_are_apart(client: Any) -> None:
    before = sys.stdout
    with ThreadPoolExecutor(8) as pool:
        words = [f"word-{number}" for number in range(24)]
        logs = list(pool.map(lambda word: talk(client, word, LogType="Tail")[1], words))
    for word, log in zip(words, logs, strict=True):
        assert re.findall(r"(?:said|printed) (\S+)", log) == [word, word]
    assert sys.stdout is before


def encoded(sent: Any) -> str:
    """A client context as it is sent."""
    return base64.b64encode(json.dumps(sent).encode()).decode()


def test_client_context_reaches_the_function(client: Any) -> None:
    sent = {"client": {"app_title": "Office", "other": 1}, "custom": {"a": 1}, "env": {"b": "2"}}
    answer, _ = talk(client, "context", ClientContext=encoded(sent))
    assert answer["Payload"] == {"custom": {"a": 1}, "env": {"b": "2"}, "title": "Office"}
    assert talk(client, "context")[0]["Payload"] is None


@pytest.mark.parametrize(
    "sent", ["nonsense!", encoded([1]), encoded("x"), "e30", encoded({"custom": "x" * 3000})]
)
def test_client_context_that_is_none_is_refused(client: Any, sent: str) -> None:
    with pytest.raises(ClientError, match="must be a valid Base64-encoded JSON object") as caught:
        talk(client, "context", ClientContext=sent)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestContentException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
