"""``zappa deploy`` and ``zappa update`` keep the companions beside the web function."""

import pytest

from tests.deploy.office import (
    COMPANIONS,
    FRAUD,
    LOAN,
    MANAGE,
    STAGE,
    WEB,
    Aws,
    Office,
    where_zappa_looks_for_its_newest_version,
)

DURABLE = {"ExecutionTimeout": 5_184_000, "RetentionPeriodInDays": 90}


def test_first_deploy_makes_all_functions_and_then_points_the_aliases(
    office: Office, aws: Aws
) -> None:
    office.ship("deploy")

    assert aws.functions() == {WEB, *COMPANIONS}
    assert aws.changes() == [
        f"CreateFunction {FRAUD}",
        f"PublishVersion {FRAUD}",
        f"CreateFunction {LOAN}",
        f"PublishVersion {LOAN}",
        f"CreateFunction {MANAGE}",
        f"PublishVersion {MANAGE}",
        f"CreateFunction {WEB}",
        f"CreateAlias {FRAUD}",
        f"CreateAlias {LOAN}",
        f"CreateAlias {MANAGE}",
    ]
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["1"]}


def test_update_changes_code_then_configuration_then_publishes_and_moves_the_aliases_last(
    deployed: Office, aws: Aws
) -> None:
    deployed.ship("update")

    one = ("UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion")
    assert aws.changes() == [
        *(f"{operation} {companion}" for companion in COMPANIONS for operation in one),
        f"UpdateFunctionCode {WEB}",
        f"UpdateFunctionConfiguration {WEB}",
        *(f"UpdateAlias {companion}" for companion in COMPANIONS),
    ]
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]
    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["2"]}


def test_commands_run_in_the_new_version_before_the_web_function_and_the_aliases_change(
    deployed: Office, aws: Aws
) -> None:
    deployed.ship("update")

    requests = aws.requests("Invoke", "PublishVersion", "UpdateFunctionCode", "UpdateAlias")
    invoked = [index for index, each in enumerate(requests) if each.operation == "Invoke"]
    assert [requests[index].body["command"] for index in invoked] == [
        ["drain"],
        ["migrate", "--noinput"],
        ["database_login"],
        ["collectstatic", "--noinput"],
    ]
    assert {(requests[i].subject, requests[i].query["Qualifier"]) for i in invoked} == {
        (MANAGE, "2")
    }
    before, after = requests[: invoked[0]], requests[invoked[-1] + 1 :]
    assert {each.subject for each in before} == set(COMPANIONS)
    assert [each.subject for each in after] == [WEB, *COMPANIONS]


def test_durability_is_asked_for_at_creation_and_of_the_loan_approval_only(
    office: Office, aws: Aws
) -> None:
    office.ship("deploy")
    office.ship("update")

    asked = [each for each in aws.requests() if "DurableConfig" in (each.body or {})]
    assert [(each.operation, each.subject) for each in asked] == [("CreateFunction", LOAN)]
    assert asked[0].body["DurableConfig"] == DURABLE
    assert aws.configuration(LOAN)["DurableConfig"] == DURABLE


def test_changed_figures_of_a_durable_function_are_sent_with_an_update(
    deployed: Office, aws: Aws
) -> None:
    shorter = {"ExecutionTimeout": 5_184_000, "RetentionPeriodInDays": 30}
    companions = deployed.settings["production"]["companions"]
    deployed.save_settings(
        companions=[
            {**each, **({"durable": shorter} if "durable" in each else {})} for each in companions
        ]
    )
    deployed.ship("update")

    assert aws.configuration(LOAN)["DurableConfig"] == shorter


def test_function_that_is_there_and_not_durable_stops_the_deploy_with_the_mend(
    office: Office, aws: Aws
) -> None:
    office.ship("deploy")
    aws.client("lambda").delete_function(FunctionName=LOAN)
    created = aws.configuration(FRAUD)
    aws.client("lambda").create_function(
        FunctionName=LOAN,
        Runtime=created["Runtime"],
        Role=created["Role"],
        Handler="somebody.elses",
        Code={"ZipFile": (office.folder / office.package("theirs")).read_bytes()},
    )
    said = office.ship("update", code=1)

    assert f"{LOAN} is there and is not durable" in said
    assert f"delete-function --function-name {LOAN}" in said
    assert aws.alias(FRAUD) == "1"


