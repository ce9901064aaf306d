"""``manage.py traces``: what a file of spans shows, as text."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, StatusCode

from core.traces.file_exporter import FileSpanExporter

SECOND = 1_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A loan with a step that ran twice, a decision that is linked to it, and a page."""
    path = tmp_path / "traces.jsonl"
    provider = TracerProvider(resource=Resource({"service.name": "loanoffice-engine"}))
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(path)))
    made = maker(provider)
    post = made("POST api/v1/applications/", None, 0, 1, attributes={"http.status_code": 201})
    arn = "arn:aws:lambda:x:1:function:f:1/durable-execution/LOAN-1-1/u"
    loan = made("loan approval", post, 1, 9, attributes={"durable.execution.arn": arn})
    once = made("validate", loan, 1, 2)
    made("validate attempt 1", once, 1, 2)
    twice = made("disbursing", loan, 2, 5)
    made("disbursing attempt 1", twice, 2, 3, error=True)
    made("disbursing attempt 2", twice, 4, 5)
    decision = made("POST decision/", None, 6, 7)
    made("outbox answer_callback", loan, 6, 7, links=[Link(decision.get_span_context())])
    made("GET admin/", None, 8, 9)
    provider.shutdown()
    return path


def maker(provider: TracerProvider) -> Callable[..., Span]:
    tracer = provider.get_tracer("test")

    def made(
        name: str, parent: Span | None, start: int, end: int, *, error: bool = False, **more: object
    ) -> Span:
        context = None if parent is None else trace.set_span_in_context(parent)
        span = tracer.start_span(name, context, start_time=start * SECOND, **more)  # type: ignore[arg-type]
        assert isinstance(span, Span)
        span.set_status(StatusCode.ERROR if error else StatusCode.UNSET)
        span.end(end * SECOND)
        return span

    return made


def traces(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("traces", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_list_has_the_traces_of_several_spans(file: Path) -> None:
    line, rest = traces(str(file))
    assert line.endswith("   8 spans     9.00 s  POST api/v1/applications/")
    assert rest == "and 2 of one span each"


def test_trace_is_a_tree_with_what_it_is_linked_to(file: Path) -> None:
    head, *lines = traces(str(file), "--application", "LOAN-1")
    trace_id = head.split()[0]
    assert traces(str(file), "--trace", trace_id) == [head, *lines]
    decision = lines[8].split()[0]
    assert lines == [
        "     0 ms    1.00 s  POST api/v1/applications/  (engine, 201)",
        "   1.00 s    8.00 s  └─ loan approval  (engine)",
        "   1.00 s    1.00 s     ├─ validate  (engine)",  # with its only attempt
        "   2.00 s    3.00 s     ├─ disbursing  (engine)",
        "   2.00 s    1.00 s     │  ├─ disbursing attempt 1  (engine, error)",
        "   4.00 s    1.00 s     │  └─ disbursing attempt 2  (engine)",
        f"   6.00 s    1.00 s     └─ outbox answer_callback  (engine, linked to {decision})",
        "",
        f"{decision}     1 spans     1.00 s  POST decision/",
        "     0 ms    1.00 s  POST decision/  (engine)",
    ]


def test_what_is_not_there_is_one_sentence(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no trace of LOAN-2"):
        traces(str(file), "--application", "LOAN-2")
    with pytest.raises(CommandError, match="No such file"):
        traces(str(tmp_path / "other.jsonl"))
    (tmp_path / "text").write_text("Not a span\n")
    with pytest.raises(CommandError, match="'Not a span' is no span"):
        traces(str(tmp_path / "text"))
