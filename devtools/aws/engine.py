"""The embedded engine with the handlers of the package that is live on the emulated AWS."""

import base64
import http
import io
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import urllib3

from devtools.aws.names import ALIAS, CREDENTIALS, LOAN_APPROVAL, REGION
from devtools.supervisor import Process

SETTINGS = "engine_settings"
# The package leaves them out: on AWS, Lambda takes their place.
LEFT_OUT = ("local", "management")


def engine(port: int, *, client: Any, checkout: Path, folder: Path, log: Path) -> Process:
    """Return the process that runs the live version of the durable function.

    ``client`` is boto3's for the emulated Lambda, ``checkout`` the project that was packed.
    Executions are kept in ``folder``, so that the next engine there goes on with them.
    """
    found = client.get_function(FunctionName=LOAN_APPROVAL, Qualifier=ALIAS)
    configuration = found["Configuration"]
    # The hash is in base64, which has slashes.
    name = base64.urlsafe_b64encode(base64.b64decode(configuration["CodeSha256"])).decode()
    task = unpack(found["Code"]["Location"], folder / name, checkout=checkout)
    return Process(
        name="The engine",
        command=[
            sys.executable,
            "-m",
            "django",
            "durable_engine",
            f"--port={port}",
            f"--data={folder / 'executions'}",
        ],
        health=f"http://127.0.0.1:{port}/health",
        environment={
            **configuration["Environment"]["Variables"],
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            # The package's own libraries come first; of those here the engine needs a few more.
            "PYTHONPATH": str(task),
        },
        folder=task,
        log=log,
    )


def unpack(url: str, task: Path, *, checkout: Path) -> Path:
    """Unpack a package, and put beside it what the engine needs."""
    if task.exists():
        return task
    answer = urllib3.request("GET", url, timeout=60)
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"The emulator does not give the package: {answer.status}")
    zipfile.ZipFile(io.BytesIO(answer.data)).extractall(task)
    for name in LEFT_OUT:
        shutil.copytree(checkout / "functions" / name, task / "functions" / name)
    shutil.copyfile(Path(__file__).with_name(f"{SETTINGS}.py"), task / f"{SETTINGS}.py")
    return task
