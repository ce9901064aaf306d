"""``docs/partners.md`` is true: its lines run in their order, its Python does what it says."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from applications.choices import Status
from applications.models import LoanApplication
from lending.choices import Outcome
from partners.models import IdempotencyKey, Partner
from reviews.choices import TaskKind
from tests import casework
from tests.hard_cases.serving import WebProcess, served
from webhooks.delivery import Outgoing, headers_of
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db(transaction=True)

GUIDE = (settings.BASE_DIR / "docs" / "partners.md").read_text()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in what curl printed, one after the other, whatever stands between."""
    found, at = [], text.find("{")
    while at >= 0:
        value, end = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at = text.find("{", end)
    return found


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebProcess]:
    with served(tmp_path, monkeypatch) as process:
        yield process


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_every_line_runs_as_it_stands(
    server: WebProcess, partner: Partner, partner_key: str, tmp_path: Path
) -> None:
    offered = casework.offered(None, partner=partner)
    casework.ask(offered, TaskKind.OFFER_ACCEPTANCE)
    WebhookEndpoint.objects.create(partner=partner, url="https://192.0.2.1/", secret=SECRET)
    lines = [f"echo '== {number}'\n{block}\necho" for number, block in enumerate(blocks("sh"))]

    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={
            **os.environ,
            "BASE": f"http://127.0.0.1:{server.port}/api/v1",
            "KEY": partner_key,
            "OFFERED": offered.reference,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    said = [part.split("\n", 1)[1].strip() for part in run.stdout.split("== ")[1:]]
    assert len(said) == len(lines) >= 9
    application = LoanApplication.objects.exclude(pk=offered.pk).get()
    assert said[3].endswith("304")
    told = [objects(part) for part in said]
    (submitted,), (replayed,), (followed,), (events, found) = told[1:5]
    (kept, files), (accepted,), (withdrawn,), (wrong,), (missed, event) = told[5:]
    assert submitted == replayed == followed
    assert submitted["reference"] == application.reference
    assert events["results"][-1]["message"] == "Submitted: 150,000.00 CAD."
    assert found["results"] == [submitted]
    assert kept["kind"] == "proof_of_income"
    assert files["results"][0]["url"].startswith("http")
    assert accepted["reference"] == offered.reference
    assert offered.review_tasks.get().outcome == Outcome.APPROVE
    assert withdrawn["status"] == Status.WITHDRAWN == application.status
    shown = json.loads(next(block for block in blocks("json") if "invalid-application" in block))
    assert {**wrong, "request_id": ""} == {**shown, "request_id": ""}
    assert missed["results"][0]["id"] == event["id"]
    assert event["data"]["reference"] == application.reference
    assert IdempotencyKey.objects.filter(key=f"{event['id']}-again").exists()


def python(name: str) -> dict[str, Any]:
    """Run the guide's block that defines this name, and return its names."""
    (block,) = [
        block
        for block in blocks("python")
        if re.search(rf"^(class|def) {name}\b", block, re.MULTILINE)
    ]
    found: dict[str, Any] = {}
    exec(compile(block, "docs/partners.md", "exec"), found)  # noqa: S102 - it is ours
    return found


def test_client_submits_once_and_reads_every_page(
    server: WebProcess, partner: Partner, partner_key: str
) -> None:
    client = python("LoanOffice")["LoanOffice"](
        f"http://127.0.0.1:{server.port}/api/v1", partner_key
    )

    made = [
        client.submit(applicant_name="Alice Johnson", sin_last4="1111", loan_amount="1000.00")
        for _ in range(5)
    ]

    found = list(client.applications(page_size=2))
    assert [case["reference"] for case in found] == [case["reference"] for case in made[::-1]]
    with pytest.raises(ValueError, match="invalid-application"):
        client.submit(applicant_name="", sin_last4="1111", loan_amount="1000.00")


def test_client_sends_again_under_the_same_key_what_it_heard_no_answer_to(
    server: WebProcess, partner_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = python("LoanOffice")
    client = loaded["LoanOffice"](f"http://127.0.0.1:{server.port}/api/v1", partner_key)
    send, slept = client.session.request, []

    def breaks_twice(*args: Any, **options: Any) -> Any:
        answer = send(*args, **options)
        if len(slept) < 2:
            raise loaded["requests"].ConnectionError("the line broke after it was done")
        return answer

    monkeypatch.setattr(client.session, "request", breaks_twice)
    monkeypatch.setitem(loaded, "time", SimpleNamespace(sleep=slept.append))

    case = client.submit(applicant_name="Alice Johnson", sin_last4="1111", loan_amount="1000.00")

    assert slept == [1, 2]
    assert LoanApplication.objects.get().reference == case["reference"]


def test_verification_believes_what_we_sign_and_nothing_else() -> None:
    verify = python("verify")["verify"]
    other = "whsec_" + "A" * 32
    body = '{"type":"application.funded","data":{"reference":"LOAN-7Q2M9K4T","status":"funded"}}'
    outgoing = Outgoing(url="", public_id="evt_1", body=body, secrets=(other, SECRET))
    now = datetime.now(UTC)
    headers = headers_of(outgoing, at=now)

    assert verify(SECRET, headers, body.encode())
    assert verify(other, headers, body.encode())
    assert not verify("whsec_" + "B" * 32, headers, body.encode())
    assert not verify(SECRET, headers, body.replace("funded", "failed").encode())
    assert not verify(SECRET, {**headers, "webhook-id": "evt_2"}, body.encode())
    for minutes in (-6, 6):
        old = headers_of(outgoing, at=now + timedelta(minutes=minutes))
        assert not verify(SECRET, old, body.encode())


def test_client_is_about_thirty_lines() -> None:
    (block,) = [block for block in blocks("python") if "class LoanOffice" in block]

    assert sum(bool(line.strip()) for line in block.splitlines()) <= 40
