"""CheckpointDurableExecution and GetDurableExecutionState, over HTTP, from outside of the SDK."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.handlers import RAW_GATE, TOKENS
from tests.functions.local.support import ended, start
from tests.functions.local.test_history import missing
from tests.waiting import eventually

ERROR = {"ErrorType": "Wrong"}
STEP = {"Id": "s", "Type": "STEP", "Action": "START"}
CONTEXT = {"Id": "x", "Type": "CONTEXT", "Action": "START"}
ENDED = {"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}
KNOWN = {"Id": "known", "Type": "STEP", "Name": "n", "SubType": "Step"}
IN_A_MINUTE = {"NextAttemptDelaySeconds": 60}
# The begin of each sentence, and the updates that AWS refuses with it.
REFUSED: list[tuple[str, list[dict[str, Any]]]] = [
    ("Cannot checkpoint multiple EXECUTION updates", [ENDED, ENDED | {"Id": "f"}]),
    ("EXECUTION checkpoint must be the last update", [ENDED, STEP]),
    ("Invalid action", [ENDED | {"Action": "START"}]),
    ("Cannot provide an Error for SUCCEED", [ENDED | {"Error": ERROR}]),
    ("Cannot provide a Payload for FAIL", [ENDED | {"Action": "FAIL", "Payload": "1"}]),
    ("Cannot checkpoint multiple operations with the same ID", [STEP, STEP]),
    ("Invalid parent operation id", [STEP | {"ParentId": "nobody"}]),
    ("Invalid parent operation id", [STEP, STEP | {"Id": "t", "ParentId": "s"}]),
    ("Invalid StepOptions", [STEP | {"StepOptions": IN_A_MINUTE}]),
    ("Invalid StepOptions", [STEP | {"Action": "SUCCEED", "StepOptions": IN_A_MINUTE}]),
    ("Invalid StepOptions", [STEP | {"Action": "RETRY", "Error": ERROR}]),
    (
        "Cannot provide both error and payload",
        [STEP | {"Action": "RETRY", "Error": ERROR, "Payload": "1", "StepOptions": IN_A_MINUTE}],
    ),
    ("Cannot provide an Error for SUCCEED", [STEP | {"Action": "SUCCEED", "Error": ERROR}]),
    ("Cannot provide a Payload for FAIL", [STEP | {"Action": "FAIL", "Payload": "1"}]),
    ("Invalid action", [STEP | {"Action": "CANCEL"}]),
    ("Update for WAIT operation requires WaitOptions", [STEP | {"Type": "WAIT"}]),
    ("Invalid action", [STEP | {"Type": "WAIT", "Action": "SUCCEED"}]),
    ("Cannot cancel a WAIT", [STEP | {"Type": "WAIT", "Action": "CANCEL"}]),
    ("Invalid action", [STEP | {"Type": "CALLBACK", "Action": "SUCCEED"}]),
    ("Update for CHAINED_INVOKE operation requires", [STEP | {"Type": "CHAINED_INVOKE"}]),
    ("Invalid action", [STEP | {"Type": "CHAINED_INVOKE", "Action": "FAIL"}]),
    ("Invalid current CONTEXT state to close", [CONTEXT | {"Action": "SUCCEED"}]),
    ("Invalid action", [CONTEXT | {"Action": "RETRY"}]),
    ("Cannot provide an Error", [CONTEXT, CONTEXT | {"Action": "SUCCEED", "Error": ERROR}]),
    ("Inconsistent operation type", [CONTEXT | {"Id": "known"}]),
    ("Inconsistent operation name", [KNOWN | {"Action": "SUCCEED", "Name": "other"}]),
    ("Inconsistent operation subtype", [KNOWN | {"Action": "SUCCEED", "SubType": "Other"}]),
    ("Inconsistent parent operation id", [KNOWN | {"Action": "SUCCEED", "ParentId": "ctx"}]),
    ("Invalid current STEP state to start", [KNOWN | {"Action": "START"}]),
    ("Invalid current STEP state to close", [STEP | {"Id": "done", "Action": "SUCCEED"}]),
    ("Cannot start a CONTEXT that already exist", [CONTEXT | {"Id": "ctx"}]),
]


class Handler:
    """A handler outside of the engine: an execution, and the token of its next checkpoint."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.arn = start(client, "raw", name)
        eventually(lambda: self.arn in TOKENS, what=f"{name} is invoked")
        self.token = TOKENS[self.arn]

    def checkpoint(self, *updates: dict[str, Any], **inputs: Any) -> dict[str, Any]:
        given = {"DurableExecutionArn": self.arn, "CheckpointToken": self.token, **inputs}
        answer: dict[str, Any] = self.client.checkpoint_durable_execution(
            Updates=list(updates), **given
        )
        self.token = answer.get("CheckpointToken", self.token)
        return answer

    def state(self, **inputs: Any) -> dict[str, Any]:
        given = {"DurableExecutionArn": self.arn, "CheckpointToken": self.token, **inputs}
        answer: dict[str, Any] = self.client.get_durable_execution_state(**given)
        return answer


