"""Count what happens as CloudWatch metrics: Powertools' lines in the embedded metric format (EMF).

``METRICS`` is the one table. A metric has the dimensions ``service`` and ``stage``, and beside that
total one series for each value of ``by``: never a reference, a name or a partner's id. What the
record says is counted by ``record`` in the transaction that writes it, and leaves after its commit:
a step that runs again writes nothing, so it counts nothing either. What happens outside of any
transaction is counted by ``emit``.

``LOANOFFICE_METRICS`` says where the lines go: ``stdout``, as Lambda wants it, a file, or nowhere.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from django.conf import settings
from django.db import transaction

NAMESPACE = "LoanOffice"
STDOUT = "stdout"


class Metric(NamedTuple):
    """A metric: its name in CloudWatch, its unit, and the further dimensions that it may have."""

    name: str
    unit: MetricUnit = MetricUnit.Count
    by: tuple[str, ...] = ()


APPLICATIONS_SUBMITTED = Metric("ApplicationsSubmitted", by=("channel",))
DECISIONS_TAKEN = Metric("DecisionsTaken", by=("kind", "outcome"))
APPROVALS_PROCESSED = Metric("ApprovalsProcessed")
APPLICATIONS_FUNDED = Metric("ApplicationsFunded")
APPLICATIONS_DECLINED = Metric("ApplicationsDeclined")
APPLICATIONS_EXPIRED = Metric("ApplicationsExpired")
TIME_TO_DECISION = Metric("TimeToDecision", MetricUnit.Seconds)
TIME_TO_FUNDED = Metric("TimeToFunded", MetricUnit.Seconds)
OUTBOX_PENDING = Metric("OutboxPending")
OUTBOX_OLDEST_SECONDS = Metric("OutboxOldestSeconds", MetricUnit.Seconds)
INCIDENTS_OPEN = Metric("IncidentsOpen")
TASKS_OVERDUE = Metric("TasksOverdue")
SWEEP_RAN = Metric("SweepRan")
DELIVERY_FAILURES = Metric("DeliveryFailures", by=("kind",))
PROVIDER_LATENCY = Metric("ProviderLatency", MetricUnit.Milliseconds, by=("provider",))
PROVIDER_ERRORS = Metric("ProviderErrors", by=("provider",))
WEBHOOK_LATENCY = Metric("WebhookLatency", MetricUnit.Milliseconds)
WEBHOOK_FAILURES = Metric("WebhookFailures")
COLD_START = Metric("ColdStart", by=("function",))

METRICS = tuple(each for each in list(globals().values()) if isinstance(each, Metric))

type Values = Mapping[Metric, float]

_writing = threading.Lock()


def record(values: Values, **by: str) -> None:
    """Count what the present transaction writes, once it is committed; at once outside of one.

    ``by`` are the further dimensions of all these metrics.
    """
    if settings.LOANOFFICE_METRICS:
        transaction.on_commit(partial(emit, values, **by), robust=True)


def emit(values: Values, **by: str) -> None:
    """Write the line of some metrics now. Raises ``ValueError`` for another dimension."""
    if not settings.LOANOFFICE_METRICS:
        return
    line = _line(values, by)
    with _writing:
        if settings.LOANOFFICE_METRICS == STDOUT:
            sys.stdout.write(line)
            sys.stdout.flush()
        else:
            with Path(settings.LOANOFFICE_METRICS).open("a") as file:
                file.write(line)


@contextmanager
def provider_measured(provider: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Measure one call of a provider; ``errors`` are those that mean that it did not answer."""
    began = time.monotonic()
    failed = False
    try:
        yield
    except errors:
        failed = True
        raise
    finally:
        took = round((time.monotonic() - began) * 1000)
        emit(
            {PROVIDER_LATENCY: took, **({PROVIDER_ERRORS: 1} if failed else {})}, provider=provider
        )


def _line(values: Values, by: Mapping[str, str]) -> str:
    made = EphemeralMetrics(namespace=NAMESPACE, service=settings.LOANOFFICE_SERVICE)
    common = {"service": settings.LOANOFFICE_SERVICE, "stage": settings.LOANOFFICE_STAGE}
    for name, said in common.items():
        made.add_dimension(name, said)
    for metric, value in values.items():
        if by.keys() != set(metric.by):
            raise ValueError(f"{metric.name} is counted by {metric.by}, not by {tuple(by)}")
        made.add_metric(metric.name, metric.unit, value)
    if by:
        made.add_dimensions(**common, **by)
    return json.dumps(made.serialize_metric_set(), separators=(",", ":")) + "\n"
