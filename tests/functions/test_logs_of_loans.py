"""Log lines of whole loans: which there are, each once, and never with personal data."""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DataError
from django.test import Client
from django.urls import reverse

from applications.choices import Bureau
from applications.models import LoanApplication
from applications.services import intake
from devtools.loopback_server import LoopbackServer
from functions import fraud_check
from lending.choices import Outcome
from loanoffice.logs import JsonFormatter, LineFormatter
from reviews.choices import TaskKind
from reviews.services import decisions
from tests.functions.test_loan_approval import change_policy, open_task
from tests.functions.wire import Wire, wire
from tests.waiting import eventually
from tests.webhooks.receiver import receiving
from tests.workflows.callbacks.conftest import path_of
from tests.workflows.callbacks.vendor import SECRET, send
from webhooks.endpoints import endpoint_create
from workflows.models import PendingCallback
from workflows.outbox import queue
from workflows.steps import risk

pytestmark = pytest.mark.django_db(transaction=True)

PERSON: dict[str, Any] = {
    "applicant_name": "Zebulon Quackenbush",
    "address": "987 Quokka Crescent, Moosonee",
    "phone": "705-555-0987",
    "email": "zebulon.q@personal.example",
    "sin_last4": "4444",
    "annual_income": "85017.33",
    "loan_amount": "150000.00",
    "currency": "CAD",
    "purpose": "debt_consolidation",
    "term_months": 60,
}
NOTE = "Cousin Wilhelmina vouched for it"
# What would be found, whatever is around it; digits only where they are no part of an id.
PERSONAL = re.compile(
    r"zebulon|quackenbush|quokka|moosonee|705-555-0987|personal\.example|wilhelmina"
    r"|(?<![\w.-])(?:4444(?![\w.-])|85017(?!\w))",
    re.IGNORECASE,
)


