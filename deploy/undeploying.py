"""Delete the companions, unless that would end executions that are still open."""

import os
from typing import Any

import click
from botocore.exceptions import ClientError
from click import ClickException

from deploy.executions import unfinished
from deploy.explained_errors import explained, is_missing
from deploy.stage import companions_of

OVERRIDE, ANYWAY = "LOANOFFICE_UNDEPLOY", "anyway"


def refuse_while_executions_are_open(cli: Any) -> None:
    """Raise ``ClickException`` with their number and names, or when AWS cannot list them."""
    if os.environ.get(OVERRIDE) == ANYWAY:
        return
    client = cli.zappa.lambda_client
    open_ones = []
    for companion in companions_of(cli):
        if companion.durable:
            with explained(
                f"Not known whether {companion.function} has unfinished executions",
                advice=f"Nothing was undeployed. {OVERRIDE}={ANYWAY} undeploys without asking.",
            ):
                found = unfinished(client, companion.function)
            open_ones += [str(found)] if found.many else []
    if open_ones:
        raise ClickException(
            f"Not undeployed. There is {'; '.join(open_ones)}. With their function they would be "
            "gone, and their applications would wait for ever. Let them end, or stop them "
            f"(Operations, Stop the workflow). {OVERRIDE}={ANYWAY} undeploys all the same."
        )


def remove_companions(cli: Any) -> None:
    """Delete the companions, and their logs when Zappa deletes those of the web function."""
    for companion in companions_of(cli):
        with explained(
            f"{companion.function} could not be deleted", advice="Run the same command again."
        ):
            try:
                cli.zappa.lambda_client.delete_function(FunctionName=companion.function)
            except ClientError as error:
                if not is_missing(error):
                    raise
            else:
                click.echo(f"{companion.function} is deleted.")
        if (cli.vargs or {}).get("remove_logs"):
            cli.zappa.remove_lambda_function_logs(companion.function)
