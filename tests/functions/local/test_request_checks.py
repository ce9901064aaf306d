"""The engine refuses what no client of its owner sends: web pages, forms, unsigned requests."""

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError

from functions.local.credentials import Credentials, credentials_make
from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS

INVOKE = "/2015-03-31/functions/echo/invocations"
JSON = {"Content-Type": "application/json"}
ARN = "arn:aws:lambda:us-west-2:123456789012:function:echo"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return credentials_make(tmp_path_factory.mktemp("credentials"))


@pytest.fixture(scope="module")
def signed_engine(
    credentials: Credentials, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalEngine]:
    """An engine that asks for these credentials."""
    folder = tmp_path_factory.mktemp("signed")
    with LocalEngine(functions=FUNCTIONS, data=folder, credentials=credentials) as running:
        yield running


def client_of(engine: LocalEngine, access_key: str, secret_key: str) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=engine.url,
        region_name="ca-central-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(retries={"max_attempts": 0}),
    )


def ask(
    engine: LocalEngine,
    method: str = "POST",
    target: str = INVOKE,
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
) -> tuple[int, str | None]:
    """Status and kind of error of a request with these headers, and a Host if none is given."""
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
    given = headers or {}
    connection.putrequest(method, target, skip_host="Host" in given)
    for name, value in {**given, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["x-amzn-ErrorType"]


def signed(
    engine: LocalEngine,
    credentials: Credentials,
    *,
    body: bytes = b"{}",
    at: datetime | None = None,
    **headers: str,
) -> dict[str, str]:
    """The headers of a request to ``INVOKE`` that is signed as botocore does."""
    request = AWSRequest(
        "POST", f"http://127.0.0.1:{engine.port}{INVOKE}", {**JSON, **headers}, body
    )
    auth = SigV4Auth(
        BotocoreCredentials(credentials.access_key, credentials.secret_key),
        "lambda",
        "ca-central-1",
    )
    request.context["timestamp"] = (at or datetime.now(UTC)).strftime(SIGV4_TIMESTAMP)
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return dict(request.headers.items())


@pytest.mark.parametrize("target", [INVOKE, "/health"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "loans.example.com"},
        {"Host": "127.0.0.1.example.com:9001"},
        {"Host": ""},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_foreign_host_and_origin_are_refused(
    engine: LocalEngine, target: str, headers: dict[str, str]
) -> None:
    found = ask(engine, "GET" if target == "/health" else "POST", target, b"", headers)
    assert found == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_what_a_form_can_send_is_refused(engine: LocalEngine, kind: str) -> None:
    found = ask(engine, headers={"Content-Type": kind})
    assert found == (415, "UnsupportedMediaTypeException")


def test_boto3_with_the_credentials_is_served(
    signed_engine: LocalEngine, credentials: Credentials
) -> None:
    client = client_of(signed_engine, credentials.access_key, credentials.secret_key)
    answer = client.invoke(FunctionName="echo:live", Payload=b'{"a": 1}')
    assert answer["StatusCode"] == 200
    # A path with escaped characters, a query, and no body.
    listed = client.list_durable_executions_by_function(
        FunctionName="function:echo:$LATEST", Statuses=["RUNNING"], DurableExecutionName="a-name"
    )
    assert listed["DurableExecutions"] == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_durable_execution(DurableExecutionArn=f"{ARN}:$LATEST/durable-execution/no/way")


@pytest.mark.parametrize("other", ["key", "secret", "both"])
def test_boto3_with_other_credentials_is_refused(
    signed_engine: LocalEngine, credentials: Credentials, other: str
) -> None:
    access_key = "AKIAOTHER" if other in {"key", "both"} else credentials.access_key
    secret_key = "0" * 64 if other in {"secret", "both"} else credentials.secret_key
    client = client_of(signed_engine, access_key, secret_key)
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="echo:live", Payload=b"{}")
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_unsigned_request_is_refused_and_the_health_is_told(signed_engine: LocalEngine) -> None:
    found = ask(signed_engine, headers=JSON)
    assert found == (403, "MissingAuthenticationTokenException")
    assert ask(signed_engine, "GET", "/health", b"")[0] == 200


def test_callback_answer_that_is_not_signed_is_refused(signed_engine: LocalEngine) -> None:
    target = "/2025-12-01/durable-execution-callbacks/some-id/succeed"
    found = ask(signed_engine, target=target, body=b'{"outcome": "approve"}', headers=JSON)
    assert found == (403, "MissingAuthenticationTokenException")


def test_signature_holds_for_its_body_its_time_and_its_headers_only(
    signed_engine: LocalEngine, credentials: Credentials
) -> None:
    good = signed(signed_engine, credentials)
    assert ask(signed_engine, headers=good)[0] == 200
    now = datetime.now(UTC)
    refused = {
        "another body": (b'{"a": 2}', good),
        "old": (b"{}", signed(signed_engine, credentials, at=now - timedelta(minutes=6))),
        "early": (b"{}", signed(signed_engine, credentials, at=now + timedelta(minutes=6))),
        "another checksum": (
            b'{"a": 2}',
            signed(signed_engine, credentials, **{"X-Amz-Content-SHA256": "0" * 64}),
        ),
        "unsigned payload": (
            b'{"a": 2}',
            signed(signed_engine, credentials, **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}),
        ),
        "changed header": (b"{}", {**good, "Content-Type": "application/octet-stream"}),
        "no date": (b"{}", {n: v for n, v in good.items() if n.lower() != "x-amz-date"}),
    }
    found = {
        name: ask(signed_engine, body=body, headers=headers)
        for name, (body, headers) in refused.items()
    }
    assert found == dict.fromkeys(refused, (403, "InvalidSignatureException"))


def test_engine_without_credentials_takes_any_request_of_this_machine(engine: LocalEngine) -> None:
    assert ask(engine, headers=JSON)[0] == 200


def test_folder_of_the_engine_is_its_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "old.db").touch(mode=0o644)
    with LocalEngine(functions=FUNCTIONS, data=folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "old.db").stat().st_mode & 0o777 == 0o600
