"""A project folder, an AWS that stands in, and the real ``zappa`` between them."""

import io
import json
import os
import re
import subprocess
import sys
import urllib.request
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from devtools.aws.checkout import copy_project
from tests.deploy.aws.book import Request

REPOSITORY = Path(__file__).parents[2]
VENV = REPOSITORY / ".venv-deploy"
REGION = "ca-central-1"
STAGE = "staging"
WEB = f"loanoffice-{STAGE}"
LOAN, FRAUD, MANAGE = f"{WEB}-loan-approval", f"{WEB}-fraud-check", f"{WEB}-manage"
COMPANIONS = (FRAUD, LOAN, MANAGE)
# drain, migrate, database_login, collectstatic
COMMANDS_SUCCEED = [{"exit": 0, "output": "as scripted"}] * 4
MEDIA_KEY = f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"
CHANGING = {
    "CreateFunction",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "PublishVersion",
    "CreateAlias",
    "UpdateAlias",
    "DeleteFunction",
}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Aws:
    """Client of the stand-in for AWS."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder  # of unpacked packages

    def client(self, service: str) -> Any:
        """boto3 for the stand-in; its requests are noted, too."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def tell(self, **news: Any) -> dict[str, Any]:
        return self._control("tell", news)

    def reset(self, *, come_back_to: str = "") -> None:
        """Forget everything; or everything since it was kept under that name."""
        self._control("reset", {"come_back_to": come_back_to})

    def keep(self, name: str) -> None:
        self._control("keep", {"name": name})

    def requests(self, *operations: str, service: str = "lambda") -> list[Request]:
        """Return the requests to one service, in order; only these operations if any are named."""
        found = [Request(**each) for each in self.tell()["requests"]]
        return [
            each
            for each in found
            if each.service == service and (not operations or each.operation in operations)
        ]

    def changes(self) -> list[str]:
        """Return the changes of functions, in order: ``"UpdateAlias loanoffice-..."``."""
        return [
            f"{each.operation} {each.subject}"
            for each in self.requests()
            if each.operation in CHANGING and each.status < 300
        ]

    def everything(self) -> list[Request]:
        """Return the requests to all services, in order."""
        return [Request(**each) for each in self.tell()["requests"]]

    def executions(self, *told: tuple[str, str, str]) -> None:
        """Let there be these executions of the loan approval: name, version, status."""
        keys = ("name", "version", "status")
        self.tell(executions=[{"function": LOAN, **dict(zip(keys, e, strict=True))} for e in told])

    def fault(self, operation: str, status: int, error: str, **more: Any) -> None:
        """The next such request is refused."""
        told = {"operation": operation, "status": status, "error": error, "message": "", **more}
        self.tell(faults=[told])

    def shipped_before(self, content: str, *, web: bool = True, live: bool = True) -> None:
        """Let there have been another deploy, of a package that is only this."""
        client, package = self.client("lambda"), packed(content)
        for function in (*COMPANIONS, *([WEB] if web else [])):
            client.update_function_code(FunctionName=function, ZipFile=package)
            version = client.publish_version(FunctionName=function)["Version"]
            if live and function != WEB:
                client.update_alias(FunctionName=function, Name="live", FunctionVersion=version)
        self.tell(forget_requests=True)

    # --- What is there ------------------------------------------------------------------------

    def alias(self, function: str) -> str:
        """The version that ``live`` points at."""
        found = self.client("lambda").get_alias(FunctionName=function, Name="live")
        return str(found["FunctionVersion"])

    def versions(self, function: str) -> dict[str, str]:
        """The package's hash of each published version."""
        found = self.client("lambda").list_versions_by_function(FunctionName=function)
        return {
            each["Version"]: each["CodeSha256"]
            for each in found["Versions"]
            if each["Version"] != "$LATEST"
        }

    def live_package(self, function: str) -> str:
        return self.versions(function)[self.alias(function)]

    def functions(self) -> set[str]:
        found = self.client("lambda").list_functions()
        return {each["FunctionName"] for each in found["Functions"]}

    def configuration(self, function: str, **which: str) -> dict[str, Any]:
        client = self.client("lambda")
        return dict(client.get_function_configuration(FunctionName=function, **which))

    def _control(self, what: str, told: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/_stand_in/{what}", data=json.dumps(told).encode()
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def standing_in(folder: Path) -> Iterator[Aws]:
    """The stand-in as a process of its own, until the block ends."""
    with (folder / "aws.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.deploy.aws", str(folder / "packages")],
            cwd=REPOSITORY,
            env={**os.environ, **CREDENTIALS, "PYTHONWARNINGS": "default"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready port="), (folder / "aws.log").read_text()
        try:
            yield Aws(f"http://127.0.0.1:{line.strip().rpartition('=')[2]}", folder / "packages")
        finally:
            process.terminate()
            process.wait(timeout=30)
            process.stdout.close()


class Office:
    """A checkout of the project whose stage is filled in, and the commands run in it."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self.folder = folder / "loanoffice"
        self.aws = aws
        self.settings = filled_in(settings_as_they_are())
        # Zappa packs the environment that this names; one with little in it is packed at once.
        self.packed = folder / "little"
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        (self.packed / "lib" / python / "site-packages").mkdir(parents=True)
        copy_project(self.folder)
        self.save_settings()

    def save_settings(self, **changes: Any) -> None:
        """Write ``zappa_settings.json``, the stage changed first."""
        self.settings[STAGE] |= changes
        (self.folder / "zappa_settings.json").write_text(json.dumps(self.settings))

    def zappa(self, command: str, *words: str, code: int = 0, **environment: str) -> str:
        """Run the real command; returns all that it said. Its exit code has to be this."""
        program = str(VENV / "bin" / "zappa")
        return self._run(program, command, STAGE, *words, code=code, **environment)

    def ship(self, command: str, *words: str, code: int = 0, **environment: str) -> str:
        """``deploy`` or ``update`` while the management commands succeed unasked."""
        self.change_something()
        self.aws.tell(answers=COMMANDS_SUCCEED)
        said = self.zappa(command, *words, code=code, **environment)
        self.aws.tell(forget_answers=True)
        return said

    def change_something(self) -> None:
        """The same files give the same package; now they are others."""
        (self.folder / "loanoffice" / "changed.txt").write_text(uuid.uuid4().hex)

    def make_roles(self, *words: str, code: int = 0) -> str:
        python = str(VENV / "bin" / "python")
        return self._run(python, "-m", "deploy.roles", *(words or (STAGE,)), code=code)

    def package(self, content: str) -> str:
        """A package that is only this; the name of its file."""
        name = f"{content}.zip"
        (self.folder / name).write_bytes(packed(content))
        return name

    def _run(self, *words: str, code: int, **environment: str) -> str:
        ran = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ran.returncode == code, f"{words} ended with {ran.returncode}:\n{ran.stdout}"
        return ran.stdout

    def _environment(self) -> dict[str, str]:
        """Nothing of this machine but its programs; whatever is not AWS is refused and noted."""
        return {
            "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.packed),
            "HOME": str(self.folder.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **CREDENTIALS,
            "HTTP_PROXY": self.aws.url,
            "HTTPS_PROXY": self.aws.url,
            "NO_PROXY": "127.0.0.1",
        }


def packed(content: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as package:
        package.writestr(zipfile.ZipInfo("content.txt"), content)
    return written.getvalue()


def make_plain_roles(aws: Aws) -> None:
    """Roles that nobody looks into; ``deploy.roles`` has tests of its own."""
    iam = aws.client("iam")
    for name in (WEB, *COMPANIONS):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")


def where_zappa_looks_for_its_newest_version() -> str:
    """The only address outside of the account that it may ask, read from its own source."""
    (source,) = VENV.glob("lib/*/site-packages/zappa/utilities.py")
    found = re.search(r'pypi_url = "https://([^/"]+)/', source.read_text())
    assert found is not None
    return f"{found[1]}:443"


def settings_as_they_are() -> dict[str, Any]:
    return dict(json.loads((REPOSITORY / "zappa_settings.json").read_text()))


def filled_in(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as they are, with something in the place of each placeholder.

    The package is for the Python that runs the tests, so that it can be built here.
    """
    text = json.dumps(settings).replace("<media-key-arn>", MEDIA_KEY)
    text = re.sub(r"<([a-z-]+)>", r"test-\1", text)
    text = text.replace("test-staging-domain", "loans.example.com")
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return dict(json.loads(text.replace("python3.13", runtime)))


def needs_the_deploy_environment() -> None:
    if not (VENV / "ready").exists():
        pytest.exit("There is no .venv-deploy: these tests are run by `make test-deploy`.", 1)
