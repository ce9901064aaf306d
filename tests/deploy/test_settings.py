"""``zappa_settings.json`` as it is in the repository."""

from collections import Counter
from typing import Any

import pytest
from django.conf import settings

from deploy.roles import stage_config
from deploy.stage import NOT_FILLED_IN, companions, faults
from loanoffice.settings.function_secrets import FUNCTIONS
from tests.deploy.office import filled_in, settings_as_they_are


@pytest.fixture(params=["production", "staging"])
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(stage: str) -> dict[str, Any]:
    return stage_config(settings_as_they_are(), stage)


def test_stage_overrides_what_zappa_does_by_default(config: dict[str, Any]) -> None:
    wanted = {
        "debug": False,
        "log_level": "INFO",
        "touch": False,
        "keep_warm": False,
        "slim_handler": False,
        "use_precompiled_packages": False,
        "manage_roles": False,
    }
    assert {name: config[name] for name in wanted} == wanted
    assert "environment_variables" not in config
    assert "attach_policy" not in config
    assert "extra_permissions" not in config


def test_durable_figures_are_those_of_the_django_settings(config: dict[str, Any]) -> None:
    (loan,) = [each for each in companions(config, "x") if each.durable]

    assert loan.function == "x-loan-approval"
    assert loan.durable == {
        "ExecutionTimeout": settings.LOAN_APPROVAL_EXECUTION_TIMEOUT.total_seconds(),
        "RetentionPeriodInDays": 90,
    }


def test_companions_are_those_that_the_embedded_engine_serves_and_manage(
    config: dict[str, Any],
) -> None:
    local = {
        name: (told["handler"], told["durable"])
        for name, told in settings.LOANOFFICE_FUNCTIONS.items()
    }
    found = {
        each.function.removeprefix("x-"): (each.handler, bool(each.durable))
        for each in companions(config, "x")
    }
    assert found == {**local, "manage": ("functions.manage.handler", False)}


def test_functions_are_invoked_by_the_names_and_the_alias_that_the_hooks_give_them(
    stage: str, config: dict[str, Any]
) -> None:
    web = f"{config['project_name']}-{stage}"
    names = {each.function for each in companions(config, web)}
    for variable in ("LOAN_APPROVAL_FUNCTION", "FRAUD_CHECK_FUNCTION"):
        name, _, alias = config["aws_environment_variables"][variable].partition(":")
        assert name in names
        assert alias == "live"
    assert config["role_name"] == web
    assert config["aws_environment_variables"]["LOANOFFICE_SECRETS"] == f"/loanoffice/{stage}"
    assert config["aws_environment_variables"]["LOANOFFICE_STAGE"] == stage


def test_each_function_reads_its_own_secrets_and_is_told_which_one_it_is(
    stage: str, config: dict[str, Any]
) -> None:
    found = companions(config, "x")
    names = {each.function.removeprefix("x-") for each in found}
    assert {"web", *names} == {*FUNCTIONS}
    for each in found:
        name = each.function.removeprefix("x-")
        assert each.environment["LOANOFFICE_SECRETS"] == f"/loanoffice/{stage}-{name}"
        assert each.environment["LOANOFFICE_FUNCTION"] == name
    assert "LOANOFFICE_FUNCTION" not in config["aws_environment_variables"]


def test_only_manage_connects_as_the_owner(config: dict[str, Any]) -> None:
    for each in companions(config, "x"):
        is_manage = each.function == "x-manage"
        assert ("LOANOFFICE_DATABASE_OWNER" in each.environment) is is_manage
    assert "LOANOFFICE_DATABASE_OWNER" not in config["aws_environment_variables"]


@pytest.mark.parametrize(
    ("fraud_check", "loan_approval", "who"),
    [
        ("", "", []),
        ("/loanoffice/there", "", []),
        ("{stage}", "", ["fraud-check"]),
        ("{stage}/fraud-check", "", ["fraud-check"]),
        ("/loanoffice", "", ["fraud-check", "loan-approval", "manage"]),
        ("/loanoffice/there", "/loanoffice/there/loans", ["loan-approval"]),
        ("/loanoffice/there", "/loanoffice/there/", ["loan-approval"]),
    ],
)
def test_no_function_may_read_what_another_reads(
    config: dict[str, Any], fraud_check: str, loan_approval: str, who: list[str]
) -> None:
    filled = filled_in(config)
    stage = filled["aws_environment_variables"]["LOANOFFICE_SECRETS"]
    own = {"fraud-check": fraud_check, "loan-approval": loan_approval}
    for each in filled["companions"]:
        if path := own.get(each["name"]):
            each["environment"]["LOANOFFICE_SECRETS"] = path.format(stage=stage)
    found = [*faults(filled)]
    assert {fault.split()[1] for fault in found} == {*who}
    assert all("none below another's" in fault for fault in found)


