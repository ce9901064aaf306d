"""A client that openapi-python-client generates from the document, as a partner would do it.

What it cannot express, or types as anything, is a fault of the document.
"""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings

from applications.models import LoanApplication
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from tests import casework
from tests.applications import files
from tests.hard_cases.serving import WebProcess, served

PACKAGE = "generated_loan_office"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated package; a warning of the generator is a failure."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n")  # they only format what is generated
    document = settings.BASE_DIR / "docs" / "openapi.yaml"
    words = ["generate", "--fail-on-warning", "--meta=none", f"--path={document}"]
    words += [f"--config={config}", f"--output-path={folder / PACKAGE}"]

    run = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *words],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in (run.stdout + run.stderr).lower()
    return folder / PACKAGE


@pytest.fixture
def module(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``module("models")``: a module of the generated package."""
    monkeypatch.syspath_prepend(str(generated.parent))

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    return load


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebProcess]:
    with served(tmp_path, monkeypatch) as process:
        yield process


@pytest.fixture
def client(module: Any, server: WebProcess, partner_key: str) -> Iterator[Any]:
    """The generated client; it raises for a status that the document does not name."""
    with module("client").AuthenticatedClient(
        base_url=f"http://127.0.0.1:{server.port}",
        token=partner_key,
        raise_on_unexpected_status=True,
    ) as made:
        yield made


def test_every_field_and_parameter_has_a_type(generated: Path) -> None:
    untyped = [
        f"{path.relative_to(generated)}: {line.strip()}"
        for part in ("models", "api")
        for path in (generated / part).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.match(r" {4}\w+: .*\bAny\b", line)
        and not re.match(r" {4}(additional_properties|headers|params|_kwargs): ", line)
    ]

    assert untyped == []


def test_every_operation_answers_with_a_type(generated: Path) -> None:
    answers = {
        path.stem: match[1]
        for path in (generated / "api").glob("*/[a-z]*.py")
        if (match := re.search(r"^def _parse_response\(.*\) -> (.*):$", path.read_text(), re.M))
    }

    assert len(answers) == 13
    assert all("Problem" in answer for answer in answers.values())
    # Nothing but a 304, which has no body, is of any type.
    assert [name for name, answer in answers.items() if "Any" in answer] == ["read_application"]
    assert answers["download_document"].startswith("File ")


def test_a_set_of_values_is_one_type(generated: Path) -> None:
    """A filter takes what a field says, without a conversion."""
    values: dict[str, list[str]] = {}
    for path in (generated / "models").glob("*.py"):
        if "Enum):" in (text := path.read_text()):
            values.setdefault(str(re.findall(r' = "(.*)"', text)), []).append(path.stem)

    assert len(values) > 8
    assert [names for names in values.values() if len(names) > 1] == []


@pytest.mark.django_db(transaction=True)
def test_client_submits_retries_pages_uploads_and_accepts(
    module: Any, client: Any, partner: Partner
) -> None:
    models, errors = module("models"), (module("models").Problem, module("models").Invalid)
    applications, offers = "api.applications", "api.offers"
    submit = module(f"{applications}.submit_application").sync_detailed
    read = module(f"{applications}.read_application").sync_detailed
    alice = models.NewApplicationRequest(
        applicant_name="Alice Johnson",
        sin_last4="1111",
        loan_amount="150000.00",
        email="alice@example.com",
        purpose=models.Purpose.PERSONAL_LOAN,
        external_id="crm-1",
    )

    # Submit, and send it again.
    first = submit(client=client, body=alice, idempotency_key="key-1")
    again = submit(client=client, body=alice, idempotency_key="key-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.parsed == first.parsed
    case = first.parsed
    assert case.status is models.ApplicationStatus.SUBMITTED
    assert case.current_step is models.Step.SUBMITTED
    assert case.offer is case.decision is case.disbursement is None
    assert first.headers["Location"].endswith(f"/api/v1/applications/{case.reference}/")
    assert LoanApplication.objects.get().reference == case.reference

    # What is refused is typed too.
    double = submit(client=client, body=alice, idempotency_key="key-2")
    assert isinstance(double.parsed, models.Problem)
    assert (double.status_code, double.parsed.type_) == (409, "/problems/duplicate-external-id")
    assert case.reference in double.parsed.detail
    alice.external_id = "crm-2"
    other = submit(client=client, body=alice, idempotency_key="key-1")
    assert isinstance(other.parsed, models.Problem)
    assert (other.status_code, other.parsed.type_) == (422, "/problems/idempotency-key-reused")
    wrong = models.NewApplicationRequest(applicant_name="A", sin_last4="1", loan_amount="0")
    invalid = submit(client=client, body=wrong, idempotency_key="key-3").parsed
    assert isinstance(invalid, models.Invalid)
    assert set(invalid.errors.additional_keys) == {"sin_last4", "loan_amount"}
    unknown = read("LOAN-UNKNOWN", client=client)
    assert (unknown.status_code, unknown.parsed.type_) == (404, "/problems/not-found")

    # Follow it: unchanged, then page by page.
    etag = read(case.reference, client=client).headers["ETag"]
    unchanged = read(case.reference, client=client, if_none_match=etag)
    assert (unchanged.status_code, unchanged.parsed) == (304, None)
    made = [case.reference]
    for number in range(2, 6):
        alice.external_id = f"crm-{number}"
        answer = submit(client=client, body=alice, idempotency_key=f"page-{number}")
        made.append(answer.parsed.reference)
    listed = module(f"{applications}.list_applications").sync
    found, more, pages = [], {}, 0
    while pages == 0 or more:
        page = listed(client=client, page_size=2, status=case.status, **more)
        found += [each.reference for each in page.results]
        query = parse_qs(urlsplit(page.next_ or "").query)
        more = {"cursor": query["cursor"][0]} if query else {}
        pages += 1
    assert (found, pages) == (made[::-1], 3)
    events = module(f"{applications}.list_events").sync(case.reference, client=client)
    assert events.results[-1].level is models.Level.INFO

    # Upload, list, download.
    upload = module("api.documents.upload_document").sync_detailed
    sent = [
        upload(
            case.reference,
            client=client,
            idempotency_key="slip",
            body=models.NewDocumentRequest(
                kind=models.UploadedKind.PROOF_OF_INCOME,
                file=module("types").File(BytesIO(files.PDF), "slip.pdf", "application/pdf"),
            ),
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in sent] == [201, 201]
    assert sent[1].headers["Idempotent-Replayed"] == "true"
    (document,) = module("api.documents.list_documents").sync(case.reference, client=client).results
    assert document.document_id == sent[0].parsed.document_id
    assert document.kind is models.DocumentKind.PROOF_OF_INCOME
    token = urlsplit(document.url).path.rstrip("/").rpartition("/")[2]
    content = module("api.documents.download_document").sync(token, client=client)
    assert content.payload.read() == files.PDF

    # The offer: read it, answer another one, answer this one.
    offered = casework.offered(None, partner=partner)
    casework.ask(offered, TaskKind.OFFER_ACCEPTANCE)
    case = read(offered.reference, client=client).parsed
    assert case.waiting_on.who is models.WaitingOn.APPLICANT
    assert case.decision.outcome is models.Outcome.APPROVE
    assert case.offer.expires_at.utcoffset() == case.waiting_on.until.utcoffset() == timedelta(0)
    accept = module(f"{offers}.accept_offer").sync_detailed
    stale = accept(
        case.reference, client=client, body=models.AcceptanceRequest(offer_id="OFFER-OLD")
    )
    assert stale.status_code == 409
    assert isinstance(stale.parsed, errors)
    body = models.AcceptanceRequest(offer_id=case.offer.offer_id)
    answers = [
        accept(case.reference, client=client, body=body, idempotency_key="yes") for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert offered.review_tasks.get().outcome == Outcome.APPROVE

    # Called too often: a problem with the seconds to wait.
    partner.rate_limit = "1/hour"
    partner.save()
    for _ in range(3):
        limited = read(case.reference, client=client)
    assert (limited.status_code, limited.parsed.type_) == (429, "/problems/rate-limited")
    assert int(limited.headers["Retry-After"]) >= 1
