"""The deploy makes the alarms, the dashboard and the retention of logs, and takes them away."""

import json
from typing import Any

from deploy.alarms import ALARMS
from deploy.monitoring import TAG
from tests.deploy.office import COMPANIONS, LOAN, WEB, Aws, Office

TOPIC = "arn:aws:sns:ca-central-1:123456789012:on-call"
NUMBER = sum(len(alarm.functions) or 1 for alarm in ALARMS)
READING = {"DescribeAlarms", "ListTagsForResource", "GetDashboard"}


def alarms(aws: Aws) -> dict[str, dict[str, Any]]:
    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in found}


def changes(aws: Aws) -> list[str]:
    """Return the requests to CloudWatch and its logs that change something, in order."""
    requests = [*aws.requests(service="monitoring"), *aws.requests(service="logs")]
    return [r.operation for r in requests if r.operation not in READING | {"DescribeLogGroups"}]


def monitoring(office: Office, **thresholds: float) -> dict[str, Any]:
    settings = office.settings["production"]["monitoring"]
    return {**settings, "thresholds": {**settings["thresholds"], **thresholds}}


def dashboard(aws: Aws) -> Any:
    return json.loads(aws.client("cloudwatch").get_dashboard(DashboardName=WEB)["DashboardBody"])


def test_first_deploy_makes_alarms_dashboard_and_retention(deployed: Office, aws: Aws) -> None:
    found = alarms(aws)

    assert len(found) == NUMBER
    sweep = found[f"{WEB}-sweep-absent"]
    assert sweep["Namespace"] == "LoanOffice"
    assert {each["Name"]: each["Value"] for each in sweep["Dimensions"]} == {
        "service": "loanoffice",
        "stage": "staging",
    }
    assert (sweep["Threshold"], sweep["ComparisonOperator"], sweep["TreatMissingData"]) == (
        1.0,
        "LessThanThreshold",
        "breaching",
    )
    slow = found[f"{WEB}-loan-approval-duration"]
    assert slow["Dimensions"] == [{"Name": "FunctionName", "Value": LOAN}]
    assert slow["Threshold"] == 240_000.0  # 80 % of 300 s, in ms
    tags = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=sweep["AlarmArn"])["Tags"]
    assert tags == [{"Key": TAG, "Value": WEB}]
    (states,) = [each for each in dashboard(aws)["widgets"] if each["type"] == "alarm"]
    assert len(states["properties"]["alarms"]) == NUMBER
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert {each["logGroupName"]: each["retentionInDays"] for each in groups} == {
        f"/aws/lambda/{function}": 90 for function in (WEB, *COMPANIONS)
    }


def test_second_run_changes_nothing_and_changed_settings_change_what_they_are_about(
    deployed: Office, aws: Aws
) -> None:
    deployed.ship("update")
    assert changes(aws) == []

    deployed.save_settings(monitoring=monitoring(deployed, errors=7) | {"log_retention_days": 30})
    said = deployed.zappa("update", "--no-upload", "yes")

    assert changes(aws) == [*["PutMetricAlarm"] * 2, *["PutRetentionPolicy"] * 4]
    assert f"The alarm {WEB}-web-errors is changed." in said
    assert alarms(aws)[f"{WEB}-web-errors"]["Threshold"] == 7.0
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert {each["retentionInDays"] for each in groups} == {30}

    aws.tell(forget_requests=True)
    deployed.save_settings(monitoring=monitoring(deployed, errors=7) | {"alarm_topic": TOPIC})
    deployed.zappa("update", "--no-upload", "yes")
    assert changes(aws) == [*["PutMetricAlarm"] * NUMBER, *["PutRetentionPolicy"] * 4]
    assert {tuple(each["AlarmActions"]) for each in alarms(aws).values()} == {(TOPIC,)}


def test_alarm_that_is_not_in_the_table_any_more_goes_and_those_of_others_stay(
    deployed: Office, aws: Aws
) -> None:
    theirs = [f"{WEB}-2-sweep-absent", f"{WEB}-by-hand"]
    other_stage = {"Key": TAG, "Value": f"{WEB}-2"}
    put(aws, f"{WEB}-of-an-older-release", {"Key": TAG, "Value": WEB})
    put(aws, theirs[0], other_stage)
    put(aws, theirs[1])
    put(aws, f"{WEB}-outbox-old-elsewhere", other_stage)
    cloudwatch = aws.client("cloudwatch")
    arn = alarms(aws)[f"{WEB}-outbox-old"]["AlarmArn"]
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=[TAG])

    said = deployed.zappa("update", "--no-upload", "yes")

    assert f"The alarm {WEB}-of-an-older-release is deleted." in said
    assert f"The alarm {WEB}-outbox-old was not made by the deploy, and is left alone." in said
    assert len(alarms(aws)) == NUMBER + 3

    deployed.zappa("undeploy", "--yes")

    left = {f"{WEB}-outbox-old", f"{WEB}-outbox-old-elsewhere", *theirs}
    assert set(alarms(aws)) == left
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert aws.client("logs").describe_log_groups()["logGroups"] != []


def put(aws: Aws, name: str, *tags: dict[str, str]) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="X",
        Namespace="X",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=[*tags],
    )


def test_dashboard_that_somebody_else_made_is_left_alone(deployed: Office, aws: Aws) -> None:
    body = '{"widgets": []}'
    aws.client("cloudwatch").put_dashboard(DashboardName=WEB, DashboardBody=body)

    said = deployed.zappa("update", "--no-upload", "yes")
    deployed.zappa("undeploy", "--yes")

    assert f"The dashboard {WEB} was not made by the deploy, and is left alone." in said
    assert dashboard(aws) == {"widgets": []}


def test_stage_without_the_settings_is_not_monitored(deployed: Office, aws: Aws) -> None:
    for stage in deployed.settings.values():
        stage.pop("monitoring", None)
    deployed.save_settings()

    said = deployed.zappa("update", "--no-upload", "yes")

    assert "The stage has no monitoring: its alarms, dashboard and logs stay as they are." in said
    assert aws.requests(service="monitoring") == []


def test_who_may_not_make_alarms_is_told_what_it_takes_and_the_functions_are_live(
    deployed: Office, aws: Aws
) -> None:
    aws.fault("PutRetentionPolicy", 400, "AccessDeniedException")
    deployed.save_settings(monitoring=monitoring(deployed) | {"log_retention_days": 30})

    said = deployed.ship("update", code=1)

    assert "The functions are deployed, and their alarms, dashboard or logs are not" in said
    assert "logs: DescribeLogGroups, CreateLogGroup, PutRetentionPolicy" in said
    assert "Traceback" not in said
    assert aws.alias(LOAN) == "2"
