"""Builds the package as ``make package`` does, from what git would commit."""

import json
import os
import subprocess
from pathlib import Path

from devtools.aws.checkout import copy_project
from tests.deploy.office import STAGE, VENV, filled_in

DOMAIN = "loans.example.com"  # the stage's
# The address that API Gateway gives the stage, whose path Zappa tells Django.
STAGE_HOST = "abc123.execute-api.ca-central-1.amazonaws.com"
STAGE_SITE = f"https://{STAGE_HOST}/{STAGE}"


def build(folder: Path) -> Path:
    """The package of a fresh checkout in this folder."""
    copy_project(folder)
    settings = folder / "zappa_settings.json"
    settings.write_text(json.dumps(filled_in(json.loads(settings.read_text()))))
    package = folder / "package.zip"
    _run(folder, str(VENV / "bin" / "zappa"), "package", STAGE, "--output", package.name)
    _run(folder, str(VENV / "bin" / "python"), "-m", "deploy.package", package.name)
    return package


def _run(folder: Path, *words: str) -> None:
    ran = subprocess.run(
        words,
        cwd=folder,
        env={
            "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(VENV),
            "HOME": str(folder),
            "AWS_DEFAULT_REGION": "ca-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{words} ended with {ran.returncode}:\n{ran.stdout}"
