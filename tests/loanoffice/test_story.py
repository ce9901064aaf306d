"""``manage.py story``: everything about one application, once, in order, with nothing personal."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.choices import DocumentKind
from applications.models import ApplicationEvent, Disbursement, Document, LoanApplication
from applications.services import access_log, documents, intake
from applications.story import application_of, masking_of
from audit.host import host_actor
from audit.models import AuditEntry
from audit.tracing import request_id
from lending.choices import Outcome
from loanoffice.story import story_of
from loanoffice.story_formats import FORMATS
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.services import claims, decisions
from tests import casework
from tests.applications import files
from tests.webhooks.receiver import receiving
from tests.workflows import trouble
from tests.workflows.admin.test_history import EVENTS
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookAttempt, WebhookDelivery
from workflows import incidents, operations
from workflows.callbacks import pending
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue
from workflows.steps import review

pytestmark = pytest.mark.django_db
FILE = "alice_johnson_payslip.pdf"
TYPED = "Alice Johnson, 613 555 0101, alice@example.com, earns 85,000.00 (SIN 1111); asks her boss."
# Also the text of a letter, the answer and the path of a receiver.
PERSONAL = (
    "Alice", "Johnson", "Maple Street", r"\b0101\b", "alice@", r"\b1111\b", "85.?000", "payslip",
    "no thanks", "waits for a", "/hooks",
)  # fmt: skip


TRACES = ["0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"]
NOT_THERE = r"\AThere is no application LOAN-NOWHERE\.\Z"


@dataclass(frozen=True)
class Rich:
    application: LoanApplication
    partner: Partner


@pytest.fixture(scope="module")
def rich(module_rows: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Rich]:
    """An application with one of each kind of thing that happens to applications."""
    with (
        django_db_blocker.unblock(),
        pytest.MonkeyPatch.context() as patch,
        receiving() as receiver,
    ):
        receiver.answers.append((500, {}))
        yield _rich(patch, receiver.url)


def _rich(patch: pytest.MonkeyPatch, url: str) -> Rich:
    partner = Partner.objects.create(name="Maple Brokers")
    endpoint_create(partner=partner, url=url, event_types=["application.submitted"])
    manager = casework.staff("manager", Role.MANAGER)
    operator = casework.staff("operations", Role.OPERATIONS)
    casework.letters_at_once()
    asked = request_id.set("request-of-the-partner")
    application = intake.application_create_and_submit(partner=partner, **casework.ALICE)
    request_id.reset(asked)
    assert not queue.send_now(f"start/{application.reference}-1")  # nobody listens there
    _document(application, partner)
    with lambda_stub(patch):
        OutboxMessage.objects.filter(status="pending").update(due_at=timezone.now())
        for _ in range(2):
            queue.send_due()  # the webhook is answered 500, and then 204
            OutboxMessage.objects.filter(status="pending").update(due_at=timezone.now())
        casework.assess(application)
        asked_service = casework.ask_fraud_check(application)
        incident = trouble.handed_over(application)
        PendingCallback.objects.filter(pk=asked_service.pk).update(status="expired")
        pending.callback_receive(callback_id=asked_service.callback_id, answer={"result": "passed"})
        incidents.incident_acknowledge(incident=incident, user=operator)
        operations.application_restart(
            reference=application.reference, user=operator, reason="The service is back."
        )
        application.refresh_from_db()
        casework.assess(application)
        task = casework.ask(application)
        for _ in range(2):
            queue.send_due()  # the letter to the deciders becomes one to the manager
        claims.task_claim(task=task, user=manager)
        access_log.contact_reveal(application=application, user=manager)
        decisions.task_decide(task=task, user=manager, outcome=Outcome.DECLINE, reason=TYPED)
        review.declined_on_review(casework.run_of(application), TaskKind.MANAGER_APPROVAL)
        OutboxMessage.objects.filter(status="pending").update(due_at=timezone.now())
        queue.send_due()
    incident = Incident.objects.create(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key="disagreement",
        application=application,
        sentence="They disagree.",
    )
    incidents.incident_resolve(incident=incident, user=operator, note=TYPED)
    Disbursement.objects.create(
        application=application,
        idempotency_key=application.reference,
        amount=application.loan_amount,
        currency="CAD",
        status=Disbursement.Status.PAID,
        rail_reference="RAIL-1",
        funded_at=timezone.now() + timedelta(seconds=1),
    )
    application.executions.filter(attempt=1).update(traceparent=f"00-{TRACES[0]}-{'b' * 16}-01")
    late = OutboxMessage.objects.filter(callback__isnull=False)
    late.update(traceparent=f"00-{TRACES[1]}-{'b' * 16}-01")
    application.refresh_from_db()
    return Rich(application, partner)


def _document(application: LoanApplication, partner: Partner) -> None:
    upload = documents.upload_read(
        kind=DocumentKind.PROOF_OF_INCOME,
        name=FILE,
        declared_type="application/pdf",
        content=ContentFile(files.PDF),
    )
    documents.upload_store(reference=application.reference, upload=upload)
    documents.document_add(reference=application.reference, upload=upload, partner=partner)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    """It has the first execution's history, and cannot be reached for the second one's."""
    with lambda_stub(monkeypatch) as stub:
        yield stub


def told(reference: str, form: str = "text") -> str:
    output = StringIO()
    call_command("story", reference, format=form, stdout=output, no_color=True)
    return output.getvalue()


def story(rich: Rich, engine: LambdaStub, form: str) -> str:
    engine.pages.extend([{"Events": EVENTS}, (503, "ServiceException")])
    return told(rich.application.reference, form)


def in_json(rich: Rich, engine: LambdaStub) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(story(rich, engine, "json"))
    return found


# One of each kind of thing, in the order in which they happened: kind, what, who, attempt.
HAPPENED = (
    ("engine", "Step failed: validate", "", 1),
    ("engine", "Step succeeded: validate", "", 1),
    ("person", "The application was created.", "Maple Brokers (partner)", None),
    ("person", "Submitted: 150,000.00 CAD.", "Maple Brokers (partner)", None),
    ("execution", "Execution queued", "", 1),
    ("delivery", "Start an execution: queued", "", 1),
    ("delivery", "Start an execution: a try failed", "", 1),
    ("person", "A document was added: proof of income “a••••”.", "Maple Brokers (partner)", None),
    ("webhook", "Webhook application.submitted: answered 500 (9 characters)", "", None),
    ("application", "Equifax: score 782, a clean record.", "", 1),
    ("callback", "Waits for an answer: fraud_check-1", "", 1),
    ("execution", "Execution ended: failed", "", 1),
    (
        "incident",
        "Fraud check not answered: The fraud check was asked 3 times and did not answer.",
        "",
        None,
    ),
    (
        "application",
        "An answer to fraud_check-1 came too late and was not applied.",
        "",
        None,
    ),
    ("person", "The incident “Fraud check not answered” is looked at.", "operations", None),
    ("person", "Restarted as attempt 2. The service is back.", "operations", None),
    ("execution", "Execution queued", "", 2),
    ("incident", "Fraud check not answered: resolved", "operations", None),
    ("execution", "Execution started", "", 2),
    ("application", "Equifax: score 782, a clean record.", "", 2),
    ("review", "Manager approval: asked for", "", 2),
    ("e-mail", "E-mail: sent", "", None),
    ("person", "Manager approval: claimed.", "manager", None),
    ("person", "Had the contact details shown.", "manager", None),
    ("person", "Manager approval: declined.", "manager", None),
    ("callback", "Answer recorded: manager_approval", "", 2),
    ("delivery", "Answer a callback: sent", "", 2),
    ("incident", "Engine and record disagree: They disagree.", "", None),
    ("person", "The incident “Engine and record disagree” is resolved.", "operations", None),
    ("payout", "Payout requested: 150,000.00 CAD", "", None),
    ("payout", "Payout paid: 150,000.00 CAD", "", None),
)


def test_each_thing_that_happened_is_told_once_and_in_order(rich: Rich, engine: LambdaStub) -> None:
    found = in_json(rich, engine)
    lines = [(x["kind"], x["what"], x["who"], x["attempt"]) for x in found["lines"]]

    assert [lines.count(each) for each in HAPPENED] == [1] * len(HAPPENED)
    places = [lines.index(each) for each in HAPPENED]
    assert places == sorted(places)
    times = [x["at"] for x in found["lines"]]
    assert times == sorted(times)
    assert found["people"] == [
        {"login": "manager", "roles_now": ["Manager"], "active": True},
        {"login": "operations", "roles_now": ["Operations"], "active": True},
    ]
    assert found["request_ids"] == ["request-of-the-partner"]
    resolved = [x["what"] for x in found["lines"] if "resolved" in x["what"]]
    assert len(resolved) == 2  # one with the restart, and one by itself, which is a person's act
    assert found["trace_ids"] == TRACES
    (unread,) = found["not_read"]
    assert unread.startswith(f"{rich.application.reference}-2: The engine cannot be reached now")


def test_facts_say_what_support_needs(rich: Rich, engine: LambdaStub) -> None:
    lines = in_json(rich, engine)["lines"]

    def facts(what: str) -> dict[str, str]:
        (found,) = [x["facts"] for x in lines if x["what"] == what]
        return dict(found)

    assert "EngineUnavailable" in facts("Start an execution: a try failed")["error"]
    failed = facts("Webhook application.submitted: answered 500 (9 characters)")
    assert (failed["try"], failed["endpoint"].partition(" ")[2]) == ("1", "(127.0.0.1)")
    assert facts("E-mail: sent")["to"] == "manager (m••••@e••••.com)"
    assert facts("A document was added: proof of income “a••••”.")["sha256"]
    assert facts("Step failed: validate")["details"] == (
        "after 0.75 s, OperationalError, try 1, again in 2 s"
    )
    assert facts("Payout paid: 150,000.00 CAD") == {"rail reference": "RAIL-1"}
    assert facts("Manager approval: declined.")["reason"] == (
        "A. J., 6••-•••-••01, a••••@e••••.com, earns •••• (SIN ••••); asks her boss."
    )


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_personal_is_told(rich: Rich, engine: LambdaStub, form: str) -> None:
    found = story(rich, engine, form)

    assert [each for each in PERSONAL if re.search(each, found)] == []
    assert "A. J." in found


def test_three_formats_tell_the_same_lines_and_markdown_is_a_table(
    rich: Rich, engine: LambdaStub
) -> None:
    asked = AuditEntry.objects.filter(message__startswith="Read the story")
    whats = [x["what"] for x in in_json(rich, engine)["lines"]]
    text, markdown = (story(rich, engine, form).splitlines() for form in ("text", "markdown"))

    rows = [re.split(r"(?<!\\)\|", row)[1:-1] for row in markdown if row.startswith("|")]
    assert {len(row) for row in rows} == {6}
    shown = [re.sub(r"\\(.)", r"\1", row[3]).strip() for row in rows[2:]]
    assert [what for what in shown if not what.startswith("Read the story")] == whats
    assert markdown[0] == f"# Story of {rich.application.reference}"
    listed = text[text.index("Dates and times are in the time zone America/Toronto.") + 2 :]
    assert len(listed) == len(whats) + 1  # the one that was read before
    others = [line for line in listed if "Read the story" not in line]
    assert [what in line for what, line in zip(whats, others, strict=True)] == [True] * len(whats)
    assert asked.count() == 3


def test_who_asked_is_in_the_audit_log(rich: Rich, engine: LambdaStub) -> None:
    typed = rich.application.reference.removeprefix("LOAN-").lower()

    assert f"Story of {rich.application.reference}" in told(typed)

    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.who, entry.reference) == (
        "viewed",
        host_actor(),
        rich.application.reference,
    )
    assert entry.message == "Read the story of the application (text)."


def test_unknown_reference_is_one_sentence_and_exit_code_one() -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(CommandError, match=NOT_THERE) as raised:
        told("nowhere")

    assert raised.value.returncode == 1
    assert AuditEntry.objects.count() == before


def test_number_of_queries_does_not_grow_with_the_rows(rich: Rich, engine: LambdaStub) -> None:
    with CaptureQueriesContext(connection) as few:
        before = len(story_of(application_of(rich.application.reference)).lines)
    _more_of_each(rich.application)
    with CaptureQueriesContext(connection) as many:
        after = len(story_of(application_of(rich.application.reference)).lines)

    assert after >= before + 14
    assert len(many) == len(few)


def _more_of_each(application: LoanApplication) -> None:
    """Add two rows of each kind, as their tables allow."""
    execution = application.executions.get(attempt=2)
    delivery = WebhookDelivery.objects.filter(event__application=application).earliest("pk")
    now = timezone.now()
    for number in (7, 8):
        AuditEntry.objects.create(action="viewed", message="x", reference=application.reference)
        ApplicationEvent.objects.create(application=application, kind="x", message="x")
        Document.objects.create(
            application=application, kind="other", key=str(number), original_name="x", size=1
        )
        other = Execution.objects.create(
            application=application, attempt=number, name=f"{application.reference}-{number}"
        )
        PendingCallback.objects.create(
            execution=other, name="x", callback_id=f"x{number}", expires_at=now
        )
        OutboxMessage.objects.create(kind="pause_execution", key=f"x{number}", execution=execution)
        Incident.objects.create(kind="stopped", key=f"x{number}", application=application)
        WebhookAttempt.objects.create(delivery=delivery)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ann_lee_boss.pdf and ANN LEE-BOSS", "A. L..pdf and A. L."),
        ("Mrs Boss; the boss of Lee", "Mrs B.; the boss of L."),
        ("85 000, 85000.00 and 85,000 or 185000", "••••, •••• and •••• or 185000"),
    ],
)
def test_words_and_amounts_of_the_applicant_are_masked_as_words(text: str, masked: str) -> None:
    application = LoanApplication(
        applicant_name="Ann Lee-Boss", sin_last4="1111", annual_income=Decimal(85000)
    )
    mask = masking_of(application, files=[])

    assert mask(text) == masked
