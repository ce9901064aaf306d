"""Run a management command inside the network, for the deploy and for support: a plain function.

It runs from the version that is about to go live, before anything does. Only the listed
commands are allowed: its callers get no shell.
"""

import functions.setup  # noqa: F401, I001 - Django first

from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command

from core import invocations

COMMANDS = frozenset(
    {
        "audit_seal",
        "audit_verify",
        "check",
        "collectstatic",
        "database_login",
        "drain",
        "migrate",
        "story",
    }
)
MOST = 100_000  # characters of the output that are returned, the last ones


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Run ``{"command": ["migrate", "--noinput"]}``.

    Returns ``{"exit": code, "output": text}``. Raises ``ValueError`` for another command,
    and any exception of the command that is not an exit code.
    """
    invocations.begin(context)
    name, *options = event["command"]
    if name not in COMMANDS:
        raise ValueError(f"{name} is not run here, only {', '.join(sorted(COMMANDS))}")
    output = StringIO()
    code = _run(name, options, output)
    return {"exit": code, "output": output.getvalue()[-MOST:]}


def _run(name: str, options: list[str], output: StringIO) -> int:
    try:
        call_command(name, *options, stdout=output, stderr=output, no_color=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except CommandError as error:
        output.write(f"{type(error).__name__}: {error}\n")
        return error.returncode
    return 0
