"""A stage from its first deploy to its end, with the whole package, its roles and its gateway.

The management commands really run, from the package that was uploaded, on a real PostgreSQL
and on the stand-in's S3 and Lambda.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest

from devtools.postgresql import as_login as with_login
from tests.deploy.aws.book import Request
from tests.deploy.office import (
    COMPANIONS,
    CREDENTIALS,
    LOAN,
    MANAGE,
    REGION,
    VENV,
    WEB,
    Aws,
    Office,
    where_zappa_looks_for_its_newest_version,
)

STATIC, MEDIA = "test-staging-static-bucket", "test-staging-media-bucket"
APP = "whole_life_app"
SECRETS = {"SECRET_KEY": "kept elsewhere, and long enough to be one: 0123456789"}


def as_login(database: str) -> str:
    """The URL of the login that owns nothing."""
    return with_login(database, APP, "a-password")


@dataclass(frozen=True)
class Chapter:
    """Output of a command, its requests, and the state after it."""

    said: str
    requests: list[Request]
    outside: list[str]
    live: dict[str, str]  # the package of each companion's alias
    web: str | None  # the web function's package
    functions: set[str]

    def of(self, *operations: str) -> list[Request]:
        return [each for each in self.requests if each.operation in operations]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """An empty PostgreSQL database."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgresql:"):
        pytest.exit("These tests need PostgreSQL: they are run by `make test-deploy`.", 1)
    with psycopg.connect(server, autocommit=True) as connection:
        # One of a run that was interrupted is there still.
        connection.execute("DROP DATABASE IF EXISTS whole_life WITH (FORCE)")
        connection.execute("CREATE DATABASE whole_life")
        yield urlsplit(server)._replace(path="/whole_life").geturl()
        connection.execute("DROP DATABASE whole_life WITH (FORCE)")
        connection.execute(f"DROP ROLE IF EXISTS {APP}")


@pytest.fixture(scope="module")
def life(aws: Aws, database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chapter]:
    """The whole of it, told in chapters; the tests look into them."""
    aws.reset()
    office = Office(tmp_path_factory.mktemp("whole"), aws)
    prepare_account(aws, database)
    chapters: dict[str, Chapter] = {}

    def chapter(name: str, do: Callable[[], str]) -> None:
        aws.tell(forget_requests=True)
        said = do()
        told = aws.tell()
        there = aws.functions()
        chapters[name] = Chapter(
            said=said,
            requests=[Request(**each) for each in told["requests"]],
            outside=told["outside"],
            live={each: aws.live_package(each) for each in COMPANIONS if each in there},
            web=aws.configuration(WEB)["CodeSha256"] if WEB in there else None,
            functions=there,
        )

    chapter("roles", office.make_roles)
    whole = {"VIRTUAL_ENV": str(VENV)}
    chapter("deploy", lambda: office.zappa("deploy", **whole))
    aws.executions(("LOAN-1-1", "1", "RUNNING"), ("LOAN-2-1", "1", "PAUSED"))
    office.change_something()
    chapter("update", lambda: office.zappa("update", **whole))
    chapter("second update", lambda: office.ship("update"))
    chapter("rollback", lambda: office.zappa("rollback"))
    package = office.package("made elsewhere")
    chapter("update from a zip", lambda: office.ship("update", "--zip", package))
    chapter("undeploy refused", lambda: office.zappa("undeploy", "--yes", code=1))
    aws.executions(("LOAN-1-1", "1", "SUCCEEDED"), ("LOAN-2-1", "1", "STOPPED"))
    chapter("undeploy", lambda: office.zappa("undeploy", "--yes"))
    return chapters


def prepare_account(aws: Aws, database: str) -> None:
    """Create what the runbook creates by hand: buckets, secrets, database."""
    for bucket in (STATIC, MEDIA):
        where = {"LocationConstraint": REGION}
        aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    secrets = {
        "staging": {**SECRETS, "DATABASE_URL": as_login(database)},
        "staging-manage": {
            **SECRETS,
            "DATABASE_URL": database,
            "LOANOFFICE_APP_DATABASE_URL": as_login(database),
        },
    }
    for stage, parameters in secrets.items():
        for name, value in parameters.items():
            aws.client("ssm").put_parameter(
                Name=f"/loanoffice/{stage}/{name}", Value=value, Type="SecureString"
            )
    aws.tell(
        environment={
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": aws.url,
        }
    )


@pytest.mark.parametrize("name", ["deploy", "update"])
def test_requests_of_a_whole_command_are_shown(
    life: dict[str, Chapter], name: str, record_property: Callable[[str, object], None]
) -> None:
    lines = in_short(life[name].requests)
    record_property("requests", [f"The requests of zappa {name}", *lines])

    assert len(lines) > 40


def test_first_deploy_creates_publishes_migrates_and_points_the_aliases_last(
    life: dict[str, Chapter],
) -> None:
    deploy = life["deploy"]

    order = deploy.of("CreateFunction", "PublishVersion", "Invoke", "CreateStack", "CreateAlias")
    assert [(each.operation, each.subject) for each in order] == [
        *(
            (operation, each)
            for each in COMPANIONS
            for operation in ("CreateFunction", "PublishVersion")
        ),
        *[("Invoke", MANAGE)] * 4,
        ("CreateFunction", WEB),
        ("CreateStack", WEB),
        *(("CreateAlias", each) for each in COMPANIONS),
    ]
    assert set(deploy.live.values()) == {deploy.web}
    assert "Deployment complete" in deploy.said


