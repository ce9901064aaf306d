"""Faults during a deploy: waited for, or reported with advice; a second deploy corrects them."""

from tests.deploy.office import (
    COMPANIONS,
    FRAUD,
    LOAN,
    MANAGE,
    WEB,
    Aws,
    Office,
    settings_as_they_are,
)

NOT_VISIBLE = {
    "status": 400,
    "error": "InvalidParameterValueException",
    "message": "The role defined for the function cannot be assumed by Lambda.",
}
IN_PROGRESS = {
    "status": 409,
    "error": "ResourceConflictException",
    "message": "The operation cannot be performed at this time. An update is in progress.",
}
DENIED = {"status": 403, "error": "AccessDeniedException", "message": "You may not do that."}


def test_role_that_is_not_visible_yet_is_waited_for(office: Office, aws: Aws) -> None:
    aws.fault("CreateFunction", function=LOAN, times=2, **NOT_VISIBLE)
    aws.fault("CreateFunction", function=WEB, **NOT_VISIBLE)
    said = office.ship("deploy")

    assert said.count("CreateFunction: Lambda does not see the role yet") == 3
    tries = [(each.subject, each.status) for each in aws.requests("CreateFunction")]
    assert tries == [
        (FRAUD, 201),
        *[(LOAN, 400), (LOAN, 400), (LOAN, 201)],
        (MANAGE, 201),
        *[(WEB, 400), (WEB, 201)],
    ]
    assert [aws.alias(each) for each in COMPANIONS] == ["1", "1", "1"]


def test_update_in_progress_is_waited_for(deployed: Office, aws: Aws) -> None:
    faults = [
        ("UpdateFunctionConfiguration", FRAUD),
        ("UpdateFunctionCode", LOAN),
        ("PublishVersion", MANAGE),
        ("UpdateFunctionCode", WEB),
    ]
    for operation, function in faults:
        aws.fault(operation, function=function, **IN_PROGRESS)
    said = deployed.ship("update")

    assert aws.tell()["unused"] == []
    for operation, _ in faults:
        assert f"{operation}: another update is in progress; trying again in 1 s." in said
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["2"]}


def test_what_waiting_does_not_help_is_not_tried_again(office: Office, aws: Aws) -> None:
    fault = {**NOT_VISIBLE, "message": "Value 20000 at memorySize is too large"}
    aws.fault("CreateFunction", function=LOAN, **fault)
    said = office.ship("deploy", code=1)

    assert f"{LOAN} could not be brought up to date" in said
    assert "Value 20000 at memorySize is too large" in said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert WEB not in aws.functions()


def test_failure_between_code_and_alias_leaves_live_and_the_same_command_mends_it(
    deployed: Office, aws: Aws
) -> None:
    before = {each: aws.live_package(each) for each in COMPANIONS}
    aws.fault("PutRule", **DENIED)  # Zappa's last step but one
    deployed.ship("update", code=255)

    assert {each: aws.live_package(each) for each in COMPANIONS} == before
    assert [*aws.versions(LOAN)] == ["1", "2"]

    deployed.ship("update")

    assert [aws.alias(each) for each in COMPANIONS] == ["3", "3", "3"]
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["3"]}


def test_first_deploy_that_failed_half_way_is_mended_by_deploying_again(
    office: Office, aws: Aws
) -> None:
    aws.fault("CreateFunction", function=MANAGE, **DENIED)
    said = office.ship("deploy", code=1)
    assert f"{MANAGE} could not be brought up to date" in said
    assert aws.functions() == {FRAUD, LOAN}

    office.ship("deploy")

    assert aws.functions() == {WEB, *COMPANIONS}
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["1"]}


def test_first_deploy_that_failed_after_the_web_function_is_mended_by_an_update(
    office: Office, aws: Aws
) -> None:
    aws.fault("PutRule", **DENIED)
    office.ship("deploy", code=255)
    assert "did you mean to call update?" in office.zappa("deploy", code=1)

    office.ship("update")

    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["2"]}


def test_alias_that_cannot_be_moved_is_named_and_moved_by_the_next_run(
    deployed: Office, aws: Aws
) -> None:
    aws.fault("UpdateAlias", function=LOAN, **DENIED)
    said = deployed.ship("update", code=1)

    assert f"{LOAN}:live could not be moved to version 2" in said
    assert "Run the same command again" in said
    assert (aws.alias(FRAUD), aws.alias(LOAN)) == ("2", "1")

    deployed.ship("update")

    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["3"]}


def test_package_that_another_deploy_changed_meanwhile_is_not_published(
    deployed: Office, aws: Aws
) -> None:
    aws.tell(overtaken=[LOAN])  # the next code of it is not the one that was sent
    said = deployed.ship("update", code=1)

    assert f"{LOAN} could not be brought up to date" in said
    assert "CodeSHA256" in said
    assert aws.alias(LOAN) == "1"


# --- The commands that run first ---------------------------------------------------------------


