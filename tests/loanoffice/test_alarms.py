"""The table of alarms: its settings, its metrics, its dashboard, and the runbook's table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core import metrics
from deploy.alarms import (
    ALARMS,
    PRODUCT,
    QUIET,
    SERVICE,
    Alarm,
    Function,
    alarms_of,
    faults,
    threshold_keys,
)
from deploy.dashboard import BY, OF_EXECUTIONS, PICTURES, dashboard_of, is_ours
from deploy.stage import companions

ROOT = Path(settings.BASE_DIR)
STAGES = json.loads((ROOT / "zappa_settings.json").read_text())
PRODUCTION = STAGES["production"]
MONITORING = PRODUCTION["monitoring"]
PREFIX = "loanoffice-staging"
METRICS = {metric.name: metric for metric in metrics.METRICS}
# Of AWS's own: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and
# durable-monitoring.html beside it.
OF_LAMBDA = {"Errors", "Throttles", "Duration", *OF_EXECUTIONS}
FUNCTIONS = {
    "web": Function(PREFIX, PRODUCTION["timeout_seconds"]),
    **{
        each.function.removeprefix(f"{PREFIX}-"): Function(each.function, each.timeout)
        for each in companions(PRODUCTION, PREFIX)
    },
}


def made(**changes: Any) -> list[dict[str, Any]]:
    return alarms_of({**MONITORING, **changes}, prefix=PREFIX, stage="staging", functions=FUNCTIONS)


def test_each_alarm_is_about_a_metric_that_is_written_and_functions_that_exist() -> None:
    for alarm in ALARMS:
        assert alarm.metric in ({*METRICS} if alarm.namespace == PRODUCT else OF_LAMBDA)
        assert set(alarm.functions) <= FUNCTIONS.keys()
    assert {name for _, _, names in PICTURES for name in names} == {*METRICS}
    assert {name: metric.by for name, metric in METRICS.items() if metric.by} == BY
    assert (PRODUCT, SERVICE) == (metrics.NAMESPACE, settings.LOANOFFICE_SERVICE)
    assert {alarm.metric for alarm in ALARMS if not alarm.functions} == {
        "SweepRan",
        "OutboxOldestSeconds",
        "IncidentsOpen",
        "TasksOverdue",
        "DeliveryFailures",
        "WebhookFailures",
        "ProviderErrors",
    }


def test_alarms_are_what_cloudwatch_takes() -> None:
    found = made()
    names = [alarm["AlarmName"] for alarm in found]

    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{PREFIX}-") and len(name) <= 255 for name in names)
    for alarm in found:
        span = alarm["Period"] * alarm["EvaluationPeriods"]
        assert span <= (7 * 86_400 if alarm["Period"] >= 3600 else 86_400)
        assert alarm["Period"] % 60 == 0
        assert 0 < len(alarm["AlarmDescription"]) <= 1024
        assert alarm["Dimensions"]
        assert alarm["AlarmActions"] == alarm["OKActions"] == []
    topic = "arn:aws:sns:ca-central-1:123456789012:on-call"
    assert {tuple(alarm["AlarmActions"]) for alarm in made(alarm_topic=topic)} == {(topic,)}


def test_duration_is_a_share_of_each_functions_timeout() -> None:
    found = {alarm["AlarmName"]: alarm["Threshold"] for alarm in made()}

    assert found[f"{PREFIX}-web-duration"] == 24_000.0
    assert found[f"{PREFIX}-fraud-check-duration"] == 48_000.0
    assert found[f"{PREFIX}-loan-approval-duration"] == 240_000.0
    assert found[f"{PREFIX}-manage-duration"] == 720_000.0


def test_dashboard_is_the_same_each_time_and_its_pictures_lie_beside_each_other() -> None:
    def drawn() -> str:
        return dashboard_of(
            prefix=PREFIX,
            stage="staging",
            region="ca-central-1",
            functions=FUNCTIONS,
            durable=[f"{PREFIX}-loan-approval"],
            alarms=["arn:b", "arn:a"],
        )

    body = drawn()
    widgets = json.loads(body)["widgets"]
    covered = [
        (widget["x"] + x, widget["y"] + y)
        for widget in widgets
        for x in range(widget["width"])
        for y in range(widget["height"])
    ]

    assert drawn() == body
    assert len(covered) == len(set(covered))
    assert max(x for x, _ in covered) < 24
    assert is_ours(body, prefix=PREFIX)
    assert not is_ours(body, prefix=f"{PREFIX}-2")
    assert all(function.whole_name in body for function in FUNCTIONS.values())


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(name)


def value(name: str, new: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.update({name: new})


def threshold(name: str, new: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["thresholds"].update({name: new})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (without("log_retention_days"), "log_retention_days is None: CloudWatch takes one of 1, 3"),
        (value("log_retention_days", 89), "log_retention_days is 89: CloudWatch takes one of"),
        (value("log_retention_days", True), "log_retention_days is True: CloudWatch takes one"),
        (value("alarm_topic", "on-call"), "alarm_topic is 'on-call': it has to be the whole ARN"),
        (value("alarm_topic", ""), "alarm_topic is '': it has to be the whole ARN of an SNS"),
        (value("topic", "x"), "there is no setting topic."),
        (without("thresholds"), "thresholds is None: it has to be an object."),
        (lambda found: found["thresholds"].pop("sweeps"), "thresholds has no sweeps."),
        (threshold("errors", "5"), "thresholds: errors is '5': it has to be above zero."),
        (threshold("errors", 0), "thresholds: errors is 0: it has to be above zero."),
        (threshold("errors", True), "thresholds: errors is True: it has to be above zero."),
        (threshold("duration_percent", 101), "duration_percent is 101: it is at most 100"),
        (threshold("error", 5), "thresholds: no alarm has error."),
    ],
)
def test_setting_that_makes_no_sense_is_a_fault_by_its_name(
    change: Callable[[dict[str, Any]], object], fault: str
) -> None:
    found = json.loads(json.dumps(MONITORING))
    change(found)

    (said,) = faults({"monitoring": found})
    assert said.startswith("monitoring: ")
    assert fault in said


def test_every_stage_has_thresholds_for_all_alarms_and_none_is_needed() -> None:
    assert [*faults(PRODUCTION)] == []
    assert STAGES["staging"].get("monitoring") is None  # it extends production
    assert list(MONITORING["thresholds"]) == threshold_keys()
    assert "alarm_topic" not in MONITORING
    assert [*faults({})] == []
    (fault,) = faults({"monitoring": []})
    assert fault == "monitoring is []: it has to be an object."


def test_runbook_has_the_table_of_the_code() -> None:
    section = (ROOT / "docs" / "runbook.md").read_text().partition("\n## Alarms\n")[2]
    table = section.partition("\n| alarm | metric |")[2].partition("\n\n")[0]

    assert table.splitlines()[2:] == [runbook_row(alarm) for alarm in ALARMS]


def runbook_row(alarm: Alarm) -> str:
    """The row of an alarm in the runbook, with the value of production."""
    name = f"`{alarm.name}`"
    if alarm.functions:
        name += " of " + ", ".join(f"`{function}`" for function in alarm.functions)
    unit = "% of the timeout" if alarm.threshold == "duration_percent" else ""
    limit = f"{MONITORING['thresholds'][alarm.threshold]} {unit}".strip()
    period = f"{alarm.period // 60} min" if alarm.period < 3600 else "1 h"
    times = f", {alarm.periods} times" if alarm.periods > 1 else ""
    side = "below" if alarm.is_below else "from"
    metric = f"`{alarm.metric}`, {alarm.statistic.lower()} of {period}{times}"
    missing = "no alarm" if alarm.missing == QUIET else "alarm"
    return (
        f"| {name} | {metric} | {side} {limit} (`{alarm.threshold}`) | {missing} | "
        f"{alarm.meaning} |"
    )
