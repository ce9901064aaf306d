"""Run management commands in the new package on AWS, before anything goes live.

The database is reached from inside the network only, so a companion runs them there, from
the version that was just published.
"""

import json
import os
from typing import Any

import click
from botocore.config import Config
from click import ClickException

from deploy.explained_errors import explained
from deploy.stage import companions_of

LONGEST = 900  # seconds that a function may take
SAFE_FROM = "LOANOFFICE_SAFE_FROM"
NOT_LIVE = "Nothing has gone live. When the cause is corrected, run the same command again."


def run_before_live(cli: Any, published: dict[str, str]) -> None:
    """Run the companions' commands; the first that fails ends the deploy."""
    for companion in companions_of(cli):
        for command in companion.before_live:
            _run(cli, companion.function, published[companion.function], _command_line(command))


def _command_line(command: str) -> list[str]:
    """Make the command's words; ``drain`` gets ``--safe-from`` if the operator set it."""
    words = command.split()
    if words[0] == "drain" and (version := os.environ.get(SAFE_FROM)):
        words += ["--safe-from", version]
    return words


def _run(cli: Any, function: str, version: str, words: list[str]) -> None:
    line = f"manage.py {' '.join(words)}"
    click.echo(f"{line}, in {function}:{version}")
    # Invoked once: a slow migration must not be started a second time beside itself.
    config = Config(read_timeout=LONGEST + 10, retries={"total_max_attempts": 1})
    with explained(f"{line} could not be run", advice=NOT_LIVE):
        answer = cli.zappa.boto_client("lambda", config=config).invoke(
            FunctionName=function, Qualifier=version, Payload=json.dumps({"command": words})
        )
        payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        why = f"{payload.get('errorType')}: {payload.get('errorMessage')}"
        raise ClickException(f"{line} failed. {why}\n{NOT_LIVE}")
    click.echo(payload["output"].rstrip())
    if payload["exit"] != 0:
        raise ClickException(f"{line} ended with {payload['exit']}. {_advice(words)}")


def _advice(words: list[str]) -> str:
    if words[0] != "drain":
        return NOT_LIVE
    return (
        f"{NOT_LIVE} If every version from N on does without what the migrations take away, say "
        f"so: {SAFE_FROM}=N."
    )
