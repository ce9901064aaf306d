"""Deploy the durable function and its companions with the web function: Zappa's callbacks.

``on_settings`` runs first in every command and wraps the four methods with which Zappa
changes the web function; ``on_post`` runs last in ``deploy`` and ``update``. Zappa's own
``zip`` callback is not used: it is skipped with ``--zip``, a wrapped method never is.

Zappa loads this file anew for each callback, as a module of no package, so module state is
lost between them: state is kept on ``cli``.
"""

import functools
import sys
from pathlib import Path
from typing import Any

import click

# The command runs in the project's folder, but does not import from it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy import commands, companions, monitoring, package, releases, tracing, undeploying
from deploy.retries import retry_temporary_errors
from deploy.stage import refuse_invalid_settings


def on_settings(cli: Any) -> None:
    """Refuse invalid settings before anything is done, and wrap Zappa's methods."""
    if cli.command in {"deploy", "update", "package"}:
        refuse_invalid_settings(cli)
        package.finish_after_packing(cli)
    if cli.command in {"deploy", "update", "rollback"}:
        retry_temporary_errors(cli.zappa.lambda_client)
    if cli.command in {"deploy", "update"}:
        companions.refuse_without_roles(cli)
        tracing.switch(cli)
        _before(cli, "create_lambda_function", publish_companions)
        _before(cli, "update_lambda_function", publish_companions)
    elif cli.command == "rollback":
        _roll_back_together(cli)
    elif cli.command == "undeploy":
        undeploying.refuse_while_executions_are_open(cli)
        _before(cli, "delete_lambda_function", delete_companions)


def on_post(cli: Any) -> None:
    """Move the companions' aliases: the web function runs the new package now; then the alarms."""
    published = getattr(cli, "companions_published", None)
    if published is None:
        click.echo("No package was uploaded, so the companions stay as they are.")
    else:
        releases.go_live(cli, published)
        releases.delete_old_versions(cli)
    monitoring.monitoring_update(cli)


def publish_companions(cli: Any, **web: Any) -> None:
    """Publish the web function's new package in the companions; none is live yet."""
    code = (
        {"ZipFile": web["local_zip"]}
        if web.get("local_zip")
        else {"S3Bucket": web["bucket"], "S3Key": web["s3_key"]}
    )
    published = companions.publish_all(cli, code)
    commands.run_before_live(cli, published)
    cli.companions_published = published


def delete_companions(cli: Any, *_: Any) -> None:
    """Check again for open executions, as no new ones start any more, and delete.

    The alarms go first: one of them rings when the sweep does not run.
    """
    undeploying.refuse_while_executions_are_open(cli)
    monitoring.monitoring_remove(cli)
    undeploying.remove_companions(cli)


def _before(cli: Any, method: str, do: Any) -> None:
    """Call ``do`` before each call of Zappa's method."""
    original = getattr(cli.zappa, method)

    @functools.wraps(original)
    def both(*args: Any, **more: Any) -> Any:
        do(cli, *args, **more)
        return original(*args, **more)

    setattr(cli.zappa, method, both)


def _roll_back_together(cli: Any) -> None:
    original = cli.zappa.rollback_lambda_function_version

    @functools.wraps(original)
    def together(function_name: str, versions_back: int = 1, **more: Any) -> Any:
        package = releases.package_to_roll_back_to(cli, versions_back)
        goals = releases.versions_with(cli, package)  # all of them exist, or nothing is moved
        rolled_back = original(function_name, versions_back=versions_back, **more)
        if rolled_back is False:  # Zappa returns it when it cannot fetch the old code
            raise click.ClickException("Nothing was rolled back: the old code cannot be fetched.")
        releases.refuse_another_package(cli, package)
        releases.go_live(cli, goals)
        return rolled_back

    cli.zappa.rollback_lambda_function_version = together
