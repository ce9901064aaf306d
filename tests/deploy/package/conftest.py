"""The package, built and unpacked once, and its functions, on a database and an AWS of theirs."""

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput

from devtools.postgresql import as_login
from functions.local.engine import LocalEngine
from functions.local.function import Function as EngineFunction
from tests.aws.process import REGION, Aws, standing_in
from tests.aws.production import COMPLETE, run
from tests.deploy.office import needs_the_deploy_environment
from tests.deploy.package.build import DOMAIN, STAGE_HOST, build
from tests.deploy.package.runtime import Function
from tests.functions.local.support import ENDED, client_for

OWNER, APP = f"package_owner_{os.getpid()}", f"package_app_{os.getpid()}"
RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
MANAGER, PASSWORD = "manager", "a long password"
# The secret of the authenticator app that production requires of a manager.
APP_KEY = "a1b2c3d4e5f6" * 3
PEOPLE = f"""
import json, django; django.setup()
from django.contrib.auth.models import Group, User
from accounts.models import SecondFactor
from accounts.roles import Role
from partners.models import Partner
from partners.services.keys import partner_key_issue
manager = User.objects.create_user({MANAGER!r}, "m@example.com", {PASSWORD!r}, is_staff=True)
manager.groups.set(Group.objects.filter(name=Role.MANAGER.value))
SecondFactor.objects.create(user=manager, name="App", key={APP_KEY!r}, confirmed=True)
partner = Partner.objects.create(name="Maple Brokers")
print(json.dumps(partner_key_issue(partner=partner)[1]))
"""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip."""
    needs_the_deploy_environment()
    return build(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Lambda would have at /var/task."""
    folder = tmp_path_factory.mktemp("lambda") / "task"
    with zipfile.ZipFile(package) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime and what it needs, and nothing else of the tests' environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for path in map(Path, sys.path):
        for found in path.glob("*") if path.name == "site-packages" else ():
            if found.name.partition(".")[0] in RUNTIME and not found.name.endswith("-info"):
                if found.is_dir():
                    shutil.copytree(found, folder / found.name)
                else:
                    shutil.copyfile(found, folder / found.name)
    return folder


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An AWS account with the two buckets and the secrets."""
    with standing_in(tmp_path_factory.mktemp("account") / "aws.log") as aws:
        aws.make_bucket(COMPLETE["MEDIA_BUCKET"])
        aws.make_bucket(COMPLETE["STATIC_BUCKET"])
        yield aws


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """An empty PostgreSQL database, and its owner, who is no superuser, as in the runbook."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgresql:"):
        pytest.exit("These tests need PostgreSQL: they are run by `make test-deploy`.", 1)
    name = f"package_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD 'a-password'")
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    yield as_login(urlsplit(server)._replace(path=f"/{name}").geturl(), OWNER, "a-password")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE IF EXISTS {APP}")
        connection.execute(f"DROP ROLE {OWNER}")


class Office:
    """All functions of a stage, as one package has them, and the engine between them."""

    def __init__(
        self, *, package: Path, runtime: Path, account: Aws, database_url: str, data: Path
    ) -> None:
        self.account = account
        self.database_url = database_url
        self.functions: dict[str, Function] = {}
        path = "/loanoffice/production"
        self.login_url = as_login(database_url, APP, "a-password")
        secrets = {
            path: {"DATABASE_URL": self.login_url, "SECRET_KEY": COMPLETE["SECRET_KEY"]},
            f"{path}-loan-approval": {"DATABASE_URL": self.login_url},
            f"{path}-fraud-check": {"DATABASE_URL": self.login_url},
            f"{path}-manage": {
                "DATABASE_URL": database_url,
                "LOANOFFICE_APP_DATABASE_URL": self.login_url,
            },
        }
        for place, parameters in secrets.items():
            for name, value in parameters.items():
                account.client("ssm").put_parameter(
                    Name=f"{place}/{name}", Value=value, Type="SecureString"
                )
        loan, fraud = COMPLETE["LOAN_APPROVAL_FUNCTION"], COMPLETE["FRAUD_CHECK_FUNCTION"]
        self.engine = LocalEngine(
            functions={
                loan.partition(":")[0]: EngineFunction(self._carry, durable=True),
                fraud.partition(":")[0]: EngineFunction(self._check),
            },
            data=data,
            region=REGION,
        )
        self.engine.start()
        environment = (
            {
                name: value
                for name, value in COMPLETE.items()
                if name not in {"SECRET_KEY", "DATABASE_URL"}
            }
            | account.environment
            | {
                "ALLOWED_HOSTS": f"{DOMAIN},{STAGE_HOST}",
                "LOANOFFICE_SECRETS": path,
                "AWS_ENDPOINT_URL_LAMBDA": self.engine.url,
                "DJANGO_SETTINGS_MODULE": "loanoffice.settings.production",
            }
        )
        lean = environment | {"DJANGO_SETTINGS_MODULE": "loanoffice.settings.functions"}

        def own(name: str) -> dict[str, str]:
            return {"LOANOFFICE_FUNCTION": name, "LOANOFFICE_SECRETS": f"{path}-{name}"}

        for name, handler, variables in (
            ("web", "handler.lambda_handler", environment),
            ("loan", "functions.loan_approval.handler", lean | own("loan-approval")),
            ("fraud", "functions.fraud_check.handler", lean | own("fraud-check")),
            (
                "manage",
                "functions.manage.handler",
                environment | own("manage") | {"LOANOFFICE_DATABASE_OWNER": "true"},
            ),
        ):
            self.functions[name] = Function(
                name, handler, package=package, runtime=runtime, environment=variables
            )

    @property
    def web(self) -> Function:
        return self.functions["web"]

    def ask_database(self, question: str, *values: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(question, values).fetchall()

    # What the engine calls; the functions are there after it, for they are told where it is.

    def _carry(self, event: DurableExecutionInvocationInput, _: object) -> Any:
        return self.functions["loan"].carry(event)

    def _check(self, event: Any, _: object) -> Any:
        return self.functions["fraud"].invoke(event)

    def finished(self, arn: str) -> dict[str, Any] | None:
        """Return the engine's description of an execution once it has ended."""
        client = client_for(self.engine.url)
        told: dict[str, Any] = client.get_durable_execution(DurableExecutionArn=arn)
        return told if told["Status"] in ENDED else None

    def close(self) -> None:
        self.engine.stop(grace=0)
        for function in self.functions.values():
            function.close()


@pytest.fixture(scope="session")
def office(
    unpacked: Path,
    runtime: Path,
    account: Aws,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    """The functions, their database migrated and their static files collected by the package."""
    office = Office(
        package=unpacked,
        runtime=runtime,
        account=account,
        database_url=database_url,
        data=tmp_path_factory.mktemp("engine"),
    )
    try:
        for command in ("migrate --noinput", "database_login", "collectstatic --noinput"):
            done = office.functions["manage"].invoke({"command": command.split()})
            assert done["exit"] == 0, done
        yield office
    finally:
        office.close()


@pytest.fixture(scope="session")
def partner_key(office: Office) -> str:
    """A live key of a partner; with it there is a manager."""
    environment = COMPLETE | {"DATABASE_URL": office.login_url}
    made = run("loanoffice.settings.production", "-c", PEOPLE, **environment)
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout))
