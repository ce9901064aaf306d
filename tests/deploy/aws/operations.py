"""Find the AWS operation of a request, from AWS's own service models."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
OPERATION_IN_PATH = re.compile(r"\A/service/\w+/operation/(\w+)\Z")
NAMED_BY_PATH = ("lambda", "apigateway")
SUBJECTS = ("FunctionName", "RoleName", "StackName", "Name", "Rule", "SecretId", "Path")
S3 = {
    ("HEAD", False): "HeadBucket",
    ("PUT", False): "CreateBucket",
    ("HEAD", True): "HeadObject",
    ("GET", True): "GetObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
}


def service_of(headers: str) -> str:
    """Whom the request is signed for; "" when it is not signed."""
    found = SIGNED_FOR.search(headers)
    return found[1] if found else ""


def named(service: str, method: str, path: str, target: str, body: bytes) -> tuple[str, str]:
    """The operation and its subject."""
    if service == "s3":
        bucket, _, key = path.lstrip("/").partition("/")
        return S3.get((method, bool(key)), method), f"{bucket}/{key}".rstrip("/")
    if service in NAMED_BY_PATH:
        for verb, pattern, name in _paths(service):
            if verb == method and (found := pattern.fullmatch(path)):
                subject = next(iter(found.groups()), "") or _subject(_json(body))
                return name, unqualified(subject) if service == "lambda" else subject
        return f"{method} {path}", ""
    if found := OPERATION_IN_PATH.search(path):  # CBOR, as CloudWatch speaks
        return found[1], ""
    if target:
        return target.rpartition(".")[2], _subject(_json(body))
    form = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
    return form.get("Action", f"{method} {path}"), _subject(form)


def success(operation: str) -> int:
    """The status with which Lambda answers when it did what was asked."""
    return int(_model("lambda").operation_model(operation).http.get("responseCode", 200))


def unqualified(function: str) -> str:
    """``name`` out of ``name``, ``function:name:1`` and whole ARNs."""
    return function.rpartition("function:")[2].partition(":")[0]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return {}


def _subject(told: Any) -> str:
    if not isinstance(told, dict):
        return ""
    return str(next((told[name] for name in SUBJECTS if name in told), ""))


@cache
def _paths(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, path and name of each operation; the longest path first."""
    model = _model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\{\w+\+?\}", "([^/]+)", uri)
        found.append((http["method"], re.compile(f"{pattern}/?"), name))
    return sorted(found, key=lambda each: (-each[1].pattern.count("/"), each[1].groups))


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
