"""One loan is one trace, from the partner's POST to the webhook, without personal data."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aws_durable_execution_sdk_python import durable_execution
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from applications.choices import Bureau
from applications.models import LoanApplication
from core.traces import provider, spans
from functions import loan_approval
from partners.models import Partner
from reviews.choices import TaskKind
from tests.casework import ALICE
from tests.functions.collector import Collected, Collector, collecting
from tests.functions.office import Office, deliver_what_waits
from tests.functions.test_loan_approval import open_task
from tests.functions.wire import wire
from tests.webhooks.receiver import receiving
from tests.workflows.lambda_stub import LambdaStub
from webhooks.endpoints import endpoint_create
from workflows import engine
from workflows.models import Execution, PendingCallback

pytestmark = pytest.mark.django_db(transaction=True)

THEIRS = "00-11111111111111111111111111111111-2222222222222222-00"
TOKEN = "a-token-of-a-callback"
# What a partner or a person entered, or may see, in whatever way a span might show it; digits only
# where they are no part of an id or of a time.
PERSONAL = re.compile(
    rf"alice|johnson|maple|613-555|example\.com|{TOKEN}|(?<![\w.-])(?:85000|150000)(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Traces:
    """Traces of this process, which a collector gets."""

    tracing: provider.Tracing
    collector: Collector

    def collected(self) -> list[Collected]:
        """Switch traces off, and return every span that was made."""
        provider.stop(self.tracing)
        return self.collector.spans


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """Traces are on in this process and go to a collector, over HTTP, until the test ends."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing = provider.start(provider.OTLP)
        assert tracing is not None
        body = getattr(loan_approval.handler, "__wrapped__")  # noqa: B009 - the decorator's
        handler = durable_execution(body, plugins=spans.durable_plugins())
        monkeypatch.setattr(loan_approval, "handler", handler)
        yield Traces(tracing, collector)
        if spans.is_on():
            provider.stop(tracing)


def named(found: Iterable[Collected], name: str) -> list[Collected]:
    return [span for span in found if span.name == name]


def assert_connected(trace: list[Collected], *, root: str, lost: Iterable[str] = ()) -> None:
    """One tree: each span but the root has its parent in the trace.

    ``lost`` names those below a span that was still open when its process was killed.
    """
    known = {span.span_id for span in trace}
    assert [span.name for span in trace if not span.parent_id] == [root]
    orphans = {span.name for span in trace if span.parent_id and span.parent_id not in known}
    assert orphans <= {*lost}


@pytest.mark.both_databases
def test_one_loan_is_one_trace_without_personal_data(
    monkeypatch: pytest.MonkeyPatch,
    traces: Traces,
    partner: Partner,
    partner_key: str,
    manager: User,
) -> None:
    office, staff = Office(partner_key), Client()
    staff.force_login(manager)
    with receiving() as receiver, wire(monkeypatch) as aws:
        endpoint_create(partner=partner, url=receiver.url)
        response = office.partner.post(
            "/api/v1/applications/",
            {name: str(value) for name, value in ALICE.items()},
            content_type="application/json",
            headers={"traceparent": THEIRS, "baggage": "who=Alice"},
        )
        assert response.status_code == 201, response.content
        application = LoanApplication.objects.get()
        open_task(application, TaskKind.MANAGER_APPROVAL)
        assert staff.get("/admin/reviews/reviewtask/", {"q": "Alice Johnson"}).status_code == 200
        assert staff.post(f"/callbacks/{TOKEN}/").status_code == 404
        office.decide(application.reference, manager, approved=True)
        aws.result(f"{application.reference}-1")
        deliver_what_waits()
        asked = [(path, body) for path, body in aws.requests if "invocations" in path]
    found = traces.collected()
    execution = Execution.objects.get()
    loan = spans.trace_id_of(execution.traceparent)
    trace = [span for span in found if span.trace_id == loan]

    # One tree of everything that was done for the loan, under an id of our own.
    assert loan not in {"", spans.trace_id_of(THEIRS)}
    assert_connected(trace, root="POST api/v1/applications/")
    kinds = Counter(span.name for span in trace)
    assert kinds["outbox webhook"] == len(receiver.received) == 4
    assert {span.attributes["loanoffice.status"] for span in named(trace, "outbox webhook")} == {
        "204"
    }
    assert kinds["outbox answer_callback"] == 2
    for name in ("outbox start_execution", "loan approval", "fraud check", "disbursing"):
        assert kinds[name] == 1, name
    assert kinds.keys() >= {f"{bureau} attempt 1" for bureau in Bureau.values}

    # The decision is a request of its own, and each of the two is linked to the other.
    (decision,) = (span for span in found if span.name.endswith("decision/"))
    assert decision.links == {loan}
    assert decision.trace_id in {
        linked for span in named(trace, "outbox answer_callback") for linked in span.links
    }

    if connection.vendor == "postgresql":  # each statement is a span, by its table alone
        tables = {span.attributes.get("db.collection.name") for span in named(trace, "INSERT")}
        assert tables >= {"applications_loanapplication", "workflows_execution"}
        assert not [span for span in named(found, "SELECT") if not span.parent_id]

    # A step has a current span on the thread of its connection, too, which log lines name.
    steps = {span.span_id: span.name for span in trace}
    written = PendingCallback.objects.values_list("name", "traceparent")
    assert {name: steps[parent.split("-")[2]] for name, parent in written} == {
        "manager_approval": "open_manager_approval attempt 1",
        "fraud_check-1": "request_fraud_check-1 attempt 1",
    }

    # The payload is the same at each start, and nobody outside gets an id of ours.
    assert asked[0][1] == {
        "application": application.reference,
        "attempt": 1,
        "request_id": execution.request_id,
        "traceparent": execution.traceparent,
    }
    assert asked[1][1].keys() == {
        "application",
        "callback_id",
        "execution",
        "request_id",
        "traceparent",
    }
    assert not [hook for hook in receiver.received if hook.headers.keys() & {"traceparent"}]

    everything = "\n".join(span.everything for span in found)
    assert PERSONAL.findall(everything) == []
    values = {value for span in found for value in span.attributes.values()}
    assert not values & {ALICE["sin_last4"], "127.0.0.1:80"}