@pytest.mark.parametrize("name", ["fraud-check", "loan-approval", "manage"])
def test_function_that_has_no_own_secrets_is_a_fault(config: dict[str, Any], name: str) -> None:
    filled = filled_in(config)
    (companion,) = [each for each in filled["companions"] if each["name"] == name]
    del companion["own_secrets"]
    (fault,) = faults(filled)
    assert fault.startswith(f"companions: {name} reads /loanoffice/")
    assert "and the web function reads /loanoffice/" in fault


def test_secret_among_the_variables_of_a_companion_is_a_fault(config: dict[str, Any]) -> None:
    filled = filled_in(config)
    filled["companions"][0]["environment"]["FRAUD_SERVICE_TOKEN"] = "x"
    (fault,) = faults(filled)
    assert fault.startswith("companions: fraud-check: FRAUD_SERVICE_TOKEN is a secret")


def test_own_secrets_have_to_be_named_where_the_stage_has_a_secret_and_no_path(
    config: dict[str, Any],
) -> None:
    filled = filled_in(config)
    arn = "arn:aws:secretsmanager:ca-central-1:123456789012:secret:x"
    filled["aws_environment_variables"]["LOANOFFICE_SECRETS"] = arn
    found = [*faults(filled)]
    assert len(found) == len(filled["companions"])
    for fault, companion in zip(found, filled["companions"], strict=True):
        assert fault.startswith(f"companions: {companion['name']} has own_secrets. Name the ARN")

    for companion in filled["companions"]:
        companion["environment"]["LOANOFFICE_SECRETS"] = f"{arn}-{companion['name']}"
    assert not [*faults(filled)]


def test_sweep_runs_every_minute(config: dict[str, Any]) -> None:
    (event,) = config["events"]

    assert (event["function"], event["expression"]) == ("workflows.sweep.sweep", "rate(1 minute)")


def test_what_is_left_out_is_named_from_the_root(config: dict[str, Any]) -> None:
    # `exclude` takes base names away everywhere, out of Django, too.
    for name in config["exclude"]:
        assert name.startswith(".")
    assert "tests" in config["exclude_glob"]


def test_everything_that_is_an_accounts_own_has_to_be_filled_in(stage: str) -> None:
    told = stage_config(settings_as_they_are(), stage)
    where = Counter(each.rpartition(" (")[0] for each in faults(told))

    assert {
        f"zappa_settings.json: {name}"
        for name in (
            "s3_bucket",
            "domain",
            "vpc_config.SubnetIds",
            "vpc_config.SecurityGroupIds",
            "aws_environment_variables.STATIC_BUCKET",
            "aws_environment_variables.MEDIA_BUCKET",
            "aws_environment_variables.SEAL_BUCKET",
            "aws_environment_variables.MEDIA_KMS_KEY",
            "aws_environment_variables.ALLOWED_HOSTS",
        )
    } <= set(where)
    assert not [*faults(stage_config(filled_in(settings_as_they_are()), stage))]


def test_stages_share_no_name_that_keeps_something(config: dict[str, Any]) -> None:
    production, staging = (
        stage_config(settings_as_they_are(), name) for name in ("production", "staging")
    )
    for name in ("role_name", "domain"):
        assert production[name] != staging[name]
    for name in (
        "LOANOFFICE_SECRETS",
        "SEAL_BUCKET",
        "STATIC_BUCKET",
        "MEDIA_BUCKET",
        "LOAN_APPROVAL_FUNCTION",
    ):
        assert (
            production["aws_environment_variables"][name]
            != staging["aws_environment_variables"][name]
        )
    assert NOT_FILLED_IN.search(production["s3_bucket"])
