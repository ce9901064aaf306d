"""Secrets are read from AWS at start, over the wire; errors name what is wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from loanoffice.settings.secret_store import secrets_into
from tests.aws.process import Aws
from tests.aws.production import COMPLETE, run

PATH = "/loanoffice/production"
SECRET = "a-secret-that-nobody-may-see-in-a-log-0123456789-0123456789"
DATABASE = "postgresql://u:p@there.example.com/l"

type Read = Callable[..., dict[str, str]]


@pytest.fixture
def read(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Read:
    """``read(source, NAME="set already")``: the environment after a start."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)

    def start(source: str, **environment: str) -> dict[str, str]:
        environment["LOANOFFICE_SECRETS"] = source
        secrets_into(environment)
        return environment

    return start


def refused(read: Read, source: str) -> str:
    """Return the error's sentence, after checking that it does not contain the secret."""
    with pytest.raises(ImproperlyConfigured, match=r"^LOANOFFICE_SECRETS is ") as caught:
        read(source)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def put_parameters(aws: Aws, **values: str) -> None:
    for name, value in values.items():
        aws.client("ssm").put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")


def make_secret(aws: Aws, content: Any) -> str:
    made = aws.client("secretsmanager").create_secret(
        Name="loanoffice/production", SecretString=content
    )
    return str(made["ARN"])


def asked(aws: Aws, operation: str) -> int:
    return sum(operation in each["target"] for each in aws.requests("POST"))


def test_production_starts_with_secrets_that_only_aws_knows(aws: Aws) -> None:
    put_parameters(aws, SECRET_KEY=SECRET, DATABASE_URL=DATABASE)
    environment = COMPLETE | aws.environment | {"LOANOFFICE_SECRETS": PATH}
    del environment["SECRET_KEY"], environment["DATABASE_URL"]
    code = (
        "import json, django; django.setup()\n"
        "from django.conf import settings as s\n"
        "print(json.dumps([s.SECRET_KEY, s.DATABASES['default']['HOST']]))"
    )
    found = run("loanoffice.settings.production", "-c", code, **environment)
    assert json.loads(found.stdout or "null") == [SECRET, "there.example.com"], found.stderr
    assert asked(aws, "GetParametersByPath") == 1


def test_a_variable_that_the_secrets_lack_is_still_named(aws: Aws) -> None:
    put_parameters(aws, SECRET_KEY=SECRET)
    environment = COMPLETE | aws.environment | {"LOANOFFICE_SECRETS": PATH}
    environment["LOANOFFICE_FUNCTION"] = "loan-approval"
    del environment["SECRET_KEY"], environment["DATABASE_URL"]
    found = run("loanoffice.settings.functions", "-c", "import functions.setup", **environment)
    assert found.returncode != 0
    assert found.stderr.strip().splitlines()[-1].endswith("are missing: DATABASE_URL.")
    assert SECRET not in found.stderr


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_parameters_under_a_path_become_variables(aws: Aws, read: Read, path: str) -> None:
    put_parameters(aws, SECRET_KEY=SECRET, DATABASE_URL=DATABASE)
    found = read(path)
    assert (found["SECRET_KEY"], found["DATABASE_URL"]) == (SECRET, DATABASE)


def test_more_parameters_than_one_page_are_all_read(aws: Aws, read: Read) -> None:
    names = {f"MORE_{number}" for number in range(20)}
    put_parameters(aws, **dict.fromkeys(names, "more"))
    assert read(PATH).keys() == names | {"LOANOFFICE_SECRETS"}
    assert asked(aws, "GetParametersByPath") > 1


def test_a_secret_in_secrets_manager_becomes_variables(aws: Aws, read: Read) -> None:
    found = read(make_secret(aws, json.dumps({"SECRET_KEY": SECRET, "DATABASE_URL": DATABASE})))
    assert (found["SECRET_KEY"], found["DATABASE_URL"]) == (SECRET, DATABASE)
    assert asked(aws, "GetSecretValue") == 1


def test_a_variable_that_is_set_stays_as_it_is(aws: Aws, read: Read) -> None:
    put_parameters(aws, SECRET_KEY=SECRET, DATABASE_URL=DATABASE)
    found = read(PATH, DATABASE_URL="postgresql://u:p@here.example.com/l")
    assert found["DATABASE_URL"] == "postgresql://u:p@here.example.com/l"
    assert found["SECRET_KEY"] == SECRET


def test_without_the_variable_nobody_is_asked(aws: Aws, read: Read) -> None:
    assert read("") == {"LOANOFFICE_SECRETS": ""}
    assert not aws.requests("POST")


def test_no_parameter_under_the_path_is_said(read: Read) -> None:
    assert "no parameter is there" in refused(read, PATH)


def test_a_secret_that_is_not_there_is_said_with_what_the_function_needs(read: Read) -> None:
    said = refused(read, "arn:aws:secretsmanager:ca-central-1:123456789012:secret:none-AbCdEf")
    assert "ResourceNotFoundException" in said
    assert "needs secretsmanager:GetSecretValue" in said


@pytest.mark.parametrize("content", [SECRET, f'["{SECRET}"]', json.dumps({"PORT": [SECRET]})])
def test_a_secret_of_another_form_is_refused_and_not_shown(
    aws: Aws, read: Read, content: str
) -> None:
    assert "not a JSON object of strings" in refused(read, make_secret(aws, content))


def test_a_name_that_is_no_variable_is_refused(aws: Aws, read: Read) -> None:
    put_parameters(aws, **{"SECRET_KEY": SECRET, "secret-key": SECRET})
    assert "there is a secret-key in it" in refused(read, PATH)


@pytest.mark.parametrize("source", ["loanoffice", "arn:aws:s3:::bucket", "/"])
def test_a_source_of_another_kind_is_refused(aws: Aws, read: Read, source: str) -> None:
    assert "has to be the path of parameters" in refused(read, source)
    assert not aws.requests("POST")


def test_aws_out_of_reach_is_said(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    said = refused(read, PATH)
    assert "cannot be read" in said
    assert "a way to the service from its network" in said