def test_what_fails_says_which_exception_it_was_and_nothing_of_its_text(traces: Traces) -> None:
    with pytest.raises(ValueError, match="Alice"), spans.span("a step"):
        raise ValueError("Alice Johnson has no income")
    (span,) = traces.collected()
    assert "ValueError" in span.everything
    assert "Alice" not in span.everything
    assert "code: STATUS_CODE_ERROR" in span.everything


def test_a_request_makes_no_span_when_only_its_health_is_asked(traces: Traces) -> None:
    assert Client().get("/health/live/").status_code == 200
    assert traces.collected() == []


def test_layer_without_an_sdk_switches_nothing_on(caplog: pytest.LogCaptureFixture) -> None:
    assert provider.start(provider.LAYER) is None
    assert not spans.is_on()
    assert "the layer has no OpenTelemetry SDK" in caplog.text


def test_spans_of_the_layer_are_reduced_and_its_instrumentation_keeps_the_payload(
    monkeypatch: pytest.MonkeyPatch, aws: LambdaStub
) -> None:
    exporter, layer = InMemorySpanExporter(), TracerProvider()
    layer.add_span_processor(SimpleSpanProcessor(exporter))  # before ours
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: layer)
    BotocoreInstrumentor().instrument(tracer_provider=layer)
    tracing = provider.start(provider.LAYER)
    assert tracing is not None
    with layer.get_tracer("of the layer").start_as_current_span(
        "handler",
        attributes={"faas.name": "web", "url.query": "q=Alice", "aws.is.local.root": True},
    ):
        engine.invoke_event(function="fraud-check:live", payload={"callback_id": "C"})
    provider.stop(tracing)
    made = {span.name: dict(span.attributes or {}) for span in exporter.get_finished_spans()}
    assert made["handler"] == {"faas.name": "web", "aws.is.local.root": True}
    assert made["Lambda.Invoke"]["faas.invoked_name"] == "fraud-check"
    assert [body for _, _, body in aws.requests] == [{"callback_id": "C"}]


@pytest.mark.both_databases
def test_layer_that_lacks_an_instrumentation_or_everything_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.urllib3", None)
    tracing = provider.switch_on(provider.provider_of(InMemorySpanExporter()))
    provider.stop(tracing)
    assert len(tracing.instrumentors) == (3 if connection.vendor == "postgresql" else 2)
    assert "Not traced" in caplog.text

    settings.LOANOFFICE_TRACES = provider.LAYER
    monkeypatch.setitem(sys.modules, "core.traces.provider", None)
    monkeypatch.delattr("core.traces.provider")
    apps.get_app_config("core").ready()
    assert not spans.is_on()
    assert "OpenTelemetry is not there" in caplog.text
