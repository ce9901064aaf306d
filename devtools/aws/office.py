"""The whole office on emulated AWS: its parts, and the commands of its life."""

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import boto3
import urllib3

from devtools.aws.checkout import copy_project
from devtools.aws.database import database
from devtools.aws.emulator import DEPLOY_VENV, emulator
from devtools.aws.engine import engine
from devtools.aws.front import CERTIFICATE, front
from devtools.aws.names import CREDENTIALS, DOMAIN, REGION, REPOSITORY, STAGE, WEB, Ports
from devtools.aws.router import router
from devtools.aws.stage import prepare_account, write_settings
from devtools.ports import free_port
from devtools.supervisor import Process

PATIENCE = 120.0  # seconds until a part answers
# MiniStack runs a process for each request that comes at the same time, and a cold one takes
# seconds: a page that polls, and a person beside it.
WARM = 3
DEMO_DATA = """
import django; django.setup()
from devtools.demo_data import create_demo_data
create_demo_data()
"""


class NotStarted(Exception):
    """A part did not start, or a command failed; the text says which, and how it ended."""


class EmulatedOffice:
    """A context in which everything but the stage is there; ``deploy`` makes that.

    ``folder`` has to be new; logs, e-mails and the copy of the project are there. ``port`` is that
    of the office, 0 for a free one.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self._wanted_port = port
        self._stack = ExitStack()
        self._engine: Process | None = None
        self._engine_has_begun = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything; no process is left."""
        if self._engine is not None:
            self._engine.stop()
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        self.folder.mkdir(parents=True)
        behind, durable = free_port(), free_port()
        try:
            outside = front(self._wanted_port, emulator=behind, folder=self.folder)
        except OSError as error:
            raise NotStarted(
                f"Port {self._wanted_port} cannot be used ({error.strerror}). Choose another: "
                f"PORT={self._wanted_port + 100} make demo-aws"
            ) from error
        endpoint = router(
            0, emulator=behind, engine=durable, has_begun=lambda: self._engine_has_begun
        )
        for server in (outside, endpoint):
            server.start()
            stack.callback(server.stop)
        self.ports = Ports(outside.server_port, endpoint.server_port, behind, durable)
        self.database = stack.enter_context(database())
        aws = emulator(behind, folder=self.folder / "aws", log=self.folder / "aws.log")
        stack.callback(aws.stop)
        start(aws)
        key = prepare_account(self.client, database=self.database)
        copy_project(self.checkout)
        write_settings(self.checkout, ports=self.ports, key=key, data=self.folder)

    def client(self, service: str) -> Any:
        """Return boto3's client of a service of the emulated AWS."""
        make: Any = boto3.client  # typed for each service by its name
        return make(
            service,
            endpoint_url=self.ports.aws,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    # --- The stage's life ---------------------------------------------------------------------

    def deploy(self) -> None:
        """Make the roles, deploy, and make the logins of the demo."""
        self.run("python", "-m", "deploy.roles", STAGE)
        self.zappa("deploy")
        self._serve_what_is_live()
        self._make_demo_data()

    def update(self) -> None:
        """Deploy what the checkout has now."""
        self.zappa("update")
        self._serve_what_is_live()

    def undeploy(self, *, code: int = 0) -> str:
        return self.zappa("undeploy", "--yes", code=code)

    def zappa(self, command: str, *words: str, code: int = 0) -> str:
        """Run the real command in the checkout; return its output. See ``run``."""
        return self.run("zappa", command, STAGE, *words, code=code)

    def run(self, program: str, *words: str, code: int = 0) -> str:
        """Run a program of the packing environment; raise ``NotStarted`` for another exit code."""
        log = self.folder / "zappa.log"
        with log.open("a+") as output:
            begin = output.tell()
            process = subprocess.Popen(  # noqa: S603
                [str(DEPLOY_VENV / "bin" / program), *words],
                cwd=self.checkout,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                process.wait()
            finally:
                with suppress(ProcessLookupError):  # it has ended
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(begin)
            said = output.read()
        if process.returncode != code:
            raise NotStarted(
                f"{program} {' '.join(words)} ended with {process.returncode}; {log} has all of "
                f"it:\n{said[-2000:]}"
            )
        return said

    def _environment(self) -> dict[str, str]:
        """Nothing of this machine but its programs; what is not on it is refused by the router."""
        return {
            "PATH": f"{DEPLOY_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(DEPLOY_VENV),
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.ports.aws,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HTTP_PROXY": self.ports.aws,
            "HTTPS_PROXY": self.ports.aws,
            "NO_PROXY": "127.0.0.1",
            **CREDENTIALS,
        }

    # --- After each deploy --------------------------------------------------------------------

    def _serve_what_is_live(self) -> None:
        api = self._map_domain()
        self._mend_binary_types(api)
        self.stop_engine()
        self.start_engine()
        self._warm_up()

    def start_engine(self) -> None:
        """Start the engine with the package that is live; it goes on with its executions."""
        self._engine = engine(
            self.ports.engine,
            client=self.client("lambda"),
            checkout=self.checkout,
            folder=self.folder / "engine",
            log=self.folder / "engine.log",
        )
        start(self._engine)
        self._engine_has_begun = True

    def stop_engine(self) -> None:
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    def _map_domain(self) -> str:
        """Map the domain to the newest API, as ``zappa certify`` would; return the API's id."""
        client = self.client("apigateway")
        apis = [each for each in client.get_rest_apis()["items"] if each["name"] == WEB]
        api = str(max(apis, key=lambda each: each["createdDate"])["id"])
        with suppress(client.exceptions.ConflictException, client.exceptions.BadRequestException):
            client.create_domain_name(domainName=DOMAIN)
        for mapping in client.get_base_path_mappings(domainName=DOMAIN).get("items", []):
            client.delete_base_path_mapping(domainName=DOMAIN, basePath=mapping["basePath"])
        client.create_base_path_mapping(domainName=DOMAIN, restApiId=api, stage=STAGE)
        return api

    def _mend_binary_types(self, api: str) -> None:
        """Say that all bodies may be binary, which MiniStack did not understand from Zappa."""
        operation = {"op": "replace", "path": "/binaryMediaTypes", "value": ["*/*"]}
        url = f"http://127.0.0.1:{self.ports.emulator}/restapis/{api}"
        answer = urllib3.request("PATCH", url, json={"patchOperations": [operation]}, timeout=30)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise NotStarted(f"The emulator did not take the binary types: {answer.data!r}")

    def _warm_up(self) -> None:
        deadline = time.monotonic() + PATIENCE
        with ThreadPoolExecutor(WARM) as pool:
            statuses = list(pool.map(lambda _: self._ready(deadline), range(WARM)))
        if not all(statuses):
            raise NotStarted(f"The web function is not ready; {self.folder / 'aws.log'} has why.")

    def _ready(self, deadline: float) -> bool:
        while time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                if self.status("/health/ready/") == http.HTTPStatus.OK:
                    return True
            time.sleep(0.5)
        return False

    def status(self, path: str) -> int:
        """Return the status with which the office answers a GET."""
        context = ssl.create_default_context(cafile=str(self.folder / CERTIFICATE))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.ports.front, timeout=60, context=context
        )
        try:
            connection.request("GET", path, headers={"Host": f"{DOMAIN}:{self.ports.front}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _make_demo_data(self) -> None:
        """Make the logins and the key of ``make demo``, in the stage's database."""
        made = subprocess.run(  # noqa: S603
            [sys.executable, "-c", DEMO_DATA],
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
                "DATABASE_URL": self.database.app,
                "LOANOFFICE_DATA": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise NotStarted(f"The demo's logins could not be made:\n{made.stderr[-2000:]}")


def start(process: Process) -> None:
    """Start a process and wait until it is healthy. Raises ``NotStarted``."""
    process.start()
    if process.wait_until_healthy(seconds=PATIENCE):
        return
    process.stop()
    raise NotStarted(f"{process.name} did not start; see {process.log}.{_end_of([process.log])}")


def _end_of(logs: Iterable[Path | None]) -> str:
    return "".join(f"\n{log.read_text()[-1500:]}" for log in logs if log is not None)