def test_drain_that_refuses_stops_the_update_before_anything_is_live(
    deployed: Office, aws: Aws
) -> None:
    aws.tell(answers=[{"exit": 1, "output": "Refused: 3 unfinished executions on version 1"}])
    said = deployed.zappa("update", code=1)

    assert "Refused: 3 unfinished executions on version 1" in said
    assert "manage.py drain ended with 1. Nothing has gone live." in said
    assert "LOANOFFICE_SAFE_FROM=N" in said
    assert len(aws.requests("Invoke")) == 1
    assert [aws.alias(each) for each in COMPANIONS] == ["1", "1", "1"]
    assert [*aws.versions(WEB)] == ["1"]


def test_drain_is_told_which_versions_do_without(deployed: Office, aws: Aws) -> None:
    deployed.ship("update", LOANOFFICE_SAFE_FROM="2")

    commands = [each.body["command"] for each in aws.requests("Invoke")]
    assert commands[0] == ["drain", "--safe-from", "2"]
    assert commands[1] == ["migrate", "--noinput"]


def test_command_that_raises_stops_the_update_with_what_it_raised(
    deployed: Office, aws: Aws
) -> None:
    failed = {"errorType": "OperationalError", "errorMessage": "no route to host", "failed": True}
    aws.tell(answers=[{"exit": 0, "output": ""}, failed])
    said = deployed.zappa("update", code=1)

    assert "manage.py migrate --noinput failed. OperationalError: no route to host" in said
    assert "Nothing has gone live" in said
    assert [aws.alias(each) for each in COMPANIONS] == ["1", "1", "1"]


def test_command_that_cannot_be_asked_for_is_asked_once_and_stops_the_update(
    deployed: Office, aws: Aws
) -> None:
    aws.fault("Invoke", status=500, error="ServiceException", message="not now", times=9)
    said = deployed.zappa("update", code=1)

    assert "manage.py drain could not be run" in said
    assert len(aws.requests("Invoke")) == 1
    assert [*aws.versions(WEB)] == ["1"]


# --- What is refused before anything is done ------------------------------------------------------


def test_missing_role_is_named_before_anything_is_done(office: Office, aws: Aws) -> None:
    aws.client("iam").delete_role(RoleName=LOAN)
    said = office.ship("deploy", code=1)

    assert f"There is no role {LOAN}. Make the roles first: python -m deploy.roles" in said
    assert aws.functions() == set()
    assert aws.requests("PutObject", service="s3") == []


def test_roles_that_may_not_be_looked_up_stop_it_with_the_right_that_is_missing(
    office: Office, aws: Aws
) -> None:
    aws.fault("GetRole", status=403, error="AccessDenied", message="not you")
    said = office.zappa("deploy", code=1)

    assert "The roles cannot be looked up" in said
    assert "iam:GetRole" in said
    assert aws.functions() == set()


def test_settings_that_cannot_work_are_all_named_before_anything_is_done(
    office: Office, aws: Aws
) -> None:
    office.save_settings(
        s3_bucket="<deploy-bucket>",
        vpc_config={"SubnetIds": ["subnet-1", "<subnet-b>"], "SecurityGroupIds": []},
        aws_environment_variables={
            "SECRET_KEY": "x",
            "EQUIFAX_TOKEN": "x",
            "DATABASE_URL": "x",
            "EMAIL_PASSWORD": "x",
            "LOANOFFICE_SECRETS": "/loanoffice/staging",
        },
        environment_variables={"A": "b"},
        slim_handler=True,
        runtime="python3.9",
        architecture="arm64",
    )
    said = office.zappa("deploy", code=1)

    told = said.partition("Nothing was done. Stage staging cannot work:\n")[2].splitlines()
    begins = (
        "zappa_settings.json: s3_bucket (<deploy-bucket>) still has to be filled in",
        "zappa_settings.json: vpc_config.SubnetIds (<subnet-b>) still has to be filled in",
        *(
            f"aws_environment_variables: {name} is a secret"
            for name in ("DATABASE_URL", "EMAIL_PASSWORD", "EQUIFAX_TOKEN", "SECRET_KEY")
        ),
        "environment_variables go into the package as plain text",
        "slim_handler leaves the code out",
        "The package is for python3.9, and this is",
        "The package is for Linux on arm64",
    )
    assert len(told) == len(begins)
    for line, begin in zip(told, begins, strict=True):
        assert line.startswith(f"  - {begin}")
    assert aws.everything() == []


def test_package_that_was_built_elsewhere_may_be_for_another_machine(
    deployed: Office, aws: Aws
) -> None:
    deployed.save_settings(runtime="python3.9")
    deployed.ship("update", "--zip", deployed.package("made elsewhere"))

    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]


def test_settings_in_the_repository_still_have_to_be_filled_in(office: Office) -> None:
    office.settings = settings_as_they_are()
    office.save_settings()
    said = office.zappa("update", code=1)

    for where in ("s3_bucket", "domain", "vpc_config.SecurityGroupIds"):
        assert f"zappa_settings.json: {where} (<" in said
