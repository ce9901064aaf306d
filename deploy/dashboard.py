"""The dashboard of a stage: what the office does, what waits, what fails; its functions. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from deploy.alarms import LAMBDA, PRODUCT, SERVICE, Function

WIDTH, HEIGHT, COLUMNS = 8, 6, 24  # in the dashboard's own units
PERIOD = 300
MARK = "Made by the deploy of {prefix}; changes are overwritten."

# Title, statistic and metrics of each picture about the product.
PICTURES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Applications submitted", "Sum", ("ApplicationsSubmitted",)),
    ("Decisions", "Sum", ("DecisionsTaken", "ApprovalsProcessed")),
    ("Ends", "Sum", ("ApplicationsFunded", "ApplicationsDeclined", "ApplicationsExpired")),
    ("Time to decision and to funding", "p50", ("TimeToDecision", "TimeToFunded")),
    ("Outbox: oldest message, seconds", "Maximum", ("OutboxOldestSeconds",)),
    ("Outbox: messages", "Maximum", ("OutboxPending",)),
    ("Incidents and overdue reviews", "Maximum", ("IncidentsOpen", "TasksOverdue")),
    ("Failed deliveries and webhooks", "Sum", ("DeliveryFailures", "WebhookFailures")),
    ("Errors of providers", "Sum", ("ProviderErrors",)),
    ("Latency of providers and webhooks, ms", "p95", ("ProviderLatency", "WebhookLatency")),
    ("Sweeps", "Sum", ("SweepRan",)),
    ("Cold starts", "Sum", ("ColdStart",)),
)
# The metrics that are shown in parts, by these dimensions; the others as one line each.
BY: dict[str, tuple[str, ...]] = {
    "ApplicationsSubmitted": ("channel",),
    "DecisionsTaken": ("kind", "outcome"),
    "DeliveryFailures": ("kind",),
    "ProviderErrors": ("provider",),
    "ProviderLatency": ("provider",),
    "ColdStart": ("function",),
}
OF_FUNCTIONS = (
    ("Invocations", "Sum"),
    ("Errors", "Sum"),
    ("Throttles", "Sum"),
    ("Duration", "p95"),
    ("ConcurrentExecutions", "Maximum"),
)
OF_EXECUTIONS = (
    "DurableExecutionStarted",
    "DurableExecutionSucceeded",
    "DurableExecutionFailed",
    "DurableExecutionTimedOut",
    "DurableExecutionStopped",
)


def dashboard_of(
    *,
    prefix: str,
    stage: str,
    region: str,
    functions: dict[str, Function],
    durable: Sequence[str],
    alarms: Sequence[str],
) -> str:
    """Return the body of the dashboard as JSON, the same for the same stage.

    ``alarms`` are the ARNs of the stage's alarms, ``durable`` the whole names of the functions
    that have executions.
    """
    mark: dict[str, Any] = {
        "type": "text",
        "properties": {"markdown": f"# {prefix}\n{MARK.format(prefix=prefix)}"},
    }
    states = {"type": "alarm", "properties": {"title": "Alarms", "alarms": sorted(alarms)}}
    widgets = [mark, states] if alarms else [mark]
    pictures = [
        _metrics(title, region, [_of_product(stage, metric, statistic) for metric in metrics])
        for title, statistic, metrics in PICTURES
    ]
    pictures += [
        _metrics(
            f"Functions: {metric}",
            region,
            [_of_function(metric, each.whole_name, statistic) for each in functions.values()],
        )
        for metric, statistic in OF_FUNCTIONS
    ]
    pictures += [
        _metrics(
            f"Executions of {function}",
            region,
            [_of_function(metric, function, "Sum") for metric in OF_EXECUTIONS],
        )
        for function in durable
    ]
    for number, widget in enumerate(widgets):
        widget |= {"x": 0, "y": 3 * number, "width": COLUMNS, "height": 3}
    below = 3 * len(widgets)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, COLUMNS // WIDTH)
        picture |= {"x": column * WIDTH, "y": below + row * HEIGHT}
        picture |= {"width": WIDTH, "height": HEIGHT}
    return json.dumps({"widgets": [*widgets, *pictures]}, sort_keys=True)


def is_ours(body: str, *, prefix: str) -> bool:
    """Tell whether the deploy made a dashboard with this body."""
    return MARK.format(prefix=prefix) in body


def _metrics(title: str, region: str, metrics: list[list[Any]]) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "period": PERIOD,
            "metrics": metrics,
        },
    }


def _of_product(stage: str, metric: str, statistic: str) -> list[Any]:
    """Return a metric of the product, or a search for its parts, which are known when drawn."""
    if metric not in BY:
        return [PRODUCT, metric, "service", SERVICE, "stage", stage, {"stat": statistic}]
    schema = ",".join((PRODUCT, "service", "stage", *BY[metric]))
    what = f'{{{schema}}} MetricName="{metric}" service="{SERVICE}" stage="{stage}"'
    return [{"expression": f"SEARCH('{what}', '{statistic}', {PERIOD})", "label": metric}]


def _of_function(metric: str, function: str, statistic: str) -> list[Any]:
    return [LAMBDA, metric, "FunctionName", function, {"stat": statistic}]
