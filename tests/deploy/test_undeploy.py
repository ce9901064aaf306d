"""``zappa undeploy`` takes everything away, and nothing while executions are open."""

from tests.deploy.office import COMPANIONS, LOAN, WEB, Aws, Office


def test_undeploy_takes_the_companions_away_before_the_web_function(
    deployed: Office, aws: Aws
) -> None:
    aws.executions(("LOAN-1-1", "1", "SUCCEEDED"))
    deployed.zappa("undeploy", "--yes")

    assert aws.functions() == set()
    assert aws.changes() == [f"DeleteFunction {each}" for each in (*COMPANIONS, WEB)]


def test_undeploy_is_refused_with_names_and_counts_while_executions_are_open(
    deployed: Office, aws: Aws
) -> None:
    aws.tell(page=3)
    aws.executions(
        *((f"LOAN-{number}-1", "1", "RUNNING") for number in range(7)),
        ("LOAN-9-2", "4", "PAUSED"),
        ("LOAN-8-1", "4", "FAILED"),
        ("LOAN-9-3", "4", "PAUSING"),
    )
    said = deployed.zappa("undeploy", "--yes", code=1)

    names = ", ".join(f"LOAN-{number}-1" for number in range(5))
    assert (
        f"9 unfinished executions of {LOAN}, on version 1 ({names} and 2 more), "
        "version 4 (LOAN-9-2, LOAN-9-3)" in said
    )
    assert "LOANOFFICE_UNDEPLOY=anyway" in said
    assert aws.functions() == {WEB, *COMPANIONS}
    assert aws.requests("RemovePermission") == []
    assert aws.requests(service="events") == []


def test_undeploy_goes_on_when_it_is_said_deliberately(deployed: Office, aws: Aws) -> None:
    aws.executions(("LOAN-1-1", "1", "RUNNING"))
    deployed.zappa("undeploy", "--yes", LOANOFFICE_UNDEPLOY="anyway")

    assert aws.functions() == set()


def test_another_word_does_not_override(deployed: Office, aws: Aws) -> None:
    aws.executions(("LOAN-1-1", "1", "RUNNING"))
    deployed.zappa("undeploy", "--yes", code=1, LOANOFFICE_UNDEPLOY="1")

    assert aws.functions() == {WEB, *COMPANIONS}


def test_undeploy_is_refused_when_the_executions_cannot_be_asked_for(
    deployed: Office, aws: Aws
) -> None:
    aws.fault("ListDurableExecutionsByFunction", 403, "AccessDeniedException", times=9)
    said = deployed.zappa("undeploy", "--yes", code=1)

    assert f"Not known whether {LOAN} has unfinished executions" in said
    assert aws.functions() == {WEB, *COMPANIONS}


def test_execution_that_begins_meanwhile_is_not_lost_and_undeploy_can_be_run_again(
    deployed: Office, aws: Aws
) -> None:
    aws.tell(begins_later=[{"function": LOAN, "version": "1", "name": "LOAN-3-1"}])
    said = deployed.zappa("undeploy", "--yes", code=1)
    assert "LOAN-3-1" in said
    assert aws.functions() == {WEB, *COMPANIONS}

    aws.executions(("LOAN-3-1", "1", "SUCCEEDED"))
    deployed.zappa("undeploy", "--yes")
    assert aws.functions() == set()


def test_companion_that_is_gone_already_does_not_stop_it(deployed: Office, aws: Aws) -> None:
    aws.client("lambda").delete_function(FunctionName=LOAN)
    deployed.zappa("undeploy", "--yes")

    assert aws.functions() == set()


def test_logs_go_when_they_are_asked_to(deployed: Office, aws: Aws) -> None:
    logs = aws.client("logs")
    there = {each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]}
    assert there == {f"/aws/lambda/{function}" for function in (WEB, *COMPANIONS)}
    deployed.zappa("undeploy", "--yes", "--remove-logs")

    assert logs.describe_log_groups()["logGroups"] == []
