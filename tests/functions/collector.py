"""A collector of OpenTelemetry on loopback: it decodes what OTLP over HTTP sends."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from devtools.loopback_server import LoopbackServer


@dataclass(frozen=True)
class Collected:
    """One span as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    links: frozenset[str]  # trace ids
    attributes: dict[str, str]
    everything: str = field(repr=False)  # the whole span as text


class Collector:
    """The spans that arrived."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = LoopbackServer(Handler)

    @property
    def url(self) -> str:
        return self.server.url

    def take(self, path: str, request: ExportTraceServiceRequest) -> None:
        assert path == "/v1/traces"
        for resource in request.resource_spans:
            for said in resource.resource.attributes:
                if said.key == "service.name":
                    self.services.add(said.value.string_value)
            for scope in resource.scope_spans:
                self.spans += [collected(span) for span in scope.spans]

    def trace(self, trace_id: str) -> list[Collected]:
        return [span for span in self.spans if span.trace_id == trace_id]


def collected(span: Span) -> Collected:
    return Collected(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        links=frozenset(link.trace_id.hex() for link in span.links),
        attributes={said.key: value_of(said.value) for said in span.attributes},
        everything=str(span),
    )


def value_of(value: Any) -> str:
    return str(getattr(value, value.WhichOneof("value")))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector until the block ends."""
    collector = Collector()
    collector.server.start()
    try:
        yield collector
    finally:
        collector.server.stop()
