"""AWS's plugin for durable functions, which continues the trace that the start carries."""

from aws_durable_execution_sdk_python.plugin import InvocationStartInfo
from aws_durable_execution_sdk_python_otel import (
    ExecutionOtelPluginFactory,
    ExtractedContext,
    OtelPluginConfig,
    Sampling,
    xray_context_extractor,
)
from opentelemetry.sdk.trace import TracerProvider

from core.traces.context import context_of

WORKFLOW = "loan approval"  # the name of the span of a whole execution


def plugin_factory(provider: TracerProvider) -> ExecutionOtelPluginFactory:
    """Make the factory of a handler's plugins; our formatter adds the ids to log lines."""
    return ExecutionOtelPluginFactory(
        OtelPluginConfig(
            tracer_provider=provider,
            context_extractor=from_input,
            workflow_span_name=WORKFLOW,
            enrich_logger=False,
        )
    )


def from_input(info: InvocationStartInfo) -> ExtractedContext | None:
    """Read the ``traceparent`` of an execution's input, which is the same in each invocation.

    Without one, Lambda's own header is used.
    """
    given = info.execution_input
    text = given.get("traceparent", "") if isinstance(given, dict) else ""
    found = context_of(text) if isinstance(text, str) else None
    if found is None:
        return xray_context_extractor(info)
    return ExtractedContext(
        trace_id=found.trace_id,
        parent_span_id=found.span_id,
        sampling=Sampling.SAMPLED if found.trace_flags.sampled else Sampling.NOT_SAMPLED,
    )
