"""A request that ends before it is complete changes nothing: its client was killed on the way."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.support import callback_of, ended, start

CUTS = ("in the headers", "before the body", "in the body")
INVOKE = "/2015-03-31/functions/approval%3Alive/invocations"
DURABLE = "/2025-12-01"


def send_cut(url: str, path: str, headers: dict[str, str], body: bytes, cut: str) -> bytes:
    """Send the beginning of a POST and nothing more; return the response of the engine, if any."""
    address = urlsplit(url)
    lines = [f"POST {path} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if cut != "in the headers":
        lines += [f"Content-Length: {len(body)}", "", ""]
    sent = "\r\n".join(lines).encode()
    if cut == "in the headers":
        sent += b"\r\n"
    if cut == "in the body":
        sent += body[: len(body) // 2]
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        response = b""
        while chunk := client.recv(65536):
            response += chunk
    return response


@pytest.mark.parametrize("cut", CUTS)
def test_cut_invocation_starts_nothing_and_its_name_stays_free(
    engine: LocalEngine, client: Any, tmp_path: Path, cut: str
) -> None:
    name = f"cut-{CUTS.index(cut)}"
    event = json.dumps({"id": name, "effects": str(tmp_path)})
    headers = {
        "X-Amz-Invocation-Type": "Event",
        "X-Amz-Durable-Execution-Name": name,
    }

    response = send_cut(engine.url, INVOKE, headers, event.encode(), cut)

    assert b" 202 " not in response.partition(b"\r\n")[0]
    listed = client.list_durable_executions_by_function(FunctionName="approval")
    assert name not in [one["DurableExecutionName"] for one in listed["DurableExecutions"]]
    arn = start(client, "approval", name, effects=str(tmp_path))  # the client tries again
    client.send_durable_execution_callback_success(
        CallbackId=callback_of(tmp_path, name), Result=b"yes"
    )
    assert ended(client, arn)["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("verb", ["succeed", "fail"])
@pytest.mark.parametrize("cut", CUTS)
def test_cut_answer_leaves_the_callback_open(
    engine: LocalEngine, client: Any, tmp_path: Path, cut: str, verb: str
) -> None:
    name = f"answer-{verb}-{CUTS.index(cut)}"
    arn = start(client, "approval", name, effects=str(tmp_path))
    callback_id = callback_of(tmp_path, name)
    path = f"{DURABLE}/durable-execution-callbacks/{quote(callback_id, safe='')}/{verb}"
    body = b'{"outcome": "approve"}' if verb == "succeed" else b'{"ErrorMessage": "declined"}'

    response = send_cut(engine.url, path, {}, body, cut)

    assert b" 200 " not in response.partition(b"\r\n")[0]
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"the answer")
    assert "the answer" in json.loads(ended(client, arn)["Result"])["answer"]


@pytest.mark.parametrize("verb", ["stop", "pause", "checkpoint"])
@pytest.mark.parametrize("cut", CUTS)
def test_cut_operation_on_an_execution_leaves_it_running(
    engine: LocalEngine, client: Any, tmp_path: Path, cut: str, verb: str
) -> None:
    name = f"{verb}-{CUTS.index(cut)}"
    arn = start(client, "approval", name, effects=str(tmp_path))
    callback_id = callback_of(tmp_path, name)
    path = f"{DURABLE}/durable-executions/{quote(arn, safe='')}/{verb}"

    response = send_cut(engine.url, path, {}, b'{"ErrorMessage": "stopped"}', cut)

    assert b" 200 " not in response.partition(b"\r\n")[0]
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert ended(client, arn)["Status"] == "SUCCEEDED"
