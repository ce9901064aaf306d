"""The alarms of a stage: one table, which the deploy makes and the runbook lists. Pure.

Each row is one alarm, or one for each of its functions. Its threshold is named here and has its
value in ``monitoring`` of the stage in ``zappa_settings.json``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PRODUCT, LAMBDA = "LoanOffice", "AWS/Lambda"
SERVICE = "loanoffice"  # the dimension ``service`` of the product's metrics
WEB, LOAN, FRAUD, MANAGE = "web", "loan-approval", "fraud-check", "manage"
ALL = (WEB, LOAN, FRAUD, MANAGE)
QUIET, LOUD = "notBreaching", "breaching"  # what missing data mean
# What CloudWatch Logs takes.
RETENTIONS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922}
    | {3288, 3653}
)
MONITORING = "monitoring"
RETENTION, TOPIC, THRESHOLDS = "log_retention_days", "alarm_topic", "thresholds"
PERCENT_OF_TIMEOUT = "duration_percent"  # of the function's own timeout; CloudWatch has ms


@dataclass(frozen=True)
class Alarm:
    """A row: when ``statistic`` of ``metric`` in each of ``periods`` passes the threshold.

    ``threshold`` is the key of its value. It is passed at or above it, or below it with
    ``is_below``. ``meaning`` says what to do, in the alarm and in the runbook. An alarm with
    ``functions`` is made for each of them.
    """

    name: str
    metric: str
    statistic: str
    period: int  # seconds
    threshold: str
    missing: str
    meaning: str
    periods: int = 1
    is_below: bool = False
    functions: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return LAMBDA if self.functions else PRODUCT


ALARMS = (
    Alarm(
        "errors",
        "Errors",
        "Sum",
        300,
        "errors",
        QUIET,
        "the function fails: search its log by `request_id`; roll back if it began with an update",
        functions=(WEB, FRAUD),
    ),
    Alarm(
        "errors",
        "Errors",
        "Sum",
        300,
        "workflow_errors",
        QUIET,
        "an invocation failed and is not repeated by itself: its log says why; of a workflow, the "
        "incident of its application says it too",
        functions=(LOAN, MANAGE),
    ),
    Alarm(
        "throttles",
        "Throttles",
        "Sum",
        300,
        "throttles",
        QUIET,
        "raise the concurrency, or find out who sends so many requests",
        functions=ALL,
    ),
    Alarm(
        "duration",
        "Duration",
        "Maximum",
        300,
        PERCENT_OF_TIMEOUT,
        QUIET,
        "an invocation came near its timeout: the database or a provider is slow; `manage` is "
        "slow when it migrates or verifies much",
        functions=ALL,
    ),
    Alarm(
        "executions-failed",
        "DurableExecutionFailed",
        "Sum",
        300,
        "executions_failed",
        QUIET,
        "a step used up its retries: the incident of its application says why; restart the "
        "application from there",
        functions=(LOAN,),
    ),
    Alarm(
        "executions-timed-out",
        "DurableExecutionTimedOut",
        "Sum",
        300,
        "executions_timed_out",
        QUIET,
        "a wait exceeded the execution timeout: the reconciler expires the application; check "
        "`workflows.E001` (`manage.py check --database default`)",
        functions=(LOAN,),
    ),
    Alarm(
        "sweep-absent",
        "SweepRan",
        "Sum",
        300,
        "sweeps",
        LOUD,
        "nothing is retried or expired: `zappa schedule STAGE`; run `zappa invoke STAGE "
        "workflows.sweep.sweep` manually",
        is_below=True,
    ),
    Alarm(
        "outbox-old",
        "OutboxOldestSeconds",
        "Maximum",
        60,
        "outbox_oldest_seconds",
        QUIET,
        "the engine, the mail server or the network is unreachable: delivery continues by itself "
        "when it is back; messages that were given up are incidents",
        periods=3,
    ),
    Alarm(
        "incidents-open",
        "IncidentsOpen",
        "Minimum",
        3600,
        "incidents_open",
        QUIET,
        "for a day there was an open incident at every moment: the Incidents page names the "
        "action to take",
        periods=24,
    ),
    Alarm(
        "tasks-overdue",
        "TasksOverdue",
        "Minimum",
        3600,
        "tasks_overdue",
        QUIET,
        "reviews are decided too late: *My approvals* shows them; who is away delegates",
    ),
    Alarm(
        "delivery-failures",
        "DeliveryFailures",
        "Sum",
        300,
        "delivery_failures",
        QUIET,
        "tries to reach the engine or the mail server fail; each is repeated: Outgoing messages "
        "shows the errors",
    ),
    Alarm(
        "webhook-failures",
        "WebhookFailures",
        "Sum",
        300,
        "webhook_failures",
        QUIET,
        "partners' receivers fail; each try is repeated for three days: Webhook deliveries shows "
        "whose",
        periods=3,
    ),
    Alarm(
        "provider-errors",
        "ProviderErrors",
        "Sum",
        300,
        "provider_errors",
        QUIET,
        "a bureau, the fraud service or the payout rail fails: steps are retried, then become "
        "incidents; the dashboard shows which one",
        periods=2,
    ),
)


def threshold_keys() -> list[str]:
    """Return the keys that ``thresholds`` has to have, in the order of the table."""
    return list(dict.fromkeys(alarm.threshold for alarm in ALARMS))


def faults(config: dict[str, Any]) -> Iterator[str]:
    """Find what is wrong with ``monitoring`` of a stage; without it nothing is monitored."""
    if MONITORING not in config:
        return
    settings = config[MONITORING]
    if not isinstance(settings, dict):
        yield f"{MONITORING} is {settings!r}: it has to be an object."
        return
    for name in sorted(settings.keys() - {RETENTION, TOPIC, THRESHOLDS}):
        yield f"{MONITORING}: there is no setting {name}."
    days = settings.get(RETENTION)
    if isinstance(days, bool) or days not in RETENTIONS:
        known = ", ".join(map(str, sorted(RETENTIONS)))
        yield f"{MONITORING}: {RETENTION} is {days!r}: CloudWatch takes one of {known}."
    topic = settings.get(TOPIC)
    if topic is not None and not (isinstance(topic, str) and _is_topic(topic)):
        yield f"{MONITORING}: {TOPIC} is {topic!r}: it has to be the whole ARN of an SNS topic."
    thresholds = settings.get(THRESHOLDS)
    if not isinstance(thresholds, dict):
        yield f"{MONITORING}: {THRESHOLDS} is {thresholds!r}: it has to be an object."
        return
    wanted = threshold_keys()
    for name in wanted:
        value = thresholds.get(name)
        if name not in thresholds:
            yield f"{MONITORING}: {THRESHOLDS} has no {name}."
        elif isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield f"{MONITORING}: {THRESHOLDS}: {name} is {value!r}: it has to be above zero."
        elif name == PERCENT_OF_TIMEOUT and value > 100:
            yield f"{MONITORING}: {THRESHOLDS}: {name} is {value!r}: it is at most 100 percent."
    for name in sorted(thresholds.keys() - set(wanted)):
        yield f"{MONITORING}: {THRESHOLDS}: no alarm has {name}."


def _is_topic(topic: str) -> bool:
    parts = topic.split(":")
    return len(parts) == 6 and parts[0] == "arn" and parts[2] == "sns" and all(parts[3:])


@dataclass(frozen=True)
class Function:
    """A function of the stage as the alarms see it: its whole name and its timeout."""

    whole_name: str
    timeout: int  # seconds


def alarms_of(
    settings: dict[str, Any], *, prefix: str, stage: str, functions: dict[str, Function]
) -> list[dict[str, Any]]:
    """Return the arguments of ``PutMetricAlarm`` for each alarm of a stage.

    ``prefix`` begins every name; ``functions`` are by the names that the table uses.
    """
    topic = settings.get(TOPIC)
    actions = [topic] if topic else []
    found = []
    for alarm in ALARMS:
        value = settings[THRESHOLDS][alarm.threshold]
        shared = {
            "AlarmDescription": alarm.meaning.replace("STAGE", stage),
            "ActionsEnabled": True,
            "OKActions": actions,
            "AlarmActions": actions,
            "MetricName": alarm.metric,
            "Namespace": alarm.namespace,
            "Statistic": alarm.statistic,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.periods,
            "ComparisonOperator": (
                "LessThanThreshold" if alarm.is_below else "GreaterThanOrEqualToThreshold"
            ),
            "TreatMissingData": alarm.missing,
        }
        if not alarm.functions:
            own = {"AlarmName": f"{prefix}-{alarm.name}", "Dimensions": dimensions(stage)}
            found.append({**shared, **own, "Threshold": float(value)})
        for name in alarm.functions:
            function = functions[name]
            if alarm.threshold == PERCENT_OF_TIMEOUT:
                threshold = function.timeout * 1000 * value / 100
            else:
                threshold = value
            own = {
                "AlarmName": f"{prefix}-{name}-{alarm.name}",
                "Dimensions": [{"Name": "FunctionName", "Value": function.whole_name}],
            }
            found.append({**shared, **own, "Threshold": float(threshold)})
    return found


def dimensions(stage: str) -> list[dict[str, str]]:
    """Return the dimensions of the product's metrics."""
    return [{"Name": "service", "Value": SERVICE}, {"Name": "stage", "Value": stage}]
