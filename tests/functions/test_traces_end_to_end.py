"""The trace of a loan through the processes that carry it, with kills of the engine in between."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User

from core.traces import provider, spans
from partners.models import Partner
from tests.functions.collector import Collected, Collector, collecting
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from tests.functions.test_traces import assert_connected
from tests.sizes import LONG
from tests.waiting import eventually
from tests.webhooks.receiver import Receiver, receiving
from webhooks.endpoints import endpoint_create
from workflows.models import Execution, PendingCallback

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
    pytest.mark.long,
    pytest.mark.skipif(not LONG, reason="test_traces has the same without kills: in the long run"),
]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that this process, which is the web server and the sweep, sends its spans to."""
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "web")
        tracing = provider.start(provider.OTLP)
        assert tracing is not None
        yield found
        provider.stop(tracing)


@pytest.fixture
def receiver(partner: Partner) -> Iterator[Receiver]:
    with receiving() as found:
        endpoint_create(partner=partner, url=found.url)
        yield found


def trace_of(collector: Collector, reference: str) -> list[Collected]:
    execution = Execution.objects.get(application__reference=reference)
    return collector.trace(spans.trace_id_of(execution.traceparent))


def until_collected(collector: Collector, reference: str, *names: str) -> None:
    eventually(
        lambda: {*names} <= {span.name for span in trace_of(collector, reference)},
        what=f"spans {names} arrive",
    )


def test_trace_stays_one_tree_while_the_engine_is_killed_at_each_wait(
    running: Callable[..., EngineProcess],
    collector: Collector,
    receiver: Receiver,
    office: Office,
    manager: User,
) -> None:
    process = running(OTEL_SERVICE_NAME="engine")
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    until_collected(collector, reference, "open_manager_approval")
    process.kill()
    office.decide(reference, manager, approved=True)  # nobody is there to hear it
    process.environment["LOANOFFICE_SIMULATED_LATENCY"] = "2"
    process.start()
    deliver_what_waits()
    # A kill takes with it what was not exported yet, at most the last second.
    until_collected(collector, reference, "manager_approval", "request_fraud_check-1")
    assert PendingCallback.objects.get(name="fraud_check-1").status == "open"
    process.kill()  # in the middle of the fraud check
    process.environment["LOANOFFICE_SIMULATED_LATENCY"] = "0"
    process.start()
    office.until(reference, status="funded")
    assert_funded_once(reference)
    deliver_what_waits()
    assert len(receiver.received) == 4
    process.stop()
    until_collected(collector, reference, "loan approval", "outbox webhook")
    eventually(lambda: len(named(collector, reference, "outbox webhook")) == 4)

    trace = trace_of(collector, reference)
    assert collector.services == {"web", "engine"}
    # On PostgreSQL a statement is a span, that of the killed fraud check, too.
    assert_connected(trace, root="POST api/v1/applications/", lost=["SELECT"])
    (workflow,) = named(collector, reference, "loan approval")
    operations = {span.name for span in trace if span.parent_id == workflow.span_id}
    assert operations >= {
        "validate",
        "credit_check",
        "risk_assessment",
        "manager_approval",
        "fraud_check-1",
        "generating_offer",
        "disbursing",
    }
    # The decision and its delivery name each other's trace.
    (decision,) = (span for span in collector.spans if span.name.endswith("decision/"))
    answers = named(collector, reference, "outbox answer_callback")
    assert decision.links == {workflow.trace_id}
    assert any(decision.trace_id in answer.links for answer in answers)


def named(collector: Collector, reference: str, name: str) -> list[Collected]:
    return [span for span in trace_of(collector, reference) if span.name == name]


def test_collector_that_is_not_there_stops_no_loan(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    process = running(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    reference = office.submit("charlie")
    office.until(reference, status="funded")
    assert_funded_once(reference)
    process.stop()
