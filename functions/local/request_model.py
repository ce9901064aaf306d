"""Read requests by AWS's own description of its API, as botocore carries it.

The description says which operation a path is, where each of its inputs stands (path, query,
header or body), and what AWS takes: type, length, range, characters and words. boto3 checks little
of it before it sends, so most of what AWS refuses would get as far as the engine. The errors are
AWS's: ``SerializationException`` for a value of another type, ``ValidationException`` for one that
breaks a constraint, with all broken constraints of the request in one sentence.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from functions.local.errors import ApiError, broken_constraint, validation_error

type Inputs = Mapping[str, Any]

# "If you specify only the function name, it is limited to 64 characters": only in its words.
NAME_ALONE = 64
_TYPES: dict[str, tuple[type, str]] = {
    "string": (str, "a String"),
    "boolean": (bool, "a Boolean"),
    "integer": (int, "an Integer"),
    "structure": (dict, "an Object"),
    "list": (list, "a List"),
}
# What AWS's parser of JSON calls what stands there instead.
_WORDS: dict[type, str] = {
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    str: "STRING_VALUE",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}


class Operation:
    """One operation of Lambda: its path, and its inputs."""

    def __init__(self, model: OperationModel) -> None:
        self.inputs = cast("StructureShape", model.input_shape)
        self.method: str = model.http["method"]
        self.path: list[str] = model.http["requestUri"].strip("/").split("/")

    def match(self, method: str, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values in the path; ``None`` when the path is not this operation's."""
        if method != self.method or len(segments) != len(self.path):
            return None
        found = {}
        for wanted, segment in zip(self.path, segments, strict=True):
            if wanted.startswith("{"):
                found[wanted.strip("{}")] = segment
            elif wanted != segment:
                return None
        return found

    def read(
        self,
        path: Mapping[str, str],
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Inputs:
        """Return the inputs that were sent, by their names in the description.

        Raises ``ApiError`` (400) for what AWS refuses before the operation looks at it.
        """
        payload = self.inputs.serialization.get("payload")
        members = {} if payload else _json_object(body)
        sent: dict[str, Any] = {}
        for name, shape in self.inputs.members.items():
            key = shape.serialization.get("name", name)
            match shape.serialization.get("location"):
                case "uri":
                    sent[name] = path[key]
                case "querystring":
                    sent[name] = _from_query(shape, query.get(key, []))
                case "header":
                    sent[name] = headers.get(key.lower())
                case _ if name != payload:
                    sent[name] = _typed(shape, members.get(key))
                case _ if shape.type_name == "blob":
                    sent[name] = body
                case _:
                    sent[name] = _typed(shape, _json_object(body)) or None
        broken = list(_broken(self.inputs, sent, ""))
        if broken:
            raise validation_error(broken)
        return {name: value for name, value in sent.items() if value is not None}


def _unreadable(message: str) -> ApiError:
    return ApiError(400, "SerializationException", message)


def parsed_json(text: str | bytes) -> Any:
    """Parse JSON as strictly as AWS: UTF-8, no ``NaN``. Raises ``ValueError``."""
    text = text.decode() if isinstance(text, bytes) else text
    try:
        value = json.loads(text, parse_constant=_no)
        if "\\u" in text:  # half of a surrogate pair is no character
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("It is nested too deeply.") from error
    return value


def _no(word: str) -> None:
    raise ValueError(f"{word} is not JSON.")


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = parsed_json(body)
    except ValueError as error:
        raise _unreadable(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _unreadable("The body is not a JSON object.")
    return value


def _from_query(shape: Shape, texts: list[str]) -> Any:
    if not texts:
        return None
    if shape.type_name == "list":
        return texts
    text = texts[0]
    if shape.type_name == "string":
        return text
    if not text:
        return None
    try:
        return _FROM_TEXT[shape.type_name](text)
    except (ValueError, OverflowError) as error:
        kind = {"timestamp": "Date"}.get(shape.type_name, shape.type_name.capitalize())
        raise _unreadable(f"'{text}' can not be converted to {kind}") from error


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _moment(text: str) -> float:
    """Unix seconds of an ISO 8601 time or a number."""
    if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_FROM_TEXT = {"integer": _integer, "boolean": _boolean, "timestamp": _moment}


def _typed(shape: Shape, value: Any) -> Any:
    """Return a value of the body, without its nulls; raise for one of another type."""
    if value is None:
        return None
    wanted, called = _TYPES[shape.type_name]
    kind = type(value)
    if kind is not wanted:
        raise _unreadable(f"{_WORDS[kind]} can not be converted to {called}")
    if isinstance(shape, StructureShape):
        found = {name: _typed(each, value.get(name)) for name, each in shape.members.items()}
        return {name: each for name, each in found.items() if each is not None}
    if isinstance(shape, ListShape):
        return [_typed(shape.member, each) for each in value]
    return value


def _broken(shape: Shape, value: Any, at: str) -> Iterator[str]:
    """Say each constraint that a value breaks; ``at`` is its place, as AWS spells it."""
    limits = shape.metadata
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            place = f"{at}.{_lower(name)}".lstrip(".")
            if value.get(name) is not None:
                yield from _broken(member, value[name], place)
            elif name in limits.get("required", ()):
                yield broken_constraint(None, place, "not be null")
        return
    if isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
        for number, each in enumerate(value, start=1):
            yield from _broken(shape.member, each, f"{at}.{number}.member")
        return
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    for rule in _rules(shape, value):
        yield broken_constraint(shown, at, rule, sensitive=limits.get("sensitive", False))


def _rules(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata
    if isinstance(shape, ListShape):
        rules = list(dict.fromkeys(rule for each in value for rule in _rules(shape.member, each)))
        if rules:
            yield f"satisfy constraint: [{', '.join(f'Member must {rule}' for rule in rules)}]"
    elif (words := limits.get("enum")) and value not in words:
        yield f"satisfy enum value set: [{', '.join(words)}]"
    least, most = limits.get("min"), limits.get("max")
    if shape.name == "NamespacedFunctionName" and ":" not in value:
        most = NAME_ALONE
    what, size = ("value", value) if shape.type_name == "integer" else ("length", 0)
    if isinstance(value, (str, bytes, list)):
        size = len(value)
    if least is not None and size < least:
        yield f"have {what} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"have {what} less than or equal to {most}"
    pattern = limits.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"satisfy regular expression pattern: {pattern}"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def operations_read(names: Iterable[str]) -> list[Operation]:
    """Return these operations, and keep of the description, which is large, only their inputs."""
    whole = Loader().load_service_model("lambda", "service-2")
    operations = {name: whole["operations"][name] for name in names}
    kept = {
        "metadata": whole["metadata"],
        "operations": {
            name: {each: found[each] for each in ("name", "http", "input")}
            for name, found in operations.items()
        },
        "shapes": _reachable(
            whole["shapes"], [found["input"]["shape"] for found in operations.values()]
        ),
    }
    service = ServiceModel(kept, "lambda")
    return [Operation(service.operation_model(name)) for name in names]


def _reachable(shapes: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return these shapes and those of their members, without the documentation."""
    found: dict[str, Any] = {}
    while names:
        name = names.pop()
        if name in found:
            continue
        shape = found[name] = _undocumented(shapes[name])
        members = shape.get("members", {})
        shape["members"] = {each: _undocumented(member) for each, member in members.items()}
        parts = (shape[part] for part in ("member", "key", "value") if part in shape)
        names += [part["shape"] for part in (*members.values(), *parts)]
    return found


def _undocumented(described: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if name != "documentation"}
