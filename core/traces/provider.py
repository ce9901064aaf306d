"""Switch traces on: a provider with its exporter, the instrumentations, and what spans do.

Imported only when the settings say where spans go (``LOANOFFICE_TRACES``). On Lambda the ADOT layer
has made provider and exporter; elsewhere they are made here.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, override

from aws_durable_execution_sdk_python.plugin import DurableInstrumentationPluginFactory
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind

from core.traces import spans
from core.traces.context import InwardPropagator, context_of, contexts_of, traceparent_of
from core.traces.durable import plugin_factory
from core.traces.file_exporter import FileSpanExporter
from core.traces.privacy import PrivacyProcessor

logger = logging.getLogger(__name__)

FILE, LAYER, OTLP = "file", "layer", "otlp"
SCHEDULE = 1_000  # milliseconds until a span is exported; a process that is killed loses them
EXCLUDED_URLS = "/health/,/static/"
# Each imports what it instruments, so they are imported when they are used.
BOTOCORE = "opentelemetry.instrumentation.botocore.BotocoreInstrumentor"
DJANGO = "opentelemetry.instrumentation.django.DjangoInstrumentor"
PSYCOPG = "opentelemetry.instrumentation.psycopg.PsycopgInstrumentor"
URLLIB3 = "opentelemetry.instrumentation.urllib3.URLLib3Instrumentor"


class Instrumentor(Protocol):
    """The part of an instrumentation that is used here."""

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Return whether it makes spans now."""

    def instrument(self, **options: Any) -> Any:
        """Begin to make spans."""

    def uninstrument(self, **options: Any) -> Any:
        """Make no more."""


class RootSampler(Sampler):
    """Begin no trace with a call to something outside.

    The sweep looks for work every two seconds; its statements belong to no loan.
    """

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        *args: Any,
        **more: Any,
    ) -> SamplingResult:
        """Sample what we do ourselves."""
        sampler = ALWAYS_OFF if kind is SpanKind.CLIENT else ALWAYS_ON
        return sampler.should_sample(parent_context, trace_id, name, kind, *args, **more)

    @override
    def get_description(self) -> str:
        """Describe it to OpenTelemetry."""
        return "RootSampler"


class BackgroundProvider(TracerProvider):
    """A provider that is flushed when the process stops, not by those who wait for it.

    AWS's plugin flushes at the end of each invocation, as Lambda may freeze the process then. Here
    nothing is frozen, and a collector that does not answer must not stop a loan.
    """

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Leave it to the thread that exports."""
        return True


class Tracing:
    """The spans of this process: what ``core.traces.spans`` hands on."""

    def __init__(
        self, provider: TracerProvider, instrumentors: Sequence[Instrumentor] = ()
    ) -> None:
        self.provider = provider
        self.instrumentors = instrumentors
        self._tracer = provider.get_tracer("loanoffice")

    def traceparent(self) -> str:
        """Return the current span as W3C writes it."""
        return traceparent_of(trace.get_current_span().get_span_context())

    @contextmanager
    def span(
        self, name: str, *, parent: str, links: Iterable[str], attributes: Mapping[str, str | int]
    ) -> Iterator[None]:
        """Make a span current: see ``spans.span``."""
        remote, here = context_of(parent), trace.get_current_span().get_span_context()
        linked = contexts_of(links)
        context = None
        if remote is not None:
            context = trace.set_span_in_context(
                NonRecordingSpan(remote), otel_context.get_current()
            )
            if here.is_valid and here.trace_id != remote.trace_id:
                linked.append(here)
        with self._tracer.start_as_current_span(
            name,
            context=context,
            links=[Link(each) for each in linked],
            attributes=_named(attributes),
        ):
            yield

    def link(self, traceparents: Iterable[str]) -> None:
        """Link the current span to others of other traces."""
        span = trace.get_current_span()
        here = span.get_span_context()
        for context in contexts_of(traceparents):
            if context.trace_id != here.trace_id:
                span.add_link(context)

    def note(self, attributes: Mapping[str, str | int]) -> None:
        """Set attributes of the current span."""
        trace.get_current_span().set_attributes(_named(attributes))

    def durable_plugins(self) -> list[DurableInstrumentationPluginFactory]:
        """Return the plugin of a durable handler."""
        return [plugin_factory(self.provider)]


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"loanoffice.{name}": value for name, value in attributes.items()}


def start(destination: str, *, file: Path | None = None) -> Tracing | None:
    """Switch traces on; returns ``None`` when the layer that should do the rest is not there.

    ``destination`` is ``OTLP``, ``FILE`` or ``LAYER``.
    """
    if destination == LAYER:
        found = trace.get_tracer_provider()
        if not isinstance(found, TracerProvider) or not hasattr(SpanProcessor, "_on_ending"):
            logger.warning("No traces: the layer has no OpenTelemetry SDK that we can use")
            return None
        found.add_span_processor(PrivacyProcessor())
        propagate.set_global_textmap(InwardPropagator(propagate.get_global_textmap()))
        return switch_on(found)
    if destination == FILE and file is not None:
        return switch_on(provider_of(FileSpanExporter(file)))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow
        OTLPSpanExporter,
    )

    return switch_on(provider_of(OTLPSpanExporter()))


def provider_of(exporter: SpanExporter) -> TracerProvider:
    """Make a provider that exports in the background, and when the process ends."""
    provider = BackgroundProvider(sampler=ParentBased(RootSampler()))
    provider.add_span_processor(PrivacyProcessor())
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SCHEDULE))
    propagate.set_global_textmap(InwardPropagator())
    return provider


def switch_on(provider: TracerProvider) -> Tracing:
    """Instrument Django, botocore, urllib3 and psycopg, and let ``spans`` work."""
    tracing = Tracing(provider, _instrumented(provider))
    spans.switch(tracing)
    return tracing


def stop(tracing: Tracing) -> None:
    """Switch traces off again and export what is left."""
    spans.switch(None)
    for instrumentor in tracing.instrumentors:
        instrumentor.uninstrument()
    tracing.provider.shutdown()


def _instrumented(provider: TracerProvider) -> list[Instrumentor]:
    """Instrument what is used; a layer that lacks one of these traces the rest."""
    statements = settings.LOANOFFICE_TRACE_STATEMENTS and connections["default"].vendor
    options: dict[str, dict[str, Any]] = {
        DJANGO: {"excluded_urls": EXCLUDED_URLS},
        BOTOCORE: {"request_hook": _payload_kept},
        URLLIB3: {},
        **({PSYCOPG: {}} if statements == "postgresql" else {}),
    }
    instrumentors: list[Instrumentor] = []
    for path, more in options.items():
        try:
            instrumentor: Instrumentor = import_string(path)()
        except ImportError as error:
            logger.warning("Not traced", extra={"instrumentation": path}, exc_info=error)
            continue
        if instrumentor.is_instrumented_by_opentelemetry:  # by the layer, without what we need
            instrumentor.uninstrument()
        instrumentor.instrument(tracer_provider=provider, skip_dep_check=True, **more)
        instrumentors.append(instrumentor)
    return instrumentors


def _payload_kept(
    _span: object,
    service: str,
    operation: str,
    parameters: dict[str, Any],
) -> None:
    """Take out what the instrumentation has put into the payload of an invocation.

    It adds ``headers`` to it. A durable execution is started with the same payload each time, or
    Lambda refuses the second.
    """
    if (service, operation) == ("lambda", "Invoke") and "Payload" in parameters:
        payload = json.loads(parameters["Payload"])
        if isinstance(payload, dict):
            payload.pop("headers", None)
            parameters["Payload"] = json.dumps(payload, sort_keys=True).encode()