def test_companions_are_configured_as_the_web_function_but_for_what_is_their_own(
    office: Office, aws: Aws
) -> None:
    office.ship("deploy")
    web, loan, fraud, manage = map(aws.configuration, (WEB, LOAN, FRAUD, MANAGE))

    for each in (loan, fraud, manage):
        assert each["Role"] == f"arn:aws:iam::123456789012:role/{each['FunctionName']}"
        assert each["VpcConfig"]["SubnetIds"] == web["VpcConfig"]["SubnetIds"]
        assert each["VpcConfig"]["SecurityGroupIds"] == web["VpcConfig"]["SecurityGroupIds"]
        assert each["TracingConfig"] == web["TracingConfig"] == {"Mode": "Active"}
        assert each["Runtime"] == web["Runtime"]
    assert web["Role"] == f"arn:aws:iam::123456789012:role/{WEB}"
    assert web["VpcConfig"]["SubnetIds"] == ["test-subnet-a", "test-subnet-b"]
    assert (loan["Handler"], loan["Timeout"]) == ("functions.loan_approval.handler", 300)
    assert (fraud["Handler"], fraud["Timeout"]) == ("functions.fraud_check.handler", 60)
    assert (manage["Handler"], manage["Timeout"]) == ("functions.manage.handler", 900)
    variables = web["Environment"]["Variables"]
    assert variables["LOANOFFICE_SECRETS"] == "/loanoffice/staging"
    for each, name in ((loan, "loan-approval"), (fraud, "fraud-check")):
        assert each["Environment"]["Variables"] == {
            **variables,
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.functions",
            "LOANOFFICE_FUNCTION": name,
            "LOANOFFICE_SECRETS": f"/loanoffice/staging-{name}",
        }
    assert manage["Environment"]["Variables"] == {
        **variables,
        "LOANOFFICE_FUNCTION": "manage",
        "LOANOFFICE_SECRETS": "/loanoffice/staging-manage",
        "LOANOFFICE_DATABASE_OWNER": "true",
    }
    assert variables["LOAN_APPROVAL_FUNCTION"] == f"{LOAN}:live"
    assert variables["FRAUD_CHECK_FUNCTION"] == f"{FRAUD}:live"


def test_sweep_is_scheduled_every_minute_and_only_it(deployed: Office, aws: Aws) -> None:
    deployed.ship("update")

    events = aws.client("events")
    (rule,) = events.list_rules()["Rules"]
    assert (rule["Name"], rule["ScheduleExpression"], rule["State"]) == (
        f"{WEB}-workflows.sweep.sweep",
        "rate(1 minute)",
        "ENABLED",
    )
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":function:{WEB}")


@pytest.mark.parametrize("from_s3", [False, True])
def test_update_from_a_zip_brings_the_companions_too(
    deployed: Office, aws: Aws, *, from_s3: bool
) -> None:
    package = deployed.package("made elsewhere")
    if from_s3:
        aws.client("s3").upload_file(
            str(deployed.folder / package), "test-deploy-bucket", "made.zip"
        )
        package = "s3://test-deploy-bucket/made.zip"
    deployed.ship("update", "--zip", package)

    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["2"]}
    assert [aws.alias(each) for each in COMPANIONS] == ["2", "2", "2"]


def test_first_deploy_from_a_zip_makes_the_companions_too(office: Office, aws: Aws) -> None:
    office.ship("deploy", "--zip", office.package("made elsewhere"))

    assert {aws.live_package(each) for each in COMPANIONS} == {aws.versions(WEB)["1"]}
    assert aws.configuration(LOAN)["DurableConfig"] == DURABLE


def test_update_without_code_leaves_the_companions_and_says_so(deployed: Office, aws: Aws) -> None:
    said = deployed.zappa("update", "--no-upload", "yes")

    assert "the companions stay as they are" in said
    assert aws.changes() == [f"UpdateFunctionConfiguration {WEB}"]


def test_package_is_uploaded_once_and_not_left_behind(deployed: Office, aws: Aws) -> None:
    deployed.ship("update")

    puts = [each.subject for each in aws.requests("PutObject", service="s3")]
    assert len(puts) == 1
    assert puts[0].startswith(f"test-deploy-bucket/{WEB}-")
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket="test-deploy-bucket")
    assert list(deployed.folder.glob("*.zip")) == []


def test_nothing_outside_of_the_account_is_asked_but_for_zappas_newest_version(
    deployed: Office, aws: Aws
) -> None:
    deployed.ship("update")

    assert set(aws.tell()["outside"]) == {where_zappa_looks_for_its_newest_version()}


def test_other_commands_are_left_alone(deployed: Office) -> None:
    assert "Lambda Versions" in deployed.zappa("status")
    assert f"stage {STAGE}" in deployed.zappa("schedule")