@pytest.fixture(scope="module")
def handler(client: Any, engine: LocalEngine) -> Iterator[Handler]:
    """A handler that has a step, a context and a step that has ended."""
    RAW_GATE.clear()
    made = Handler(client, "protocol")
    ctx, done = CONTEXT | {"Id": "ctx"}, STEP | {"Id": "done", "Action": "SUCCEED", "Payload": "1"}
    made.checkpoint(KNOWN | {"Action": "START"}, ctx, done)
    yield made
    RAW_GATE.set()
    eventually(lambda: not any(engine.tracked().values()), what="all executions end")


@pytest.mark.parametrize(("sentence", "updates"), REFUSED)
def test_updates_that_make_no_sense_are_refused_and_change_nothing(
    handler: Handler, sentence: str, updates: list[dict[str, Any]]
) -> None:
    before = handler.state()["Operations"]
    with pytest.raises(handler.client.exceptions.InvalidParameterValueException, match=sentence):
        handler.checkpoint(*updates)
    # The token is still the one of the next checkpoint.
    assert handler.state()["Operations"] == before


@pytest.mark.parametrize(
    "token", [b"[]", b"{}", b"\xff", b'{"arn": 5, "seq": "x"}', b'{"arn": "x", "seq": 1}']
)
def test_token_that_is_none_is_refused(handler: Handler, token: bytes) -> None:
    encoded = base64.b64encode(token).decode()
    refused = handler.client.exceptions.InvalidParameterValueException
    for call in (handler.checkpoint, handler.state):
        with pytest.raises(refused, match=r"[Cc]heckpoint token"):
            call(CheckpointToken=encoded)


def test_token_of_another_execution_is_refused(handler: Handler, client: Any) -> None:
    other = Handler(client, "another")
    refused = handler.client.exceptions.InvalidParameterValueException
    for call in (handler.checkpoint, handler.state):
        with pytest.raises(refused, match="not valid for the durable execution ARN"):
            call(CheckpointToken=other.token)


def test_state_is_paged(handler: Handler) -> None:
    whole = handler.state()["Operations"]
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    for _ in whole:
        page = handler.state(MaxItems=1, **marker)
        found += page["Operations"]
        marker = {"Marker": page.get("NextMarker", "")}
    assert (found, marker) == (whole, {"Marker": ""})
    for nonsense in ("x", "-1:2", "0:0"):
        with pytest.raises(handler.client.exceptions.InvalidParameterValueException):
            handler.state(Marker=nonsense)


def test_same_checkpoint_twice_with_its_client_token_is_one(handler: Handler) -> None:
    inputs = {"ClientToken": "again", "CheckpointToken": handler.token}
    update = STEP | {"Id": "once"}
    first, second = (handler.checkpoint(update, **inputs) for _ in range(2))
    for answer in (first, second):
        answer.pop("ResponseMetadata")
    assert first == second


def test_answers_are_as_the_description_has_them(handler: Handler, client: Any) -> None:
    wait = STEP | {"Id": "w", "Type": "WAIT", "WaitOptions": {"WaitSeconds": 3600}}
    arn = handler.arn
    answers = {
        "CheckpointDurableExecution": handler.checkpoint(wait, CONTEXT | {"Id": "c2"}),
        "GetDurableExecutionState": handler.state(),
        "GetDurableExecution": client.get_durable_execution(DurableExecutionArn=arn),
        "ListDurableExecutionsByFunction": client.list_durable_executions_by_function(
            FunctionName="raw"
        ),
    }
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="a question")
    paused = client.get_durable_execution(DurableExecutionArn=arn)
    client.resume_durable_execution(DurableExecutionArn=arn)
    for operation, answer in [*answers.items(), ("GetDurableExecution", paused)]:
        answer.pop("ResponseMetadata")
        shape = client.meta.service_model.operation_model(operation).output_shape
        assert missing(shape, answer, operation) == []


def test_execution_ended_by_a_checkpoint_stays_as_it_ended(client: Any, handler: Handler) -> None:
    ending = Handler(client, "ending")
    ending.checkpoint(ENDED | {"Payload": json.dumps("early")})
    assert json.loads(ended(client, ending.arn)["Result"]) == "early"
    for call in (ending.checkpoint, ending.state):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="token"):
            call()
    assert handler.arn != ending.arn
