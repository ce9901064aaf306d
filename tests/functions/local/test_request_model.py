"""Every input of every operation, sent wrong and raw, is refused as AWS's description says.

boto3 checks some inputs before it sends, so these requests are made without it. What is sent is
made from botocore's description of the API here, apart from the engine.
"""

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import pytest
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from functions.local.engine import LocalEngine

MODEL = boto3.client("lambda", region_name="us-west-2").meta.service_model
OPERATIONS = [name for name in MODEL.operation_names if "Durable" in name or name == "Invoke"]
UNKNOWN = "arn:aws:lambda:us-west-2:123456789012:function:echo:$LATEST/durable-execution/a/b"
# What each operation needs, in AWS's own words for it; nothing of it exists.
NEEDED = {
    "DurableExecutionArn": UNKNOWN,
    "CallbackId": "QUJD",
    "CheckpointToken": "QUJD",
    "FunctionName": "echo:$LATEST",
    "Id": "a",
    "Type": "STEP",
    "Action": "START",
}
VALIDATION, SERIALIZATION = "ValidationException", "SerializationException"


@dataclass
class Sent:
    """A request whose inputs are at their places."""

    operation: str
    inputs: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> OperationModel:
        return MODEL.operation_model(self.operation)

    def answer(self, engine: LocalEngine) -> tuple[int, str, str]:
        """Status, type of error and message of the answer."""
        path = self.model.http["requestUri"]
        query: list[tuple[str, Any]] = []
        headers: dict[str, str] = {}
        members: dict[str, Any] = {}
        body = b""
        shape = self.model.input_shape
        for name, value in self.inputs.items():
            place = shape.members[name].serialization
            if place.get("location") == "uri":
                path = path.replace(f"{{{place['name']}}}", quote(value, safe=""))
            elif place.get("location") == "querystring":
                query += [(name, each) for each in (value if isinstance(value, list) else [value])]
            elif place.get("location") == "header":
                headers[place["name"]] = value
            elif shape.serialization.get("payload") == name:
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
            else:
                members[name] = value
        body = body or (json.dumps(members).encode() if members else b"")
        connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            connection.request(self.model.http["method"], target, body, headers)
            response = connection.getresponse()
            found = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        return response.status, response.headers.get("x-amzn-ErrorType", ""), found.get("Message")


def needed(operation: str) -> dict[str, Any]:
    """The inputs without which AWS refuses the operation."""
    shape = MODEL.operation_model(operation).input_shape
    return {name: NEEDED[name] for name in shape.required_members}


def wrong_values(shape: Shape, place: str) -> Iterator[tuple[Any, str]]:
    """Values that break one constraint each, and the error that AWS answers."""
    limits = shape.metadata
    least, most = limits.get("min", 0), limits.get("max")
    if shape.type_name == "string":
        if most:
            yield "a" * (most + 1), VALIDATION
        if least and place != "uri":
            yield "", VALIDATION
        if "pattern" in limits:
            assert not re.fullmatch(limits["pattern"], "é {~}")
            yield "é {~}", VALIDATION
        if "enum" in limits:
            yield "NO_SUCH", VALIDATION
    elif shape.type_name == "integer":
        yield least - 1, VALIDATION
        yield most + 1, VALIDATION
    elif shape.type_name == "blob" and most:
        yield b"b" * (most + 1), VALIDATION
    elif isinstance(shape, ListShape) and "enum" in shape.member.metadata:
        yield ["NO_SUCH"], VALIDATION
        yield [shape.member.metadata["enum"][0]] * (most + 1), VALIDATION
    if place == "querystring" and shape.type_name in {"integer", "boolean", "timestamp"}:
        yield "soon", SERIALIZATION
        yield "NaN", SERIALIZATION
    if place == "body":
        yield 1 if shape.type_name in {"string", "boolean", "list"} else "1", SERIALIZATION


