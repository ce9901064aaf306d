"""Make the alarms, the dashboard and the retention of logs of a stage, and remove them.

Run after each deploy and update; a second run changes nothing. Only what carries the stage's prefix
in its name and this deploy's mark (a tag of an alarm, a line in the dashboard) is changed or
removed. Removing a stage leaves its logs, unless they are asked to go too.
"""

from collections.abc import Iterator
from typing import Any

import click
from botocore.exceptions import ClientError

from deploy.alarms import MONITORING, RETENTION, WEB, Function, alarms_of
from deploy.dashboard import dashboard_of, is_ours
from deploy.explained_errors import explained, is_missing
from deploy.stage import companions_of

TAG = "loanoffice-deploy"
MOST = 100  # alarms that one request deletes
AT_LEAST = (
    "It takes cloudwatch: PutMetricAlarm, DeleteAlarms, DescribeAlarms, TagResource, "
    "ListTagsForResource, PutDashboard, GetDashboard, DeleteDashboards and logs: "
    "DescribeLogGroups, CreateLogGroup, PutRetentionPolicy."
)


def monitoring_update(cli: Any) -> None:
    """Bring everything to what the stage's settings say. Raises ``ClickException``."""
    settings = cli.stage_config.get(MONITORING)
    if settings is None:
        click.echo(
            f"The stage has no {MONITORING}: its alarms, dashboard and logs stay as they are."
        )
        return
    with explained(
        "The functions are deployed, and their alarms, dashboard or logs are not up to date",
        advice=f"Run the same command again when the cause is corrected. {AT_LEAST}",
    ):
        functions = functions_of(cli)
        for function in functions.values():
            _keep_logs(cli, function.whole_name, settings[RETENTION])
        wanted = alarms_of(
            settings, prefix=cli.lambda_name, stage=stage_name(cli), functions=functions
        )
        _update_alarms(cli, wanted)
        _update_dashboard(cli, functions)


def monitoring_remove(cli: Any) -> None:
    """Delete the alarms and the dashboard that the deploy made. Raises ``ClickException``."""
    with explained(
        "The alarms or the dashboard could not be removed",
        advice=f"Run the same command again when the cause is corrected. {AT_LEAST}",
    ):
        _delete_alarms(cli, [alarm["AlarmName"] for alarm in _alarms(cli) if _is_ours(cli, alarm)])
        body = _dashboard(cli)
        if body is not None and is_ours(body, prefix=cli.lambda_name):
            cli.zappa.cloudwatch.delete_dashboards(DashboardNames=[cli.lambda_name])
            click.echo(f"The dashboard {cli.lambda_name} is deleted.")


def functions_of(cli: Any) -> dict[str, Function]:
    """Return the functions of the stage by the names that the table of alarms uses."""
    prefix = f"{cli.lambda_name}-"
    companions = {
        each.function.removeprefix(prefix): Function(each.function, each.timeout)
        for each in companions_of(cli)
    }
    web = Function(cli.lambda_name, cli.stage_config.get("timeout_seconds", 30))
    return {WEB: web, **companions}


def stage_name(cli: Any) -> str:
    """Return the dimension ``stage`` that the functions write: their variable, or its default."""
    variables = cli.stage_config.get("aws_environment_variables", {})
    return str(variables.get("LOANOFFICE_STAGE", "local"))


# --- Logs ---------------------------------------------------------------------------------


def _keep_logs(cli: Any, function: str, days: int) -> None:
    """Set how long the logs of a function are kept; its group is made if it is not there yet."""
    client, name = cli.zappa.logs_client, f"/aws/lambda/{function}"
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = next((each for each in groups if each["logGroupName"] == name), None)
    if group is None:
        client.create_log_group(logGroupName=name)
    if group is None or group.get("retentionInDays") != days:
        client.put_retention_policy(logGroupName=name, retentionInDays=days)
        click.echo(f"{name} is kept for {days} days.")


# --- Alarms -------------------------------------------------------------------------------


def _update_alarms(cli: Any, wanted: list[dict[str, Any]]) -> None:
    there = {alarm["AlarmName"]: alarm for alarm in _alarms(cli)}
    ours = {name for name, alarm in there.items() if _is_ours(cli, alarm)}
    for alarm in wanted:
        name = alarm["AlarmName"]
        if name in there and name not in ours:
            click.echo(f"The alarm {name} was not made by the deploy, and is left alone.")
        elif not _is_as_wanted(there.get(name, {}), alarm):
            tags = {} if name in ours else {"Tags": [{"Key": TAG, "Value": cli.lambda_name}]}
            cli.zappa.cloudwatch.put_metric_alarm(**alarm, **tags)
            click.echo(f"The alarm {name} is {'changed' if name in ours else 'made'}.")
    _delete_alarms(cli, sorted(ours - {alarm["AlarmName"] for alarm in wanted}))


def _alarms(cli: Any) -> Iterator[dict[str, Any]]:
    """Yield the alarms whose names begin with the stage's prefix, of another stage too."""
    pages = cli.zappa.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{cli.lambda_name}-", AlarmTypes=["MetricAlarm"]
    )
    for page in pages:
        yield from page["MetricAlarms"]


def _is_ours(cli: Any, alarm: dict[str, Any]) -> bool:
    tags = cli.zappa.cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    return {"Key": TAG, "Value": cli.lambda_name} in tags


def _is_as_wanted(there: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Compare all that is set; the service returns dimensions in an order of its own."""
    return all(_plain(there.get(name)) == _plain(value) for name, value in wanted.items())


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(str, value))
    return value


def _delete_alarms(cli: Any, names: list[str]) -> None:
    for start in range(0, len(names), MOST):
        cli.zappa.cloudwatch.delete_alarms(AlarmNames=names[start : start + MOST])
    for name in names:
        click.echo(f"The alarm {name} is deleted.")


# --- The dashboard ------------------------------------------------------------------------


def _update_dashboard(cli: Any, functions: dict[str, Function]) -> None:
    body = dashboard_of(
        prefix=cli.lambda_name,
        stage=stage_name(cli),
        region=cli.zappa.cloudwatch.meta.region_name,
        functions=functions,
        durable=[each.function for each in companions_of(cli) if each.durable],
        alarms=[alarm["AlarmArn"] for alarm in _alarms(cli) if _is_ours(cli, alarm)],
    )
    there = _dashboard(cli)
    if there == body:
        return
    if there is not None and not is_ours(there, prefix=cli.lambda_name):
        click.echo(
            f"The dashboard {cli.lambda_name} was not made by the deploy, and is left alone."
        )
        return
    cli.zappa.cloudwatch.put_dashboard(DashboardName=cli.lambda_name, DashboardBody=body)
    click.echo(f"The dashboard {cli.lambda_name} is {'made' if there is None else 'changed'}.")


def _dashboard(cli: Any) -> str | None:
    try:
        found = cli.zappa.cloudwatch.get_dashboard(DashboardName=cli.lambda_name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return str(found["DashboardBody"])