def test_database_was_migrated_and_the_static_files_published_by_the_new_package(
    life: dict[str, Chapter],
) -> None:
    deploy = life["deploy"]

    assert "Applying applications.0001_initial... OK" in deploy.said
    assert "Applying workflows.0001_initial... OK" in deploy.said
    put = {each.subject for each in deploy.of("PutObject")}
    assert f"{STATIC}/staticfiles.json" in put
    assert any(each.startswith(f"{STATIC}/admin/css/base.") for each in put)
    assert "No migrations to apply." in life["update"].said
    assert "\n0 static files copied" in life["update"].said


def test_drain_asks_the_engine_and_names_who_sleeps(life: dict[str, Chapter]) -> None:
    said = life["update"].said

    assert f"No execution of {LOAN} is unfinished." in life["deploy"].said
    assert f"Unfinished executions of {LOAN}:" in said
    assert "LOAN-1-1" in said
    assert "LOAN-2-1" in said
    assert "Nothing is in the way of migrating." in said


def test_no_secret_is_in_any_request_that_makes_or_changes_a_function(
    life: dict[str, Chapter], database: str
) -> None:
    told = [
        json.dumps(each.body)
        for chapter in life.values()
        for each in chapter.of("CreateFunction", "UpdateFunctionConfiguration")
    ]
    assert len(told) >= 4 * 4
    for secret in (*SECRETS.values(), database):
        assert not [each for each in told if secret in each]
    paths = {
        each.subject: each.body["Environment"]["Variables"]["LOANOFFICE_SECRETS"]
        for each in life["deploy"].of("CreateFunction")
    }
    own = {each: f"/loanoffice/staging{each.removeprefix(WEB)}" for each in (WEB, *COMPANIONS)}
    assert paths == own


def test_durability_is_asked_for_once_in_the_life_of_the_stage(life: dict[str, Chapter]) -> None:
    asked = [
        (name, each.operation, each.subject, each.body["DurableConfig"])
        for name, chapter in life.items()
        for each in chapter.requests
        if isinstance(each.body, dict) and "DurableConfig" in each.body
    ]
    config = {"ExecutionTimeout": 5_184_000, "RetentionPeriodInDays": 90}
    assert asked == [("deploy", "CreateFunction", LOAN, config)]


def test_management_commands_are_invoked_by_the_version_that_was_published(
    life: dict[str, Chapter],
) -> None:
    for name, version in (("deploy", "1"), ("update", "2")):
        assert {(each.subject, each.query["Qualifier"]) for each in life[name].of("Invoke")} == {
            (MANAGE, version)
        }


def test_roles_of_the_functions_are_the_ones_that_were_made(life: dict[str, Chapter]) -> None:
    made = {each.subject for each in life["roles"].requests if each.operation == "CreateRole"}

    used = {each.body["Role"].rpartition("/")[2] for each in life["deploy"].of("CreateFunction")}
    assert made == used == {WEB, *COMPANIONS}
    assert not [
        each
        for name, chapter in life.items()
        for each in chapter.of("CreateRole", "PutRolePolicy", "AttachRolePolicy")
        if name != "roles"
    ]


def test_package_has_the_functions_and_nothing_of_the_tests_or_the_deploy(
    life: dict[str, Chapter], aws: Aws
) -> None:
    packages = sorted(aws.folder.glob("*/functions/manage.py"))
    assert packages
    for found in packages:
        package = found.parents[1]
        assert (package / "functions" / "loan_approval.py").is_file()
        assert "DEBUG=False" in (package / "zappa_settings.py").read_text()
        there = {each.name for each in package.iterdir()}
        unwanted = {"tests", "deploy", "docs", "var", "moto", "pytest", "requirements", ".git"}
        assert not there & unwanted
        assert not (package / "functions" / "local").exists()


def test_update_keeps_the_version_that_executions_sleep_on(life: dict[str, Chapter]) -> None:
    deleted = [
        (each.subject, each.query.get("Qualifier"))
        for name in ("update", "second update", "update from a zip")
        for each in life[name].of("DeleteFunction")
    ]
    assert (LOAN, "1") not in deleted


def test_rollback_brings_the_package_of_the_update_before(life: dict[str, Chapter]) -> None:
    rollback, update = life["rollback"], life["update"]

    assert rollback.web == update.web != life["second update"].web
    assert set(rollback.live.values()) == {update.web}


def test_update_from_a_zip_brings_all_functions_to_it(life: dict[str, Chapter]) -> None:
    update = life["update from a zip"]

    assert set(update.live.values()) == {update.web}
    assert update.web not in {life[name].web for name in ("deploy", "update", "second update")}
    assert not update.of("PutObject") or all(
        "template" in each.subject for each in update.of("PutObject")
    )


def test_undeploy_waits_for_the_executions_and_then_takes_everything(
    life: dict[str, Chapter],
) -> None:
    refused = life["undeploy refused"]
    assert "2 unfinished executions" in refused.said
    assert refused.functions == {WEB, *COMPANIONS}
    assert not refused.of("DeleteStack", "DeleteFunction", "DeleteRule")

    assert life["undeploy"].functions == set()
    assert life["undeploy"].of("DeleteStack", "DeleteRule")


def test_nothing_but_zappas_newest_version_is_asked_for_outside_of_the_account(
    life: dict[str, Chapter],
) -> None:
    assert {each for chapter in life.values() for each in chapter.outside} == {
        where_zappa_looks_for_its_newest_version()
    }


def in_short(requests: list[Request]) -> list[str]:
    """One line for each request, one for many alike."""
    lines: list[tuple[str, int]] = []
    for each in requests:
        line = str(each)
        if each.service == "s3" and (STATIC in each.subject or MEDIA in each.subject):
            line = f"{'s3':15} {'static files':34} {STATIC}"
        if lines and lines[-1][0] == line:
            lines[-1] = (line, lines[-1][1] + 1)
        else:
            lines.append((line, 1))
    return [f"{line}  ({many} times)" if many > 1 else line for line, many in lines]
