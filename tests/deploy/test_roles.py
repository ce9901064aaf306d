"""The roles: what each function may do, and nothing more; made by ``python -m deploy.roles``."""

import copy
import json
import re
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.deploy.office import (
    FRAUD,
    LOAN,
    MANAGE,
    MEDIA_KEY,
    REPOSITORY,
    WEB,
    Aws,
    Office,
    settings_as_they_are,
)

ACCOUNT = "123456789012"
LAMBDA = f"arn:aws:lambda:ca-central-1:{ACCOUNT}:function"
PARAMETERS = f"arn:aws:ssm:ca-central-1:{ACCOUNT}:parameter/loanoffice/staging"
SECRET = f"arn:aws:secretsmanager:ca-central-1:{ACCOUNT}:secret:loanoffice-AbCdEf"
SEALS = "arn:aws:s3:::test-staging-seal-bucket/seals/*"
# What every function has, whatever it does.
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
COMMON = (
    LOGS
    | {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    | {"ssm:GetParameter", "ssm:GetParametersByPath"}
    | {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    }
)
# Actions that have no resource to name: AWS takes nothing but a star.
WITHOUT_A_RESOURCE = ("ec2:", "xray:")


@pytest.fixture
def office(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Office:
    aws.reset()
    return Office(tmp_path_factory.mktemp("roles"), aws)


def policy(aws: Aws, role: str) -> list[dict[str, Any]]:
    """The statements of a role; it has one policy, and none of somebody else."""
    iam = aws.client("iam")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["loanoffice"]
    found = iam.get_role_policy(RoleName=role, PolicyName="loanoffice")
    return list(found["PolicyDocument"]["Statement"])


def allowed(statements: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The resources of each allowed action."""
    found: dict[str, set[str]] = {}
    for each in statements:
        if each["Effect"] == "Allow":
            told = each["Resource"]
            for action in each["Action"]:
                found.setdefault(action, set()).update([told] if isinstance(told, str) else told)
    return found


def of_function(name: str) -> set[str]:
    return {f"{LAMBDA}:{name}", f"{LAMBDA}:{name}:*"}


def engine_actions() -> set[str]:
    """Return the Lambda operations that the product uses, read from its engine module."""
    source = (REPOSITORY / "workflows" / "engine.py").read_text()
    asked = set(re.findall(r"_client\(\)\.(\w+)\(", source))
    assert len(asked) > 5
    known = operations()
    return {
        f"lambda:{known[name]}".replace("lambda:Invoke", "lambda:InvokeFunction") for name in asked
    }


def operations() -> dict[str, str]:
    """The names of Lambda's operations by the names of boto3's methods."""
    model = botocore.session.get_session().get_service_model("lambda")
    return {xform_name(name): name for name in model.operation_names}


def test_web_function_may_do_with_the_loan_approval_what_the_product_asks_for_and_no_more(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    may = allowed(policy(aws, WEB))

    of_loan = {action for action, where in may.items() if of_function(LOAN) <= where}
    assert of_loan == engine_actions()
    assert may["lambda:InvokeFunction"] == of_function(LOAN) | {f"{LAMBDA}:{WEB}"}
    assert {action for action in may if action.startswith("lambda:")} == of_loan
    assert of_function(FRAUD).isdisjoint(set().union(*may.values()))
    assert may["s3:GetObject"] == {
        "arn:aws:s3:::test-staging-media-bucket/*",
        "arn:aws:s3:::test-staging-static-bucket/*",
    }
    assert may["s3:PutObject"] == {"arn:aws:s3:::test-staging-media-bucket/*", SEALS}
    assert may["s3:PutObjectRetention"] == {SEALS}


def test_loan_approval_may_carry_its_own_executions_and_ask_the_fraud_check(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    may = allowed(policy(aws, LOAN))

    own = {f"{LAMBDA}:{LOAN}:*"}
    assert may["lambda:CheckpointDurableExecution"] == own
    assert may["lambda:GetDurableExecutionState"] == own
    assert may["lambda:InvokeFunction"] == of_function(FRAUD)
    assert set(may) == COMMON | {
        "lambda:CheckpointDurableExecution",
        "lambda:GetDurableExecutionState",
        "lambda:InvokeFunction",
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "kms:Decrypt",
        "kms:GenerateDataKey",
    }


def test_fraud_check_may_answer_the_loan_approval_and_nothing_else(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    may = allowed(policy(aws, FRAUD))

    assert set(may) == COMMON | {"lambda:SendDurableExecutionCallbackSuccess"}
    assert may["lambda:SendDurableExecutionCallbackSuccess"] == of_function(LOAN)


def test_manage_may_list_executions_put_static_files_and_read_the_copies_of_seals(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    may = allowed(policy(aws, MANAGE))

    assert set(may) == COMMON | {
        "lambda:GetDurableExecutionHistory",  # for the story of an application
        "lambda:ListDurableExecutionsByFunction",
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "s3:PutObjectRetention",
        "s3:GetObjectVersion",
        "s3:ListBucketVersions",
    }
    assert may["s3:PutObject"] == {"arn:aws:s3:::test-staging-static-bucket/*", SEALS}
    assert may["s3:GetObjectVersion"] == {SEALS}


def test_copies_of_seals_are_put_once_locked_and_never_deleted(office: Office, aws: Aws) -> None:
    office.make_roles()
    for role in (WEB, LOAN, FRAUD, MANAGE):
        about = [each for each in policy(aws, role) if "seal-bucket" in str(each["Resource"])]
        assert bool(about) is (role in {WEB, MANAGE})
        conditions = {action: each.get("Condition") for each in about for action in each["Action"]}
        assert not {action for action in conditions if "Delete" in action or "Bypass" in action}
        if about:
            assert conditions["s3:PutObject"] == {"Null": {"s3:if-none-match": "false"}}
            assert conditions["s3:PutObjectRetention"] == {
                "StringEquals": {"s3:object-lock-mode": "COMPLIANCE"}
            }


def test_no_policy_has_a_star_where_a_name_could_be(office: Office, aws: Aws) -> None:
    office.make_roles()
    for role in (WEB, LOAN, FRAUD, MANAGE):
        for action, where in allowed(policy(aws, role)).items():
            assert "*" not in action
            assert ("*" in where) == action.startswith(WITHOUT_A_RESOURCE), (role, action)
            assert f"/aws/lambda/{role}" in str(where) or action not in LOGS
            assert not {each for each in where if "${" in each or each == ""}


def test_code_in_the_function_may_not_use_what_lambda_needs_for_the_network(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    for role in (WEB, LOAN, FRAUD, MANAGE):
        (denied,) = [each for each in policy(aws, role) if each["Effect"] == "Deny"]
        may = allowed(policy(aws, role))
        assert set(denied["Action"]) == {action for action in may if action.startswith("ec2:")}
        assert denied["Condition"] == {
            "ArnEquals": {"lambda:SourceFunctionArn": [f"{LAMBDA}:{role}"]}
        }


def test_each_role_reads_the_secrets_of_its_function_and_no_others(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    paths = {role: role.replace(WEB, PARAMETERS) for role in (WEB, LOAN, FRAUD, MANAGE)}
    for role, own in paths.items():
        may = allowed(policy(aws, role))
        reads = {action for action in may if action.startswith(("ssm:", "secretsmanager:"))}
        assert reads == {"ssm:GetParameter", "ssm:GetParametersByPath"}
        for action in reads:
            assert may[action] == {own, f"{own}/*"}
            for path in paths.values():
                covered = [
                    fnmatchcase(what, pattern)
                    for pattern in may[action]
                    for what in (path, f"{path}/DATABASE_URL")
                ]
                assert any(covered) is (path == own), (role, path)

    variables = office.settings["staging"]["aws_environment_variables"]
    companions = copy.deepcopy(office.settings["production"]["companions"])
    arns = {WEB: SECRET}
    for each in companions:
        arn = SECRET.replace("loanoffice-", f"loanoffice-{each['name']}-")
        each["environment"]["LOANOFFICE_SECRETS"] = arns[f"{WEB}-{each['name']}"] = arn
    key = MEDIA_KEY.replace("1111", "9999")
    office.save_settings(
        aws_environment_variables={**variables, "LOANOFFICE_SECRETS": SECRET},
        secrets_kms_key=key,
        companions=companions,
    )
    said = office.make_roles()

    assert f"{LOAN}: changed its policy" in said
    assert {*arns} == {WEB, LOAN, FRAUD, MANAGE}
    for role, arn in arns.items():
        may = allowed(policy(aws, role))
        assert may["secretsmanager:GetSecretValue"] == {arn}
        assert key in may["kms:Decrypt"]
        assert "ssm:GetParametersByPath" not in may


def test_only_lambda_takes_the_roles_and_for_the_web_function_what_zappa_puts_before_it(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    iam = aws.client("iam")

    def takers(role: str) -> set[str]:
        (statement,) = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        return set(statement["Principal"]["Service"])

    assert takers(WEB) == {
        "lambda.amazonaws.com",
        "apigateway.amazonaws.com",
        "events.amazonaws.com",
    }
    for role in (LOAN, FRAUD, MANAGE):
        assert takers(role) == {"lambda.amazonaws.com"}


def test_roles_that_are_as_they_should_be_are_left_alone_and_others_are_mended(
    office: Office, aws: Aws
) -> None:
    office.make_roles()
    aws.tell(forget_requests=True)
    assert office.make_roles().count("as it should be") == 4
    asked = {each.operation for each in aws.requests(service="iam")}
    assert asked == {"GetRole", "GetRolePolicy"}

    iam = aws.client("iam")
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    iam.put_role_policy(RoleName=FRAUD, PolicyName="loanoffice", PolicyDocument=json.dumps(wide))
    trust = iam.get_role(RoleName=FRAUD)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com"}
    iam.update_assume_role_policy(RoleName=FRAUD, PolicyDocument=json.dumps(trust))
    said = office.make_roles()

    assert f"{FRAUD}: changed who may take it and its policy" in said
    assert set(allowed(policy(aws, FRAUD))) == COMMON | {
        "lambda:SendDurableExecutionCallbackSuccess"
    }


def test_roles_are_taken_by_services_of_this_account_only(office: Office, aws: Aws) -> None:
    office.make_roles()
    for name in (WEB, LOAN, FRAUD, MANAGE):
        trust = aws.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        (statement,) = trust["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        assert set(statement["Principal"]) == {"Service"}


def test_key_of_the_executions_is_for_those_who_carry_start_and_answer_them(
    office: Office, aws: Aws
) -> None:
    key = f"arn:aws:kms:ca-central-1:{ACCOUNT}:key/executions"
    for stage in office.settings.values():
        for companion in stage.get("companions", []):
            if "durable" in companion:
                companion["durable"]["KMSKeyArn"] = key
    office.save_settings()
    office.make_roles()

    having = {
        name
        for name in (WEB, LOAN, FRAUD, MANAGE)
        if {"kms:Decrypt", "kms:GenerateDataKey"}
        <= {action for action, where in allowed(policy(aws, name)).items() if key in where}
    }
    assert having == {WEB, LOAN, FRAUD}


def test_key_of_the_executions_has_to_be_a_whole_arn(office: Office) -> None:
    for stage in office.settings.values():
        for companion in stage.get("companions", []):
            if "durable" in companion:
                companion["durable"]["KMSKeyArn"] = "alias/executions"
    office.save_settings()
    assert "has the KMSKeyArn alias/executions" in office.make_roles(code=1)


def test_documents_can_be_looked_at_without_making_anything(office: Office, aws: Aws) -> None:
    told = json.loads(office.make_roles("staging", "--print"))

    assert set(told) == {WEB, LOAN, FRAUD, MANAGE}
    assert aws.client("iam").list_roles()["Roles"] == []


def test_roles_are_refused_while_the_settings_cannot_work(office: Office, aws: Aws) -> None:
    office.settings = settings_as_they_are()
    office.save_settings()
    assert "MEDIA_BUCKET (<staging-media-bucket>) still has to be" in office.make_roles(code=1)
    assert "has no stage nowhere, only production, staging" in office.make_roles("nowhere", code=1)
    assert aws.everything() == []


def test_who_may_not_change_roles_is_told_so(office: Office, aws: Aws) -> None:
    aws.fault("CreateRole", 403, "AccessDenied")
    said = office.make_roles(code=1)

    assert f"{WEB} could not be updated" in said
    assert "Traceback" not in said