class Lines(logging.Handler):
    """Every line of every logger, as both formats write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.json: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.formats = (JsonFormatter(), LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        line, text = (each.format(record) for each in self.formats)
        self.json.append(json.loads(line))
        self.texts += [line, text]

    def with_message(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.json if line["message"] == message]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root, kept = logging.getLogger(), Lines()
    before = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    yield kept
    root.setLevel(before)
    root.removeHandler(kept)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


@pytest.fixture
def providers(settings: Any) -> Iterator[dict[str, tuple[int, Any]]]:
    """One server for all providers, and what it answers by path."""
    answers: dict[str, tuple[int, Any]] = {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = answers.get(self.path, (404, {"status": "not_found"}))
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

    server = LoopbackServer(Handler)
    server.start()
    at = {"url": server.url, "token": "t"}
    settings.LOANOFFICE_PROVIDERS = dict.fromkeys([*Bureau.values, "fraud", "payout"], at)
    yield answers
    server.stop()


def body(**fields: Any) -> dict[str, Any]:
    return {**PERSON, **fields}


def submit_by_api(client: Client, **fields: Any) -> LoanApplication:
    answer = client.post("/api/v1/applications/", body(**fields), content_type="application/json")
    assert answer.status_code == 201, answer.content
    return LoanApplication.objects.get(reference=answer.json()["reference"])


def ended(aws: Wire, application: LoanApplication) -> str:
    aws.result(f"{application.reference}-{application.attempt}")
    application.refresh_from_db()
    return application.status


def test_lines_of_loans_have_their_ids_each_once_and_no_personal_data(
    aws: Wire,
    lines: Lines,
    partner: Any,
    partner_key: str,
    officer: User,
    manager: User,
    analyst: User,
    settings: Any,
) -> None:
    client = Client(headers={"Authorization": f"Bearer {partner_key}", "X-Request-Id": "post-1"})
    with receiving() as receiver:
        endpoint_create(partner=partner, url=receiver.url)
        application = submit_by_api(client)
        task = open_task(application, TaskKind.MANAGER_APPROVAL)
        staff = Client(headers={"X-Request-Id": "decision-1"})
        staff.force_login(manager)
        decide = reverse(
            "admin:applications_loanapplication_decide",
            args=[application.pk, task.pk, Outcome.APPROVE.value],
        )
        application.refresh_from_db()
        staff.post(decide, {"version": application.version, "reason": NOTE})
        task = open_task(application, TaskKind.FRAUD_REVIEW)  # 4444 is flagged
        decisions.task_decide(task=task, user=analyst, outcome=Outcome.APPROVE, reason=NOTE)
        assert ended(aws, application) == "funded"
        receiver.answers.append((500, {}))
        queue.send_due()
    officer_client = Client()
    officer_client.force_login(officer)
    added = officer_client.post(
        reverse("admin:applications_loanapplication_add"),
        {**body(loan_amount="150001.00"), "_submit": "yes"},
    )
    assert added.status_code == 302
    declined = LoanApplication.objects.latest("pk")
    task = open_task(declined, TaskKind.MANAGER_APPROVAL)
    decisions.task_decide(task=task, user=manager, outcome=Outcome.DECLINE, reason=NOTE)
    assert ended(aws, declined) == "declined"

    # Each entry of the timeline is one line, with the request that caused it, however often the
    # handler was replayed.
    recorded = lines.with_message("Recorded")
    for each in (application, declined):
        kinds = Counter(line["entry"] for line in recorded if line["application"] == each.reference)
        assert kinds == Counter(each.events.values_list("kind", flat=True))
    steps = [line for line in recorded if line.get("execution") == f"{application.reference}-1"]
    assert {line["request_id"] for line in steps} == {"post-1"}
    assert {line["attempt"] for line in steps} == {1}
    (decided,) = [line for line in recorded if line["entry"] == "manager_approval_approved"][:1]
    assert (decided["request_id"], decided["application"]) == ("decision-1", application.reference)
    (posted,) = [each for each in lines.with_message("Answered") if each["status"] == 201]
    assert (posted["request_id"], posted["method"]) == ("post-1", "POST")
    (checked,) = lines.with_message("Fraud check answered")
    assert (checked["execution"], checked["request_id"]) == (f"{application.reference}-1", "post-1")
    sent = [each for each in lines.with_message("Sent") if each["kind"] == "answer_callback"]
    assert {each["application"] for each in sent} == {application.reference, declined.reference}
    assert len(lines.with_message("Not sent")) == 1
    assert [text for text in lines.texts if PERSONAL.search(text)] == []


def test_lines_of_what_goes_wrong_have_no_personal_data(
    aws: Wire,
    lines: Lines,
    partner_key: str,
    officer: User,
    manager: User,
    auditor: User,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    providers: dict[str, tuple[int, Any]],
) -> None:
    name, mail = PERSON["applicant_name"], PERSON["email"]
    client = Client(
        headers={"Authorization": f"Bearer {partner_key}"}, raise_request_exception=False
    )
    # Requests that are refused: bodies, files, addresses, sign-ins.
    for content in (body(loan_amount=name), body(**{name: mail}), f'{{"applicant_name": "{name}'):
        answer = client.post("/api/v1/applications/", content, content_type="application/json")
        assert answer.status_code == 400
    assert client.get(f"/api/v1/applications/?q={name}").status_code in {200, 400}
    assert client.get(f"/nowhere/?name={name}").status_code == 404
    person = Client(raise_request_exception=False)
    assert person.post("/admin/login/", {"username": mail, "password": name}).status_code == 200
    person.force_login(auditor)
    person.get("/admin/applications/loanapplication/", {"q": name, name: mail})
    person.get("/admin/applications/loanapplication/", {"e": name})
    person.get("/admin/nothing/", {"q": name})
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(officer)
    add = reverse("admin:applications_loanapplication_add")
    assert strict.post(f"{add}?name={name}", body()).status_code == 403

    def fail(**_: Any) -> None:
        raise DataError(f"Failing row contains ({name}, {mail})")

    with monkeypatch.context() as broken:
        broken.setattr(intake, "_submit", fail)
        answer = client.post("/api/v1/applications/", body(), content_type="application/json")
        assert answer.status_code == 500
        working = Client(raise_request_exception=False)
        working.force_login(officer)
        answer = working.post(add, {**body(), "_submit": "yes"})
        assert answer.status_code == 500, answer.context["adminform"].form.errors

    # Providers that quote the person: a bureau, a payout rail.
    providers |= {
        "/reports": (200, {"score": name, "derogatory_marks": mail, "id": "r"}),
        "/checks": (200, {"result": name}),
        "/payouts": (403, {"status": "refused", "reason": f"{name} has no account"}),
    }
    stuck = submit_by_api(client)
    assert ended(aws, stuck) == "needs_attention"
    providers["/reports"] = (200, {"score": 760, "derogatory_marks": 0, "id": "r"})
    providers["/checks"] = (200, {"result": "passed"})
    refused = submit_by_api(client, loan_amount="9000.00", external_id="2")
    assert ended(aws, refused) == "needs_attention"
    assert name in refused.incidents.get().sentence  # the page of the incident has it

    # A step that fails with what it read.
    with monkeypatch.context() as broken:
        broken.setattr(risk, "assess_risk", lambda _: float(name))
        failed = submit_by_api(client, external_id="3")
        assert ended(aws, failed) == "needs_attention"

    # A callback that is damaged, or says too much.
    settings.LOANOFFICE_FRAUD_VENDOR_URL = "http://127.0.0.1:9/checks"
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET]
    aws.fraud_check = lambda *_: None
    waiting = submit_by_api(client, loan_amount="9000.00", external_id="4")
    pending = PendingCallback.objects
    callback = open_callback(waiting)
    path = path_of(callback)
    for said in ({"type": name}, {"type": "answer", "verdict": "passed", "reasons": [name] * 99}):
        assert send(path, said).status_code == 400
    client.post(f"/callbacks/{name}/", name, content_type="application/json")
    assert pending.filter(status="open").exists()

    assert len(lines.with_message("Unhandled error in the API")) == 1
    assert [line for line in lines.json if line.get("exception_name") == "StepError"]
    assert [text for text in lines.texts if PERSONAL.search(text)] == []


def open_callback(application: LoanApplication) -> str:
    return eventually(
        lambda: (
            PendingCallback.objects.filter(
                execution__application=application, name="fraud_check-1", status="open"
            )
            .values_list("callback_id", flat=True)
            .first()
        ),
        what="the fraud check is asked",
    )


def test_lines_outside_of_steps_are_logged_once_though_the_handler_is_replayed(
    aws: Wire, lines: Lines, officer: User, manager: User
) -> None:
    change_policy(fraud_check_attempts=2)
    asked = []

    def lose_the_first(event: dict[str, Any], context: object) -> None:
        asked.append(event)
        if len(asked) == 1:
            aws.time_out(event["callback_id"])
        else:
            fraud_check.handler(event, context)

    aws.fraud_check = lose_the_first
    application = intake.application_create_and_submit(
        user=officer, **body(sin_last4="5555", loan_amount=Decimal(30_000))
    )
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert ended(aws, application) == "funded"
    for message in ("No report", "The fraud check did not answer"):
        (line,) = lines.with_message(message)
        assert line["execution"] == f"{application.reference}-1"
        assert line["executionArn"] == aws.arns[line["execution"]]
