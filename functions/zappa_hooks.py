"""Zappa's callbacks: the durable function and its companions follow the web function.

``on_settings`` runs first in every command and wraps the four methods with which Zappa
changes the web function; ``on_post`` runs last in ``deploy`` and ``update``. Zappa's own
``zip`` callback is not used: it is skipped with ``--zip``, a wrapped method never is.

Zappa loads this file anew for each callback, as a module of no package, so nothing is
remembered here: what has to be is kept on ``cli``.
"""

import functools
import sys
from pathlib import Path
from typing import Any

import click

# The command runs in the project's folder, but does not import from it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy import commands, companions, package, releases, undeploying
from deploy.retries import be_patient
from deploy.stage import refuse_what_cannot_work


def on_settings(cli: Any) -> None:
    """Refuse what cannot work before anything is done, and wrap what is about to be done."""
    if cli.command in {"deploy", "update", "package"}:
        refuse_what_cannot_work(cli)
        package.finish_when_packed(cli)
    if cli.command in {"deploy", "update", "rollback"}:
        be_patient(cli.zappa.lambda_client)
    if cli.command in {"deploy", "update"}:
        companions.refuse_without_roles(cli)
        _before(cli, "create_lambda_function", bring_companions)
        _before(cli, "update_lambda_function", bring_companions)
    elif cli.command == "rollback":
        _roll_back_together(cli)
    elif cli.command == "undeploy":
        undeploying.refuse_while_executions_are_open(cli)
        _before(cli, "delete_lambda_function", take_companions_away)


def on_post(cli: Any) -> None:
    """The web function runs the new package: now let the companions follow."""
    published = getattr(cli, "companions_published", None)
    if published is None:
        click.echo("No package was uploaded, so the companions stay as they are.")
        return
    releases.go_live(cli, published)
    releases.forget_old_versions(cli)


def bring_companions(cli: Any, **web: Any) -> None:
    """The companions get the package that the web function is about to get; none is live yet."""
    code = (
        {"ZipFile": web["local_zip"]}
        if web.get("local_zip")
        else {"S3Bucket": web["bucket"], "S3Key": web["s3_key"]}
    )
    published = companions.publish_all(cli, code)
    commands.run_before_live(cli, published)
    cli.companions_published = published


def take_companions_away(cli: Any, *_: Any) -> None:
    """By now nothing calls the web function any more: ask again, so that none slips through."""
    undeploying.refuse_while_executions_are_open(cli)
    undeploying.remove_companions(cli)


def _before(cli: Any, method: str, do: Any) -> None:
    """Let ``do`` come first whenever Zappa calls the method."""
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
        goals = releases.versions_with(cli, package)  # all there, or nothing moves
        rolled_back = original(function_name, versions_back=versions_back, **more)
        if rolled_back is False:  # what Zappa says when it cannot fetch the old code
            raise click.ClickException("Nothing was rolled back: the old code cannot be fetched.")
        releases.refuse_another_package(cli, package)
        releases.go_live(cli, goals)
        return rolled_back

    cli.zappa.rollback_lambda_function_version = together