def wrong_members(shape: StructureShape, at: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Structures with one wrong member each, its place as AWS spells it, and the error."""
    base = {name: NEEDED.get(name, "echo") for name in shape.required_members}
    for name, member in shape.members.items():
        place = f"{at}.{name[0].lower()}{name[1:]}"
        if isinstance(member, StructureShape):
            for value, inner, error in wrong_members(member, place):
                yield base | {name: value}, inner, error
        for value, error in wrong_values(member, "body"):
            yield base | {name: value}, place, error
        if name in shape.required_members:
            rest = {key: value for key, value in base.items() if key != name}
            yield rest, place, VALIDATION


def wrong_requests(operation: str) -> list[tuple[dict[str, Any], str, str]]:
    """Requests with one wrong input each: inputs, the place of the wrong one, and the error."""
    shape = MODEL.operation_model(operation).input_shape
    base = needed(operation)
    cases: list[tuple[dict[str, Any], str, str]] = []
    for name, member in shape.members.items():
        at = f"{name[0].lower()}{name[1:]}"
        place = member.serialization.get("location", "body")
        if shape.serialization.get("payload") == name:
            place = "payload"
        if name in base and place != "uri":
            cases.append(({key: base[key] for key in base if key != name}, at, VALIDATION))
        if isinstance(member, StructureShape):
            cases += [(base | {name: v}, i, e) for v, i, e in wrong_members(member, at)]
        if isinstance(member, ListShape) and isinstance(member.member, StructureShape):
            inner = wrong_members(member.member, f"{at}.1.member")
            cases += [(base | {name: [v]}, i, e) for v, i, e in inner]
        cases += [(base | {name: v}, at, e) for v, e in wrong_values(member, place)]
    return cases


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_does_not_exist_is_an_error_that_the_operation_has(
    engine: LocalEngine, operation: str
) -> None:
    inputs = needed(operation)
    if "FunctionName" in inputs:
        inputs["FunctionName"] = "nobody:live"
    declared = {shape.name for shape in MODEL.operation_model(operation).error_shapes}
    status, kind, _ = Sent(operation, inputs).answer(engine)
    assert kind in declared - {"ServiceException"}
    assert status == MODEL.shape_for(kind).metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_wrong_inputs_are_refused(engine: LocalEngine, operation: str) -> None:
    taken = []
    for inputs, place, error in wrong_requests(operation):
        status, kind, message = Sent(operation, inputs).answer(engine)
        sentence = rf"\d validation errors? detected: Value.* at '{re.escape(place)}' "
        if error == SERIALIZATION:
            sentence = ".* can not be converted to "
        if (status, kind) != (400, error) or not re.match(sentence, message):
            taken.append((place, status, kind, message[:100]))
    assert not taken


def right_values(shape: Shape) -> list[Any]:
    """Values at the bounds of what AWS takes."""
    limits = shape.metadata
    if "enum" in limits:
        return list(limits["enum"])
    if shape.type_name == "integer":
        return [limits["min"], limits["max"]]
    if isinstance(shape, ListShape):
        return [[each] for each in right_values(shape.member)]
    if shape.type_name == "string" and not limits.get("pattern", "").startswith("arn:"):
        return ["a" * limits.get("min", 1), "a" * min(limits.get("max", 8), 64)]
    return {"boolean": ["true", "false"], "timestamp": ["2026-11-29T12:00:00Z", "1796000000"]}.get(
        shape.type_name, []
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_inputs_at_their_bounds_are_not_refused(engine: LocalEngine, operation: str) -> None:
    shape = MODEL.operation_model(operation).input_shape
    base = needed(operation)
    unserved = {"ValidationException", "SerializationException", "ServiceException"}
    for name, member in shape.members.items():
        if "location" in member.serialization and name != "FunctionName":
            for value in right_values(member):
                answer = Sent(operation, base | {name: value}).answer(engine)
                assert answer[1] not in unserved, (name, value, answer)


def test_all_broken_constraints_are_in_one_error(engine: LocalEngine) -> None:
    inputs = {"FunctionName": "echo", "MaxItems": -1, "Statuses": ["NO_SUCH"]}
    _, kind, message = Sent("ListDurableExecutionsByFunction", inputs).answer(engine)
    assert kind == VALIDATION
    assert message.startswith("2 validation errors detected: ")
    assert "Value '-1' at 'maxItems' failed" in message
    assert "Value '[NO_SUCH]' at 'statuses' failed" in message


def test_name_alone_is_shorter_than_an_arn(engine: LocalEngine) -> None:
    for name, kind in [("n" * 64, "ResourceNotFoundException"), ("n" * 65, VALIDATION)]:
        assert Sent("Invoke", {"FunctionName": name}).answer(engine)[1] == kind


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"\xff"', b"[" * 100_000, b'{"Reason": NaN}']
)
def test_body_that_is_no_json_object_is_refused(engine: LocalEngine, body: bytes) -> None:
    stop = Sent("StopDurableExecution", {"DurableExecutionArn": UNKNOWN, "Error": body})
    assert stop.answer(engine)[:2] == (400, SERIALIZATION)


@pytest.mark.parametrize(
    "payload", [b"{", b'"\xff"', b"NaN", b'{"a": -Infinity}', b"[" * 100_000, rb'"\ud800"']
)
def test_payload_that_is_no_json_is_refused(engine: LocalEngine, payload: bytes) -> None:
    sent = Sent("Invoke", {"FunctionName": "echo:$LATEST", "Payload": payload})
    status, kind, message = sent.answer(engine)
    assert (status, kind) == (400, "InvalidRequestContentException")
    assert message.startswith("Could not parse request body into json: ")
